from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from sphereface.config import NETS
from sphereface.errors import CheckpointError
from sphereface.model import (
    UNITS,
    SphereNet,
    describe,
    exportable,
    initial_values,
    parameter_shapes,
)

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def network() -> SphereNet:
    """Depth 10 with biases; its PReLU slopes and biases differ, so that a mix-up of any two shows."""
    network = SphereNet("sphereface10a", conv_bias=True, seed=3)
    random = np.random.default_rng(4)
    for parameter in network.get_parameters():
        if not parameter.name.endswith(".weight"):
            parameter.set_data(Tensor(random.standard_normal(parameter.shape, np.float32)))
    return network


@pytest.fixture(scope="module")
def images() -> Array:
    return np.random.default_rng(5).uniform(-1, 1, (2, 3, 112, 96)).astype(np.float32)


def count(net: str, part: str = "", conv_bias: bool = False) -> int:
    shapes = parameter_shapes(net, conv_bias)
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith(part))


def test_every_network_of_the_configuration_is_built() -> None:
    assert set(NETS) == set(UNITS)


def test_parameters_of_depth_20_by_kind() -> None:
    assert count("sphereface20a", "conv") == 11_650_752
    assert count("sphereface20a", "relu") == 4_672
    assert count("sphereface20a", "fc5") == 11_010_560
    assert count("sphereface20a", "conv", conv_bias=True) == 11_650_752 + 4_672


@pytest.mark.parametrize(
    ("net", "millions"),
    [
        ("sphereface4a", 12.56),
        ("sphereface10a", 15.22),
        ("sphereface20a", 22.67),
        ("sphereface36a", 32.78),
        ("sphereface64a", 48.20),
    ],
)
def test_parameters_and_convolutions_of_every_depth(net: str, millions: float) -> None:
    assert round(count(net, conv_bias=True) / 1e6, 2) == millions
    convolutions = [name for name in parameter_shapes(net) if name.startswith("conv")]
    assert net == f"sphereface{len(convolutions)}a"


def test_names_are_those_of_the_zoo() -> None:
    assert list(parameter_shapes("sphereface4a", conv_bias=True)) == [
        *(f"{kind}" for s in (1, 2, 3, 4) for kind in (f"conv{s}_1.weight", f"conv{s}_1.bias", f"relu{s}_1.w")),
        "fc5.weight",
        "fc5.bias",
    ]
    assert "conv3_9.weight" in parameter_shapes("sphereface20a")
    assert "conv3_10.weight" not in parameter_shapes("sphereface20a")


def test_network_has_the_parameters_of_the_table(network: SphereNet) -> None:
    built = {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
    assert built == parameter_shapes("sphereface10a", conv_bias=True)
    assert len(network.trainable_params()) == len(built)


def test_output_equals_a_plain_numpy_network(network: SphereNet, images: Array) -> None:
    values = {parameter.name: parameter.asnumpy().astype(np.float64) for parameter in network.get_parameters()}
    expected = forward(values, images)
    assert np.abs(network(Tensor(images)).asnumpy() - expected).max() < 1e-4 * np.abs(expected).max()


def forward(values: dict[str, Array], images: Array) -> Array:
    """Depth 10 in float64, written out from the paper's description."""

    def layer(x: Array, name: str, stride: int) -> Array:
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        height, width = x.shape[2] // stride, x.shape[3] // stride
        y = np.zeros((len(x), len(values[f"conv{name}.bias"]), height, width))
        for i in range(3):
            for j in range(3):
                shifted = padded[:, :, i::stride, j::stride][:, :, :height, :width]
                y += np.einsum("bchw,oc->bohw", shifted, values[f"conv{name}.weight"][:, :, i, j], optimize=True)
        y += values[f"conv{name}.bias"].reshape(1, -1, 1, 1)
        return np.where(y > 0, y, y * values[f"relu{name}.w"].reshape(1, -1, 1, 1))

    x = layer(images.astype(np.float64), "1_1", 2)
    x = layer(x, "2_1", 2)
    x = x + layer(layer(x, "2_2", 1), "2_3", 1)
    x = layer(x, "3_1", 2)
    x = x + layer(layer(x, "3_2", 1), "3_3", 1)
    x = x + layer(layer(x, "3_4", 1), "3_5", 1)
    x = layer(x, "4_1", 2)
    flat: Array = x.reshape(len(x), -1) @ values["fc5.weight"].T + values["fc5.bias"]
    return flat


def test_initial_values_are_those_of_caffe() -> None:
    values = initial_values("sphereface10a", True, seed=0)
    for name, shape in parameter_shapes("sphereface10a", True).items():
        value = values[name]
        assert value.dtype == np.float32
        assert value.shape == shape
        if name.endswith(".bias"):
            assert not value.any()
        elif name.endswith(".w"):
            assert (value == 0.25).all()
        elif name.endswith("_1.weight") or name.startswith("fc5"):
            limit = np.sqrt(3 / np.prod(shape[1:]))
            assert np.abs(value).max() <= limit
            assert value.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
        else:
            assert value.std() == pytest.approx(0.01, rel=0.02)
            assert abs(value.mean()) < 1e-3


def test_initial_values_depend_on_the_seed_alone() -> None:
    first, again, other = (initial_values("sphereface4a", False, seed) for seed in (7, 7, 8))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["conv1_1.weight"], other["conv1_1.weight"])


