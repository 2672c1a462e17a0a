from __future__ import annotations

import pytest

from sphereface.formats import wire


def test_the_examples_of_the_specification() -> None:
    assert wire.encode((1, 150)) == bytes.fromhex("089601")
    assert wire.encode((2, b"testing")) == bytes.fromhex("120774657374696e67")


@pytest.mark.parametrize("value", [0, 127, 128, 2**32, 2**64 - 1])
def test_numbers_come_back(value: int) -> None:
    assert list(wire.decode(memoryview(wire.encode((3, value))))) == [(3, value)]


def test_fixed_size_fields_are_given_as_bytes() -> None:
    message = memoryview(b"\x0d" + b"abcd" + b"\x11" + b"12345678")
    assert [(number, bytes(value)) for number, value in wire.decode(message) if not isinstance(value, int)] == [
        (1, b"abcd"),
        (2, b"12345678"),
    ]


@pytest.mark.parametrize("data", [b"\x08", b"\x12\x05ab", b"\x0b", b"\xff" * 11, b"\x02\x01a", b"\x0dab"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        list(wire.decode(memoryview(data)))
