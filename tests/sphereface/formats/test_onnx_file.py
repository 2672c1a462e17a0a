from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from sphereface.formats import onnx_file

Array = npt.NDArray[Any]
SIZE = (32, 16)


def weights(units: list[int], bias: bool, seed: int = 0) -> dict[str, Array]:
    """A narrow network of the same shape: widths 2, 3, 4, 5."""
    rng = np.random.default_rng(seed)
    values: dict[str, Array] = {}
    channels = 3
    for stage, count in enumerate(units, start=1):
        for i in range(1, 2 * count + 2):
            values[f"conv{stage}_{i}.weight"] = rng.normal(size=(stage + 1, channels, 3, 3))
            if bias:
                values[f"conv{stage}_{i}.bias"] = rng.normal(size=stage + 1)
            values[f"relu{stage}_{i}.w"] = rng.normal(size=stage + 1)
            channels = stage + 1
    values["fc5.weight"] = rng.normal(size=(7, channels * SIZE[0] // 16 * SIZE[1] // 16))
    values["fc5.bias"] = rng.normal(size=7)
    return {name: value.astype(np.float32) for name, value in values.items()}


def convolved(x: Array, weight: Array, bias: Array | None, stride: int) -> Array:
    height, width = x.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    y: Array = np.zeros(())
    for i in range(3):
        for j in range(3):
            seen = padded[:, :, i : i + height : stride, j : j + width : stride]
            y = y + np.einsum("bchw,oc->bohw", seen, weight[:, :, i, j])
    return y if bias is None else y + bias[:, None, None]


def forward(images: Array, values: dict[str, Array], units: list[int]) -> Array:
    """The network written out in numpy, in float64."""
    exact = {name: value.astype(np.float64) for name, value in values.items()}

    def activated(x: Array, stage: int, i: int) -> Array:
        name = f"{stage}_{i}"
        y = convolved(x, exact[f"conv{name}.weight"], exact.get(f"conv{name}.bias"), 2 if i == 1 else 1)
        return np.where(y > 0, y, exact[f"relu{name}.w"][:, None, None] * y)

    x = images.astype(np.float64)
    for stage, count in enumerate(units, start=1):
        x = activated(x, stage, 1)
        for unit in range(1, count + 1):
            x = x + activated(activated(x, stage, 2 * unit), stage, 2 * unit + 1)
    return np.asarray(x.reshape(len(x), -1) @ exact["fc5.weight"].T + exact["fc5.bias"])


@pytest.mark.parametrize("prelu", [True, False])
@pytest.mark.parametrize(("units", "bias"), [([0, 0, 0, 0], False), ([1, 2, 0, 1], True)])
def test_onnx_runtime_computes_the_network_at_any_batch_size(
    tmp_path: Path, units: list[int], bias: bool, prelu: bool
) -> None:
    values = weights(units, bias)
    file = tmp_path / "net.onnx"
    onnx_file.write(file, values, units, SIZE, prelu=prelu)
    assert ("PRelu" in {node.op_type for node in onnx.load(file).graph.node}) is prelu
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        images = np.random.default_rng(batch).normal(size=(batch, 3, *SIZE)).astype(np.float32)
        (embeddings,) = session.run(None, {"images": images})
        np.testing.assert_allclose(embeddings, forward(images, values, units), rtol=1e-4, atol=1e-4)


def test_the_file_passes_the_checker_and_says_what_goes_in_and_out(tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    onnx_file.write(file, weights([0, 1, 0, 0], False), [0, 1, 0, 0], SIZE)
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 11)]
    shapes = {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"images": ["batch", 3, *SIZE], "embeddings": ["batch", 7]}


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        onnx_file.write(tmp_path / name, weights([0, 0, 0, 0], True), [0, 0, 0, 0], SIZE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
