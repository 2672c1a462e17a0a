"""The packed file: aligned canvases in one file, mapped into memory, so that training neither decodes nor aligns.

    offset 0     magic, 8 bytes | length of the header, uint32 little-endian | SHA-256 of the header, 32 bytes |
                 header, JSON | zeros up to 4096
    offset 4096  canvases, uint8 (N, 116, 100, 3) BGR
    then         labels, int32 little-endian (N,)
    then         names of the classes, a JSON list

The header holds the schema, the shape, the size of each part and the SHA-256 of labels and names. It is written
last, and the file gets its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runfolder import atomic
from sphereface.align import CANVAS_HEIGHT, CANVAS_WIDTH
from sphereface.errors import DataError

_MAGIC = b"\x89FACES\r\n"  # a transfer in text mode breaks it, and so shows
_SCHEMA = 1
_START = 4096
_PREFIX = struct.Struct("<8sI32s")
_SHAPE = (CANVAS_HEIGHT, CANVAS_WIDTH, 3)
_CANVAS_BYTES = CANVAS_HEIGHT * CANVAS_WIDTH * 3


class PackedFaces:
    """A FaceSet over a packed file. `rows` are the file's canvases that are used, `labels` (N,) theirs."""

    def __init__(
        self,
        canvases: NDArray[np.uint8],
        rows: NDArray[np.int64],
        labels: NDArray[np.int32],
        names: tuple[str, ...],
    ) -> None:
        self.labels = labels
        self.names = names
        self.num_classes = len(names)
        self._canvases = canvases
        self._rows = rows

    def __len__(self) -> int:
        return len(self.labels)

    def crop(self, index: int) -> NDArray[np.uint8]:
        """The canvas (116, 100, 3), a read-only view into the file."""
        canvas: NDArray[np.uint8] = self._canvases[self._rows[index]]
        return canvas


def is_packed(file: Path) -> bool:
    """Whether the file says that it is a packed file; whether it is whole, `read` finds out."""
    with file.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def read(file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32], tuple[str, ...]]:
    """Canvases (N, 116, 100, 3), mapped; labels (N,); names. Raises DataError for a foreign, damaged or cut file."""
    try:
        with file.open("rb") as stream:
            header = _header(file, stream.read(_START))
            count, tail_bytes = header["count"], header["label_bytes"] + header["name_bytes"]
            size, expected = file.stat().st_size, _START + count * _CANVAS_BYTES + tail_bytes
            if size != expected:
                raise DataError(f"{file}: has {size} bytes of {expected}: cut short or added to; pack it again")
            stream.seek(expected - tail_bytes)
            tail = stream.read(tail_bytes)
        mapped = np.memmap(file, np.uint8, "r", _START, (count, *_SHAPE))
    except OSError as error:
        raise DataError(f"{file}: cannot read the packed file: {error.strerror or error}") from None
    if hashlib.sha256(tail).hexdigest() != header["tail_sha256"]:
        raise DataError(f"{file}: its labels are damaged; pack it again")
    labels = np.frombuffer(tail, "<i4", count).astype(np.int32)
    # A plain array over the map: each index into numpy's own memmap class costs as much as the crop itself.
    return mapped.view(np.ndarray), labels, tuple(json.loads(tail[header["label_bytes"] :]))


def write(
    file: Path, faces: Iterable[tuple[NDArray[np.uint8], int]], names: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    """Writes (canvas, label) one after another; classes of which none came are left out and the labels closed up.

    Returns how many images and which names the file holds. Raises DataError where there are no faces at all, OSError
    for the disk; in both cases, as after a kill, `file` is what it was before. What a killed writer of `file` left
    half-written is removed.
    """
    labels: list[int] = []
    _sweep(file)
    with atomic.replacing(file) as temporary, temporary.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # the kernel lets it go with the process, and so tells who is at work
        stream.seek(_START)
        for canvas, label in faces:
            if canvas.shape != _SHAPE or canvas.dtype != np.uint8:
                raise ValueError(f"a canvas must be uint8 {_SHAPE}, not {canvas.dtype} {canvas.shape}")
            stream.write(np.ascontiguousarray(canvas).data)
            labels.append(label)
        if not labels:
            raise DataError(f"{file}: not written: there is no image to pack")
        used, closed = np.unique(np.array(labels, np.int64), return_inverse=True)
        kept = tuple(names[label] for label in used)
        label_data, name_data = closed.astype("<i4").tobytes(), json.dumps(kept, ensure_ascii=False).encode()
        stream.write(label_data + name_data)
        stream.seek(0)
        stream.write(_prefix(len(labels), label_data, name_data))
        stream.flush()
    return len(labels), kept


def _sweep(file: Path) -> None:
    for left in atomic.leftovers(file):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), left.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if left.stat().st_size:  # else it may be another writer's that has only just begun
                left.unlink()


def _prefix(count: int, label_data: bytes, name_data: bytes) -> bytes:
    header = {
        "schema": _SCHEMA,
        "shape": _SHAPE,
        "count": count,
        "label_bytes": len(label_data),
        "name_bytes": len(name_data),
        "tail_sha256": hashlib.sha256(label_data + name_data).hexdigest(),
    }
    text = json.dumps(header).encode()
    return _PREFIX.pack(_MAGIC, len(text), hashlib.sha256(text).digest()) + text


def _header(file: Path, start: bytes) -> dict[str, Any]:
    if not start.startswith(_MAGIC):
        raise DataError(f"{file}: is not a file written by `sphereface pack`")
    if len(start) < _START:
        raise DataError(f"{file}: is cut short within its header; pack it again")
    _, length, digest = _PREFIX.unpack_from(start)
    text = start[_PREFIX.size : _PREFIX.size + length]
    if hashlib.sha256(text).digest() != digest:
        raise DataError(f"{file}: its header is damaged; pack it again")
    header: dict[str, Any] = json.loads(text)
    if header["schema"] != _SCHEMA or tuple(header["shape"]) != _SHAPE:
        raise DataError(
            f"{file}: packed as schema {header['schema']}, {header['shape']}; "
            f"this version reads schema {_SCHEMA}, {list(_SHAPE)}; pack it again"
        )
    return header
