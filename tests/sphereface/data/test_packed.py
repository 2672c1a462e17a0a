from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sphereface.data import packed
from sphereface.errors import DataError

CANVASES = np.random.default_rng(0).integers(0, 256, (5, 116, 100, 3), np.uint8)
LABELS = [0, 2, 2, 0, 3]
NAMES = ("ann", "nobody", "böb", "cy")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    packed.write(tmp_path / "faces.pack", zip(CANVASES, LABELS, strict=True), NAMES)
    return tmp_path / "faces.pack"


def test_what_was_written_is_read(file: Path) -> None:
    canvases, labels, names = packed.read(file)
    np.testing.assert_array_equal(canvases, CANVASES)
    assert labels.dtype == np.int32
    assert labels.tolist() == [0, 1, 1, 0, 2]  # closed up: nobody has no image
    assert names == ("ann", "böb", "cy")
    assert not canvases.flags.writeable
    assert packed.is_packed(file)


def test_write_says_what_it_wrote(tmp_path: Path) -> None:
    written = packed.write(tmp_path / "faces.pack", zip(CANVASES, LABELS, strict=True), NAMES)
    assert written == (5, ("ann", "böb", "cy"))


def test_the_same_faces_give_the_same_file(file: Path, tmp_path: Path) -> None:
    packed.write(tmp_path / "again.pack", zip(CANVASES, LABELS, strict=True), NAMES)
    assert (tmp_path / "again.pack").read_bytes() == file.read_bytes()


def test_faces_of_some_rows(file: Path) -> None:
    canvases, _, names = packed.read(file)
    faces = packed.PackedFaces(canvases, np.array([3, 1]), np.array([0, 1], np.int32), names[:2])
    assert len(faces) == 2
    assert faces.num_classes == 2
    np.testing.assert_array_equal(faces.crop(0), CANVASES[3])
    np.testing.assert_array_equal(faces.crop(1), CANVASES[1])


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(file: Path) -> None:
    before = file.read_bytes()

    def faces() -> Iterator[tuple[NDArray[np.uint8], int]]:
        yield CANVASES[0], 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed.write(file, faces(), NAMES)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_nothing_to_pack(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not written: there is no image to pack"):
        packed.write(tmp_path / "faces.pack", [], NAMES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (0, "is not a file written by `sphereface pack`"),
        (7, "is not a file written by"),
        (30, "is cut short within its header"),
        (4095, "is cut short within its header"),
        (4096, r"has 4096 bytes of \d+: cut short"),
        (100_000, "has 100000 bytes of"),
        (-1, "cut short or added to; pack it again"),
    ],
)
def test_a_truncated_file(file: Path, kept: int, message: str) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DataError, match=f"faces.pack: .*{message}|faces.pack: {message}"):
        packed.read(file)


def test_a_file_with_something_behind_it(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(DataError, match="added to"):
        packed.read(file)


@pytest.mark.parametrize(
    ("place", "message"), [(0, "not a file written by"), (20, "header is damaged"), (60, "header is damaged")]
)
def test_a_damaged_start(file: Path, place: int, message: str) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 0x20
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match=message):
        packed.read(file)


def test_damaged_labels(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 + CANVASES.nbytes + 1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match="labels are damaged"):
        packed.read(file)


def test_a_file_of_another_schema(file: Path) -> None:
    data = file.read_bytes()
    (length,) = struct.unpack_from("<I", data, 8)
    header = json.loads(data[44 : 44 + length])
    text = json.dumps({**header, "schema": 9}).encode()
    file.write_bytes(
        data[:8] + struct.pack("<I", len(text)) + hashlib.sha256(text).digest() + text + data[44 + length :]
    )
    with pytest.raises(DataError, match=r"packed as schema 9, .* this version reads schema 1"):
        packed.read(file)


def test_a_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"x" * 10_000)
    assert not packed.is_packed(tmp_path / "x.tar")
    with pytest.raises(DataError, match=r"x.tar: is not a file written by"):
        packed.read(tmp_path / "x.tar")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the packed file: No such file"):
        packed.read(tmp_path / "none.pack")
