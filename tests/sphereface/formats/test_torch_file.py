from __future__ import annotations

import collections
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sphereface.errors import CheckpointError
from sphereface.formats import torch_file

MAGIC = 0x1950A86A20F9469CFC6C

TENSORS: dict[str, npt.NDArray[np.float32]] = {
    "fc5.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "fc5.bias": np.array([7], np.float32),
}


def archive(path: Path, pickled: bytes, storages: dict[str, bytes]) -> Path:
    """The layout of PyTorch 1.6 and later."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", pickled)
        for key, data in storages.items():
            file.writestr(f"net/data/{key}", data)
    return path


def tensor(key: str, offset: int, shape: list[int], strides: list[int], kind: str = "FloatStorage") -> bytes:
    """Opcodes of one tensor, with the six-fold storage reference of the older layout (newer readers pass the tail)."""

    def sizes(values: list[int]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + b"K\x06N" + b"tQ"
    head = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"J" + struct.pack("<i", offset)
    return head + sizes(shape) + sizes(strides) + b"\x89N" + b"tR"


def mapping(items: dict[str, bytes]) -> bytes:
    body = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + value for name, value in items.items())
    return b"\x80\x02}(" + body + b"u."


def older(path: Path, root: bytes, storages: dict[str, npt.NDArray[Any]]) -> Path:
    """The layout before PyTorch 1.6: pickles, then each storage's number of elements and bytes."""
    head = [pickle.dumps(value, 2) for value in (MAGIC, 1001, {"little_endian": True})]
    tail = [struct.pack("<q", value.size) + value.tobytes() for value in storages.values()]
    path.write_bytes(b"".join([*head, root, pickle.dumps(list(storages), 2), *tail]))
    return path


def same(a: dict[str, npt.NDArray[Any]], b: dict[str, npt.NDArray[Any]]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        torch_file.write(tmp_path / name, TENSORS)
    assert same(torch_file.read(tmp_path / "a.pth"), TENSORS)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_views_into_shared_storages_and_other_kinds_of_numbers(tmp_path: Path) -> None:
    root = mapping(
        {
            "transposed": tensor("0", 1, [2, 2], [1, 2]),
            "half": tensor("1", 0, [2], [1], "HalfStorage"),
            "empty": tensor("0", 0, [0, 3], [3, 1]),
            "scalar": tensor("0", 5, [], []),
        }
    )
    numbers, halves = np.arange(6, dtype="<f4"), np.array([1, 2], "<f2")
    expected = {
        "transposed": np.array([[1, 3], [2, 4]]),
        "half": halves,
        "empty": np.zeros((0, 3)),
        "scalar": np.array(5),
    }
    new = archive(tmp_path / "new.pth", root, {"0": numbers.tobytes(), "1": halves.tobytes()})
    old = older(tmp_path / "old.pth", root, {"0": numbers, "1": halves})
    assert same(torch_file.read(new), expected)
    assert same(torch_file.read(old), expected)


def test_a_state_dict_inside_a_training_checkpoint_is_found(tmp_path: Path) -> None:
    inner = mapping({"w": tensor("0", 0, [1], [1])})[2:-1]
    root = mapping({"epoch": b"K\x03", "state_dict": inner})
    assert torch_file.read(archive(tmp_path / "net.pth", root, {"0": b"\0" * 24}))["w"].tolist() == [0]


class Attack:
    def __reduce__(self) -> Any:
        return os.system, ("touch attacked",)


@pytest.mark.parametrize("layout", ["new", "old"])
def test_a_pickle_that_calls_something_else_is_refused(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = pickle.dumps({"w": Attack()}, 2)
    file = archive(tmp_path / "net.pth", root, {}) if layout == "new" else older(tmp_path / "net.pth", root, {})
    with pytest.raises(CheckpointError, match=r"holds (posix|nt)\.system, not only tensors, and is not opened"):
        torch_file.read(file)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(0, [7], [1]), (5, [2], [1]), (0, [2, 2], [5, 1]), (-1, [1], [1]), (0, [2], [])]
)
def test_tensors_outside_their_storage_are_refused(
    tmp_path: Path, offset: int, shape: list[int], strides: list[int]
) -> None:
    root = mapping({"w": tensor("0", offset, shape, strides)})
    with pytest.raises(CheckpointError, match=r"not a whole \.pth file"):
        torch_file.read(archive(tmp_path / "net.pth", root, {"0": b"\0" * 24}))


def test_files_cut_short_anywhere_and_foreign_ones_are_refused(tmp_path: Path) -> None:
    torch_file.write(tmp_path / "new.pth", TENSORS)
    root = mapping({"w": tensor("0", 0, [6], [1])})
    older(tmp_path / "old.pth", root, {"0": np.zeros(6, "<f4")})
    for name in ("new.pth", "old.pth"):
        data = (tmp_path / name).read_bytes()
        for size in range(0, len(data) - 1, 37):
            (tmp_path / "cut.pth").write_bytes(data[:size])
            with pytest.raises(CheckpointError, match=r"cut\.pth: not a whole \.pth file"):
                torch_file.read(tmp_path / "cut.pth")


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, collections.OrderedDict(), {"state_dict": {}}])
def test_a_pickle_without_tensors_is_no_state_dict(tmp_path: Path, value: Any) -> None:
    file = archive(tmp_path / "net.pth", pickle.dumps(value, 2), {})
    with pytest.raises(CheckpointError, match="holds no state dict"):
        torch_file.read(file)
