"""Protobuf's wire format, as far as ONNX and Caffe files need it: varints and length-delimited fields, by number.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator

Field = tuple[int, int | bytes]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def encode(*fields: Field) -> bytes:
    """A message: of each field its number and kind, then a varint, or a length and the bytes."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_to_varint(number << 3 | _VARINT), _to_varint(value)]
        else:
            parts += [_to_varint(number << 3 | _LENGTH), _to_varint(len(value)), value]
    return b"".join(parts)


def decode(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message in order; of fixed-size fields the bytes. Raises ValueError for what is no message."""
    position = 0
    while position < len(message):
        key, position = _from_varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _from_varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH:
            size, position = _from_varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"field {number} is of kind {kind}")
        if number == 0 or position + size > len(message):
            raise ValueError("cut short")
        yield number, message[position : position + size]
        position += size


def _to_varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def _from_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("cut short")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number of more than 64 bits")
