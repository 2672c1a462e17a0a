from __future__ import annotations

import pytest

from launcher.rank_tables.values import decimal, ip, listed, shown


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("4294967295", 2**32 - 1)])
def test_decimal(text: str, number: int) -> None:
    assert decimal(text) == number


@pytest.mark.parametrize("text", ["", " 1", "+1", "-1", "01", "1.0", "1e3", "0x1", "４", "4294967296", "9" * 5000])
def test_not_decimal(text: str) -> None:
    assert decimal(text) is None


@pytest.mark.parametrize("text", ["192.168.100.101", "10.0.0.0", "fd00::1", "2001:db8::1", "fe80::1"])
def test_ip(text: str) -> None:
    assert str(ip(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.168.1",
        "192.168.1.256",
        "192.168.01.1",
        " 10.0.0.1",
        "::",
        "::1",
        "ff02::1",
        "224.0.0.1",
        "240.0.0.1",
        "1",
        "a",
    ],
)
def test_not_ip(text: str) -> None:
    assert ip(text) is None


def test_listed() -> None:
    assert listed([]) == ""
    assert listed([3]) == "3"
    assert listed([7, 0, 1, 2, 5, 6]) == "0-2, 5-7"


def test_shown_is_short_and_safe() -> None:
    assert shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert len(shown("x" * 1000)) == 60
    assert shown({"a": None}) == '{"a": null}'
