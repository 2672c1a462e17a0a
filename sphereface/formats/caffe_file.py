"""Reading weights from a `.caffemodel`, as the authors of SphereFace publish theirs; without Caffe.

The fields that are needed, by their numbers in `caffe.proto`: NetParameter.layer = 100; LayerParameter.name = 1, .blobs
= 7; BlobProto.num, channels, height, width = 1..4 (old), .data = 5, .shape = 7; BlobShape.dim = 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sphereface.errors import CheckpointError
from sphereface.formats import wire

Array = npt.NDArray[np.float32]

_LAYER, _NAME, _BLOBS = 100, 1, 7
_OLD_SIZES, _DATA, _SHAPE, _DIM = (1, 2, 3, 4), 5, 7, 1


def read(path: Path) -> dict[str, list[Array]]:
    """The blobs of every layer that has any, by the layer's name. Raises CheckpointError for other files."""
    try:
        data = memoryview(path.read_bytes())
        layers = dict(_layer(value) for number, value in wire.decode(data) if number == _LAYER)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the weights: {error.strerror}") from None
    except (ValueError, TypeError):
        layers = {}
    found = {name: blobs for name, blobs in layers.items() if blobs}
    if not found:
        raise CheckpointError(
            f"{path}: not a whole .caffemodel (cut short, damaged, of a Caffe before 2014, or no model)"
        )
    return found


def _layer(message: int | memoryview) -> tuple[str, list[Array]]:
    name, blobs = "", []
    for number, value in wire.decode(_bytes(message)):
        if number == _NAME:
            name = bytes(_bytes(value)).decode()
        elif number == _BLOBS:
            blobs.append(_blob(value))
    return name, blobs


def _blob(message: int | memoryview) -> Array:
    """Numbers may come packed, or one by one; dimensions in the new field or, padded with ones, in the old ones."""
    parts: list[memoryview] = []
    shape: list[int] = []
    old = [1, 1, 1, 1]
    for number, value in wire.decode(_bytes(message)):
        if number == _DATA:
            parts.append(_bytes(value))
        elif number == _SHAPE:
            shape = [size for dim, sizes in wire.decode(_bytes(value)) if dim == _DIM for size in _varints(sizes)]
        elif number in _OLD_SIZES and isinstance(value, int):
            old[number - 1] = value
    data = np.frombuffer(b"".join(parts), "<f4")
    return data.reshape(shape or old)


def _varints(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value]
    # Packed: varints one after another. Each is read as the value of a field made up for it.
    numbers, begin = [], 0
    for end, byte in enumerate(value, start=1):
        if byte < 0x80:
            numbers += [int(number) for _, number in wire.decode(memoryview(b"\x08" + value[begin:end]))]
            begin = end
    return numbers


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes are expected")
    return value
