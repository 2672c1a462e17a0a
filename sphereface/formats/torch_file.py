"""Reading and writing PyTorch's `.pth` files of plain state dicts, without PyTorch.

A `.pth` is a pickle, and a pickle can call anything; this reader knows the few names that tensors are made of and
refuses every other. Both layouts are read: the archive of PyTorch 1.6 and later, which is also what is written, and
the older one (pickles, then raw storages) of the published `sphere20a_20171020.pth`.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sphereface.errors import CheckpointError

Array = npt.NDArray[Any]

_MAGIC = 0x1950A86A20F9469CFC6C  # of the older layout
_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip
_ARCHIVE = "archive"
_MALFORMED = (
    pickle.UnpicklingError, zipfile.BadZipFile, EOFError, struct.error, ValueError, TypeError, KeyError, IndexError,
    AttributeError, OverflowError, NotImplementedError, MemoryError, RecursionError,
)  # fmt: skip


def read(path: Path) -> dict[str, Array]:
    """The tensors of a state dict, by name; of a dict with a `state_dict` in it, that one.

    Raises CheckpointError for a file that is cut short, is not of PyTorch, or holds more than tensors.
    """
    try:
        with path.open("rb") as file:
            root, storages = (_read_archive if zipfile.is_zipfile(file) else _read_older)(io.BytesIO(path.read_bytes()))
        if isinstance(root, dict) and isinstance(root.get("state_dict"), dict):
            root = root["state_dict"]
        if not isinstance(root, dict) or not any(isinstance(value, _Tensor) for value in root.values()):
            raise CheckpointError(f"{path}: holds no state dict; save one with torch.save(net.state_dict(), …)")
        return {str(name): value.array(storages) for name, value in root.items() if isinstance(value, _Tensor)}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the weights: {error.strerror}") from None
    except _Refused as error:
        raise CheckpointError(
            f"{path}: holds {error}, not only tensors, and is not opened; save a plain state dict "
            "with torch.save(net.state_dict(), …)"
        ) from None
    except _MALFORMED:
        raise CheckpointError(f"{path}: not a whole .pth file (cut short, damaged, or of another program)") from None


def write(path: Path, tensors: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Writes a state dict that `torch.load(path, weights_only=True)` reads."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("data.pkl"), _pickled(tensors))
        archive.writestr(_entry("byteorder"), "little")
        for key, value in enumerate(tensors.values()):
            archive.writestr(_entry(f"data/{key}"), np.ascontiguousarray(value, "<f4").tobytes())
        archive.writestr(_entry("version"), "3\n")


class _Refused(Exception):
    pass


@dataclass(frozen=True)
class _Storage:
    kind: str
    key: str


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage whose bytes come later."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self, storages: Callable[[_Storage], bytes]) -> Array:
        data = np.frombuffer(storages(self.storage), self.storage.kind)
        sizes = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or min(sizes) < 0 or not all(isinstance(size, int) for size in sizes):
            raise ValueError("a tensor of no possible shape")
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and last >= len(data):
            raise ValueError("a tensor that ends behind its storage")
        steps = [stride * data.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps, writeable=False).copy()


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_gradient: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without a storage")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: _Tensor, *_gradient: Any) -> _Tensor:
    return tensor


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }
        if (module, name) not in known:
            raise _Refused(f"{module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        word, kind, key, *_ = pid
        if word != "storage" or kind not in _STORAGES.values():
            raise ValueError("a reference to no storage")
        return _Storage(kind, str(key))


def _read_archive(data: io.BytesIO) -> tuple[Any, Callable[[_Storage], bytes]]:
    archive = zipfile.ZipFile(data)
    pickled = next(name for name in archive.namelist() if name.endswith("data.pkl"))
    folder = pickled.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("written on a big-endian machine")
    root = _Unpickler(io.BytesIO(archive.read(pickled))).load()
    return root, lambda storage: archive.read(f"{folder}data/{storage.key}")


def _read_older(data: io.BytesIO) -> tuple[Any, Callable[[_Storage], bytes]]:
    if _Unpickler(data).load() != _MAGIC:
        raise ValueError("no PyTorch file")
    _Unpickler(data).load()  # version of the layout
    _Unpickler(data).load()  # sizes of the writer's integers
    tracker = _KeepingUnpickler(data)
    root = tracker.load()
    contents = {}
    for key in _Unpickler(data).load():
        (count,) = struct.unpack("<q", data.read(8))
        size = count * np.dtype(tracker.kinds[key]).itemsize
        contents[key] = data.read(size)
        if count < 0 or len(contents[key]) != size:
            raise EOFError
    return root, lambda storage: contents[storage.key]


class _KeepingUnpickler(_Unpickler):
    """Remembers the kind of every storage: in the older layout the storages themselves do not say it."""

    def __init__(self, data: io.BytesIO) -> None:
        super().__init__(data)
        self.kinds: dict[str, str] = {}

    def persistent_load(self, pid: Any) -> _Storage:
        storage = super().persistent_load(pid)
        self.kinds[storage.key] = storage.kind
        return storage


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(f"{_ARCHIVE}/{name}")  # dated 1980, so that the same weights give the same bytes


def _pickled(tensors: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """The pickle (protocol 2) of an OrderedDict of tensors, opcode by opcode: pickling them needs PyTorch's classes."""
    ordered_dict = pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
    out = [pickle.PROTO, b"\x02", ordered_dict, pickle.MARK]
    for key, (name, value) in enumerate(tensors.items()):
        strides = [stride // 4 for stride in np.ascontiguousarray(value, "<f4").strides]
        storage = [_text("storage"), pickle.GLOBAL + b"torch\nFloatStorage\n", _text(str(key)), _text("cpu")]
        out += [_text(name), pickle.GLOBAL, b"torch._utils\n_rebuild_tensor_v2\n", pickle.MARK]
        out += [pickle.MARK, *storage, _number(value.size), pickle.TUPLE, pickle.BINPERSID, _number(0)]
        for sizes in (value.shape, strides):
            out += [pickle.MARK, *map(_number, sizes), pickle.TUPLE]
        out += [pickle.NEWFALSE, ordered_dict, pickle.TUPLE, pickle.REDUCE]
    return b"".join([*out, pickle.SETITEMS, pickle.STOP])


def _text(text: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(text.encode())) + text.encode()


def _number(number: int) -> bytes:
    return pickle.BININT + struct.pack("<i", number)
