from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sphereface import checkpoint, cli, convert
from sphereface.errors import CheckpointError, UnsupportedError
from sphereface.formats import torch_file, wire
from sphereface.model import initial_values

Weights = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    """A sphere4 with biases and a head of 5 identities; no two values that matter are alike."""
    values = initial_values("sphereface4a", conv_bias=True, seed=0)
    rng = np.random.default_rng(0)
    for name, value in values.items():
        if name.endswith((".bias", ".w")):
            values[name] = rng.normal(size=value.shape).astype(np.float32)
    return values | {"fc6.weight": rng.normal(size=(512, 5)).astype(np.float32)}


@pytest.fixture(scope="module")
def saved(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("saved") / "0-1_1.ckpt"
    moments = {name: value + 1 for name, value in weights.items() if name.startswith("conv1")}
    checkpoint.save(file, checkpoint.Checkpoint(weights, moments, {"step": 1}))
    return file


def assert_same(got: Weights, expected: Weights) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name, strict=True)


@pytest.mark.parametrize("suffix", [".pth", ".npz", ".safetensors", ".ckpt"])
def test_there_and_back_is_the_same(saved: Path, weights: Weights, tmp_path: Path, suffix: str) -> None:
    between, back = tmp_path / f"net{suffix}", tmp_path / "back.ckpt"
    summary = convert.convert(saved, between)
    assert summary == convert.convert(between, back)
    assert summary == convert.Summary("sphereface4a", True, 5, sum(value.size for value in weights.values()))
    assert_same(checkpoint.read(back).weights, weights)
    assert checkpoint.read(back).moments == {}
    between.unlink()
    back.unlink()


def test_pytorch_gets_the_names_of_pytorch(saved: Path, weights: Weights, tmp_path: Path) -> None:
    convert.convert(saved, tmp_path / "net.pth")
    state = torch_file.read(tmp_path / "net.pth")
    np.testing.assert_array_equal(state["relu1_1.weight"], weights["relu1_1.w"])
    assert "relu1_1.w" not in state


def test_prefixes_of_wrappers_and_other_entries_are_dropped(weights: Weights, tmp_path: Path) -> None:
    wrapped: dict[str, Any] = {f"module.network.{name}": value for name, value in weights.items()}
    np.savez(tmp_path / "wrapped.npz", **wrapped, global_step=np.array(3), learning_rate=np.array(0.1))
    convert.convert(tmp_path / "wrapped.npz", tmp_path / "net.ckpt")
    assert_same(checkpoint.read(tmp_path / "net.ckpt").weights, weights)


def caffemodel(weights: Weights, without_bias: str) -> bytes:
    """As Caffe writes it: fc6 as (N, 512), and no bias in one convolution."""
    layers: dict[str, list[npt.NDArray[np.float32]]] = {}
    for name, value in weights.items():
        layer = name.split(".", maxsplit=1)[0]
        if name != f"{without_bias}.bias":
            layers.setdefault(layer, []).append(value.T if layer == "fc6" else value)
    encoded = []
    for layer, blobs in layers.items():
        fields: list[wire.Field] = [(1, layer.encode())]
        for blob in blobs:
            shape = wire.encode(*((1, size) for size in blob.shape))
            fields.append((7, wire.encode((5, np.ascontiguousarray(blob, "<f4").tobytes()), (7, shape))))
        encoded.append((100, wire.encode(*fields)))
    return wire.encode(*encoded)


def test_caffe_is_read_with_its_head_turned_and_biases_of_0_where_it_has_none(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights, without_bias="conv2_1"))
    summary = convert.convert(tmp_path / "net.caffemodel", tmp_path / "net.ckpt")
    assert (summary.conv_bias, summary.classes) == (True, 5)
    expected = weights | {"conv2_1.bias": np.zeros(128, np.float32)}
    assert_same(checkpoint.read(tmp_path / "net.ckpt").weights, expected)


def test_the_command_says_what_it_converted(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "net.safetensors"
    assert cli.main(["convert", str(saved), str(target)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{target}: sphereface4a with biases in its convolutions, a head for 5 identities, ")


@pytest.mark.parametrize(("source", "target"), [("a.pkl", "b.ckpt"), ("a.ckpt", "b.caffemodel"), ("a", "b.ckpt")])
def test_unknown_formats_are_refused(tmp_path: Path, source: str, target: str) -> None:
    with pytest.raises(UnsupportedError, match=r"cannot be (read|written)"):
        convert.convert(tmp_path / source, tmp_path / target)


@pytest.mark.parametrize("suffix", [".pth", ".npz", ".safetensors", ".ckpt", ".caffemodel"])
@pytest.mark.parametrize("content", [None, b"", b"rubbish that is no weights at all" * 9])
def test_missing_and_damaged_files_are_named_and_nothing_is_written(
    tmp_path: Path, suffix: str, content: bytes | None
) -> None:
    source = tmp_path / f"net{suffix}"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"net\{suffix}: "):
        convert.convert(source, tmp_path / "out" / "net.ckpt")
    assert not (tmp_path / "out").exists()


def test_weights_of_another_network_are_refused(weights: Weights, tmp_path: Path) -> None:
    part: dict[str, Any] = {name: value for name, value in weights.items() if name != "conv3_1.weight"}
    np.savez(tmp_path / "part.npz", **part)
    with pytest.raises(CheckpointError, match=r"part\.npz: no SphereFace network"):
        convert.convert(tmp_path / "part.npz", tmp_path / "net.ckpt")
    assert not (tmp_path / "net.ckpt").exists()
