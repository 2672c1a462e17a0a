"""Checkpoints `{rank}-{epoch}_{steps}.ckpt`: MindSpore's own format, with a checksum, and everything a resume needs.

Names are MindSpore's: epoch from 1, steps within it. A file holds `meta` (JSON as bytes, first), the weights under
their bare names and the momenta as `moments.<name>`. It is written whole or not at all, ends with a CRC-32, and a file
cut short at any byte is refused. Checkpoints of the model zoo (`network.*`, `moments.*`, neither meta nor checksum)
are read too.
"""

from __future__ import annotations

import binascii
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from runfolder import atomic
from sphereface.config import Config
from sphereface.errors import CheckpointError

if TYPE_CHECKING:
    from sphereface.model import SphereNet

SCHEMA = 1
SLICE = 512 << 20
"""Bytes of one tensor that a message holds at most, as in MindSpore."""
META = "meta"
MOMENTS = "moments."
NAME = re.compile(r"(\d+)-(\d+)_(\d+)\.ckpt")

_TAIL = b"crc_num"  # MindSpore's mark before the checksum, which takes the last 10 bytes
_PREFIXES = ("network.", "backbone.", "criterion.", "_backbone.", "module.")
_TYPES = {
    "Float16": "<f2",
    "Float32": "<f4",
    "Float64": "<f8",
    "Int32": "<i4",
    "Int64": "<i8",
    "UInt8": "u1",
    "Bool": "?",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """Weights and momenta by bare parameter name (`conv1_1.weight`, …, `fc6.weight`), and what was being trained.

    `meta` is empty in a file that is not ours; see `run.describe` for its keys.
    """

    weights: dict[str, NDArray[Any]]
    moments: dict[str, NDArray[Any]]
    meta: dict[str, Any]
    path: Path = Path()
    """Where it was read from."""


def file_name(rank: int, epoch: int, steps: int) -> str:
    """Name of the checkpoint after `steps` steps of epoch `epoch` (from 1)."""
    return f"{rank}-{epoch}_{steps}.ckpt"


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes `path` whole or not at all. Raises OSError (disk full, folder not writable).

    The bytes are those of `mindspore.save_checkpoint(…, crc_check=True)`, which itself leaves half a file behind where
    the disk is full, and logs a traceback.
    """
    meta = np.frombuffer(json.dumps({"schema": SCHEMA, **checkpoint.meta}).encode(), np.uint8)
    moments = {MOMENTS + name: value for name, value in checkpoint.moments.items()}
    checksum = 0
    try:
        with atomic.replacing(path) as temporary, temporary.open("wb") as file:
            for name, value in {META: meta, **checkpoint.weights, **moments}.items():
                for message in _messages(name, value):
                    checksum = binascii.crc32(message, checksum)
                    file.write(message)
            file.write(_TAIL + checksum.to_bytes(10, "big"))
    except OSError as error:
        error.filename = str(path)  # a write that fails names no file
        raise


def read(path: Path) -> Checkpoint:
    """Reads one file. Raises CheckpointError where it is unreadable, cut short, damaged or not a checkpoint."""
    try:
        data = path.read_bytes()
    except IsADirectoryError:
        return read(newest(path))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the checkpoint: {error.strerror}") from None
    tensors = _parse(path, data)
    meta = json.loads(tensors.pop(META).tobytes()) if META in tensors else {}
    if meta.get("schema", SCHEMA) != SCHEMA:
        raise CheckpointError(f"{path}: written by a newer version (schema {meta['schema']}); update sphereface")
    moments = {_bare(name[len(MOMENTS) :]): value for name, value in tensors.items() if name.startswith(MOMENTS)}
    weights = {_bare(name): value for name, value in tensors.items() if _is_weight(name)}
    if "fc5.weight" not in weights:
        raise CheckpointError(f"{path}: not a SphereFace checkpoint (it has no fc5.weight)")
    return Checkpoint(weights, moments, meta, path)


def newest(folder_or_file: Path) -> Path:
    """The newest readable checkpoint of a folder (of rank 0, where it has one); a file is its own newest.

    Unreadable ones are named in a warning and passed over. Raises CheckpointError where nothing is left.
    """
    if folder_or_file.is_file():
        return folder_or_file
    found = listed(folder_or_file)
    if not found:
        what = "no checkpoint in it" if folder_or_file.is_dir() else "no such file or folder"
        raise CheckpointError(f"{folder_or_file}: {what} (expected names like 0-20_1775.ckpt)")
    for path in reversed(found):
        try:
            read(path)
        except CheckpointError as error:
            log.warning("%s; taking the one before it", error)
        else:
            return path
    raise CheckpointError(f"{folder_or_file}: none of its {len(found)} checkpoints can be read")


def listed(folder: Path, rank: int | None = None) -> list[Path]:
    """Checkpoints of one rank in a folder, oldest first; of the lowest rank that has any where `rank` is None."""
    return [folder / name for name in in_order(_names(folder), rank)]


def in_order(names: Iterable[str], rank: int | None = None) -> list[str]:
    """Those of the names that are checkpoints of one rank, as `listed` has them."""
    matches = [match for match in map(NAME.fullmatch, names) if match]
    if rank is None and matches:
        rank = min(int(match[1]) for match in matches)
    mine = sorted((int(match[2]), int(match[3]), match[0]) for match in matches if int(match[1]) == rank)
    return [name for _, _, name in mine]


def prune(folder: Path, rank: int, keep: int) -> None:
    """Deletes all but the newest `keep` of a rank; called only when the newest is safely on the disk. 0 keeps all."""
    if keep:
        for path in listed(folder, rank)[:-keep]:
            path.unlink(missing_ok=True)


def sweep(folder: Path, rank: int) -> None:
    """Deletes what a killed process of this rank left half-written."""
    for path in folder.glob(f".{rank}-*_*.*"):
        path.unlink(missing_ok=True)


def load_network(path: Path, config: Config | None = None) -> tuple[SphereNet, Checkpoint]:
    """The network that a checkpoint (or a folder's newest) holds, with its weights, and the checkpoint itself.

    Depth and bias are read off the shapes. Raises CheckpointError where the configuration names another `net` or
    `conv_bias`, and whatever `read` raises.
    """
    from sphereface.model import SphereNet

    checkpoint = read(newest(path))
    path = checkpoint.path
    net, bias, _ = architecture(checkpoint)
    given = config.given if config else frozenset()
    if config and "net" in given and config.net != net:
        raise CheckpointError(f"{path}: holds {net}, but net is {config.net}; leave net out or give another checkpoint")
    if config and "conv_bias" in given and config.conv_bias != bias:
        has = "have a bias" if bias else "have no bias"
        raise CheckpointError(f"{path}: its convolutions {has}, but conv_bias is {str(config.conv_bias).lower()}")
    network = SphereNet(net, bias)
    assign(path, network.get_parameters(), checkpoint.weights)
    network.set_train(False)
    return network, checkpoint


def architecture(checkpoint: Checkpoint) -> tuple[str, bool, int | None]:
    """(net, conv_bias, classes of the head if it has one). Raises CheckpointError for a network that is not ours."""
    from sphereface.model import describe

    try:
        return describe({name: value.shape for name, value in checkpoint.weights.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint.path}: {error}") from None


def assign(path: Path, parameters: Iterable[Any], values: dict[str, NDArray[Any]], prefix: str = "") -> None:
    """Sets each parameter from the value of its name, less `prefix`. Raises CheckpointError: absent, other shape."""
    import mindspore as ms

    for parameter in parameters:
        name = parameter.name.removeprefix(prefix)
        value = values.get(name)
        if value is None:
            raise CheckpointError(f"{path}: has no {parameter.name}; it was saved from another network")
        if value.shape != tuple(parameter.shape):
            raise CheckpointError(
                f"{path}: {parameter.name} has shape {value.shape}, the network's is {tuple(parameter.shape)}"
            )
        parameter.set_data(ms.Tensor(value.astype(np.float32)))


def _messages(name: str, value: NDArray[Any]) -> Iterator[bytes]:
    """One tensor in MindSpore's format; a large one in slices of the same tag, each with the whole shape."""
    from mindspore.train.checkpoint_pb2 import Checkpoint as Message

    kind = next(kind for kind, code in _TYPES.items() if np.dtype(code) == value.dtype)
    content = value.tobytes()
    for first in range(0, len(content), SLICE):
        message = Message()
        entry = message.value.add(tag=name)
        entry.tensor.dims.extend(value.shape)
        entry.tensor.tensor_type = kind
        entry.tensor.tensor_content = content[first : first + SLICE]
        yield message.SerializeToString()


def _parse(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of MindSpore's protobuf format; large ones come in slices of the same tag."""
    from google.protobuf.message import DecodeError
    from mindspore.train.checkpoint_pb2 import Checkpoint as Message

    damaged = CheckpointError(f"{path}: not a whole checkpoint (cut short, damaged, or another kind of file)")
    summed = data[-17:-10] == _TAIL
    if summed:
        if binascii.crc32(memoryview(data)[:-17]) != int.from_bytes(data[-10:], "big"):
            raise damaged
        data = data[:-17]
    message = Message()
    try:
        message.ParseFromString(data)
        slices: dict[str, list[bytes]] = {}
        kinds: dict[str, tuple[str, tuple[int, ...]]] = {}
        for value in message.value:
            slices.setdefault(value.tag, []).append(value.tensor.tensor_content)
            kinds[value.tag] = (_TYPES.get(value.tensor.tensor_type, ""), tuple(value.tensor.dims))
        tensors = {}
        for tag, (kind, dims) in kinds.items():
            if kind:
                tensors[tag] = np.frombuffer(b"".join(slices[tag]), kind).reshape(() if dims == (0,) else dims)
    except (DecodeError, ValueError):
        raise damaged from None
    if not tensors or (META in tensors and not summed):
        raise damaged
    return tensors


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot list the checkpoints: {error.strerror}") from None


def _is_weight(name: str) -> bool:
    return not name.startswith(MOMENTS) and bool(re.fullmatch(r"(conv|relu|fc)\d(_\d+)?\.(weight|bias|w)", _bare(name)))


def _bare(name: str) -> str:
    """`conv1_1.weight` of `network.conv1_1.weight` and the like."""
    trimmed = name
    while True:
        shorter = next((trimmed.removeprefix(prefix) for prefix in _PREFIXES if trimmed.startswith(prefix)), None)
        if shorter is None:
            return trimmed
        trimmed = shorter