@pytest.mark.parametrize("conv_bias", [False, True])
@pytest.mark.parametrize("net", NETS)
def test_shapes_tell_the_network(net: str, conv_bias: bool) -> None:
    shapes = parameter_shapes(net, conv_bias)
    assert describe(shapes) == (net, conv_bias, None)
    assert describe({**shapes, "fc6.weight": (512, 10574), "global_step": (1,)}) == (net, conv_bias, 10574)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv3_9.weight": None}, "none has 3, 5, 8, 3 convolutions"),
        ({"relu2_2.w": None}, "parameter 'relu2_2.w' is missing"),
        ({"fc5.bias": (256,)}, r"'fc5.bias' has shape \(256,\) instead of \(512,\)"),
        ({"conv1_1.bias": (64,)}, "parameter 'conv1_2.bias' is missing"),
        ({"fc6.weight": (10574, 512)}, r"'fc6.weight' has shape \(10574, 512\)"),
    ],
)
def test_other_shapes_are_refused(change: dict[str, tuple[int, ...] | None], message: str) -> None:
    changed = {**parameter_shapes("sphereface20a"), **change}
    with pytest.raises(CheckpointError, match=message):
        describe({name: shape for name, shape in changed.items() if shape is not None})


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(CheckpointError, match="no SphereFace network: none has 0, 0, 0, 0 convolutions"):
        describe({})


def test_exportable_network_shares_the_parameters(network: SphereNet, images: Array) -> None:
    form = exportable(network)
    assert form.parameters_dict().keys() == network.parameters_dict().keys()
    assert np.array_equal(form(Tensor(images)).asnumpy(), network(Tensor(images)).asnumpy())


def test_onnx_and_mindir_give_the_same_embeddings(network: SphereNet, images: Array, tmp_path: Path) -> None:
    import cv2
    import onnx
    import onnxruntime

    expected = network(Tensor(images)).asnumpy()
    scale = np.abs(expected).max()
    for file_format in ("ONNX", "MINDIR"):
        ms.export(exportable(network), Tensor(images[:1]), file_name=str(tmp_path / "net"), file_format=file_format)
    file = str(tmp_path / "net.onnx")

    assert [node.op_type for node in onnx.load(file).graph.node].count("PRelu") == 10
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    from_runtime = session.run(None, {session.get_inputs()[0].name: images[:1]})[0]
    opencv = cv2.dnn.readNetFromONNX(file)
    opencv.setInput(images[:1])
    mindir = ms.nn.GraphCell(ms.load(str(tmp_path / "net.mindir")))
    for output in (from_runtime, opencv.forward(), mindir(Tensor(images[:1])).asnumpy()):
        assert np.abs(output - expected[:1]).max() < 1e-4 * scale
