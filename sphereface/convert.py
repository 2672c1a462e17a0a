"""Weights in the formats that people have: ours and the model zoo's, PyTorch's, Caffe's, .npz and .safetensors.

All formats hold the same numbers in the same order of axes but for two things: PyTorch calls a PReLU's slopes
`relu1_1.weight`, where we and the zoo say `relu1_1.w`; and Caffe stores fc6 as (N, 512), all others as (512, N).
The names of PyTorch are those of clcarwin/sphereface_pytorch, the names of Caffe those of wy1iu/sphereface.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runfolder import atomic, strict_yaml
from sphereface import checkpoint
from sphereface.errors import CheckpointError, UnsupportedError
from sphereface.formats import caffe_file, torch_file

Weights = dict[str, npt.NDArray[np.float32]]

_PREFIXES = ("module.", "network.", "backbone.")


@dataclass(frozen=True)
class Summary:
    """What was converted. `classes` is None where the weights have no classification head."""

    net: str
    conv_bias: bool
    classes: int | None
    parameters: int


def convert(source: Path, target: Path) -> Summary:
    """Writes the weights of `source` as `target`; formats go by the suffixes.

    Raises UnsupportedError for an unknown suffix, CheckpointError for a file that holds no SphereFace.
    """
    from sphereface.model import describe

    reader, writer = _of(READERS, source, "read"), _of(WRITERS, target, "written")
    weights = _complete(_renamed(reader(source)))
    try:
        net, bias, classes = describe({name: value.shape for name, value in weights.items()})
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    with atomic.replacing(target) as temporary:
        writer(temporary, weights)
    return Summary(net, bias, classes, sum(value.size for value in weights.values()))


def _of(table: Mapping[str, Callable[..., Any]], path: Path, word: str) -> Callable[..., Any]:
    if path.suffix in table:
        return table[path.suffix]
    known, hint = ", ".join(table), strict_yaml.did_you_mean(path.suffix, table)
    raise UnsupportedError(
        f"{path}: files ending in '{path.suffix}' cannot be {word}{hint}; the known ones are {known}"
    )


def _renamed(weights: Mapping[str, npt.NDArray[Any]]) -> Weights:
    """Under our names, in float32, without what is no weight of the network (moments, counters)."""
    renamed: Weights = {}
    for name, value in weights.items():
        while name.startswith(_PREFIXES):
            name = name.split(".", 1)[1]
        name = re.sub(r"^(relu\d_\d+)\.weight$", r"\1.w", name)
        if re.fullmatch(r"(conv|relu)[1-4]_\d+\.(weight|bias|w)|fc5\.(weight|bias)|fc6\.weight", name):
            renamed[name] = value.astype(np.float32)
    return renamed


def _complete(weights: Weights) -> Weights:
    """With biases of 0 for the convolutions that lack one where others have one, as in Caffe's networks."""
    missing: Weights = {}
    if any(re.fullmatch(r"conv\d_\d+\.bias", name) for name in weights):
        for name, value in weights.items():
            layer, part = name.split(".")
            if layer.startswith("conv") and part == "weight" and f"{layer}.bias" not in weights:
                missing[f"{layer}.bias"] = np.zeros(len(value), np.float32)
    return weights | missing


def _read_checkpoint(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    return checkpoint.read(path).weights


def _write_checkpoint(path: Path, weights: Weights) -> None:
    checkpoint.save(path, checkpoint.Checkpoint(weights, {}, {}))


def _read_npz(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the weights: {error.strerror or error}") from None
    except (ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        raise CheckpointError(f"{path}: not a whole .npz file of arrays") from None


def _write_npz(path: Path, weights: Weights) -> None:
    buffer = io.BytesIO()  # numpy leaves a traceback behind where it cannot write to the end
    np.savez(buffer, **weights)
    path.write_bytes(buffer.getbuffer())


def _read_safetensors(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the weights: {error.strerror or error}") from None
    except (SafetensorError, ValueError, KeyError):
        raise CheckpointError(f"{path}: not a whole .safetensors file of arrays that numpy knows") from None


def _write_safetensors(path: Path, weights: Weights) -> None:
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in weights.items()}))


def _read_caffe(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    weights = {}
    for layer, blobs in caffe_file.read(path).items():
        for part, value in zip(("w",) if layer.startswith("relu") else ("weight", "bias"), blobs, strict=False):
            weights[f"{layer}.{part}"] = _without_padding(layer, part, value)
    return weights


def _without_padding(layer: str, part: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Old files pad every shape with ones in front, to four axes."""
    if part != "weight":
        return value.reshape(-1)
    if layer.startswith("fc"):
        matrix = value.reshape(value.shape[-2:])
        return matrix.T if layer == "fc6" else matrix
    return value


def _write_torch(path: Path, weights: Weights) -> None:
    torch_file.write(path, {re.sub(r"\.w$", ".weight", name): value for name, value in weights.items()})


READERS: Mapping[str, Callable[[Path], Mapping[str, npt.NDArray[Any]]]] = {
    ".ckpt": _read_checkpoint,
    ".pth": torch_file.read,
    ".pt": torch_file.read,
    ".caffemodel": _read_caffe,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
}
WRITERS: Mapping[str, Callable[[Path, Weights], None]] = {
    ".ckpt": _write_checkpoint,
    ".pth": _write_torch,
    ".pt": _write_torch,
    ".npz": _write_npz,
    ".safetensors": _write_safetensors,
}
