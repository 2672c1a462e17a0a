"""The SphereFace networks: Liu et al., "SphereFace: Deep Hypersphere Embedding for Face Recognition", CVPR 2017.

Four stages of width 64, 128, 256 and 512. Each begins with a convolution of stride 2 and a PReLU, then come residual
units `x + prelu(conv(prelu(conv(x))))`; at the end a dense layer `fc5` makes the embedding. Every convolution is 3x3
with padding 1. Parameters are named as in the MindSpore model zoo: `conv{s}_{i}.weight`, `conv{s}_{i}.bias`,
`relu{s}_{i}.w`, `fc5.weight`, `fc5.bias`, with stage s = 1..4 and i = 1.. within the stage.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn, ops

from sphereface.errors import CheckpointError
from sphereface.prelu import PlainPReLU, PReLU

HEIGHT, WIDTH = 112, 96
EMBEDDING = 512
WIDTHS = (64, 128, 256, 512)
INITIAL_SLOPE = 0.25
FLAT = WIDTHS[-1] * (HEIGHT // 16) * (WIDTH // 16)

UNITS: Mapping[str, tuple[int, int, int, int]] = {
    "sphereface4a": (0, 0, 0, 0),
    "sphereface10a": (0, 1, 2, 0),
    "sphereface20a": (1, 2, 4, 1),
    "sphereface36a": (2, 4, 8, 2),
    "sphereface64a": (3, 8, 16, 3),
    "sphereface64a_caffe": (3, 7, 16, 3),
}
"""Residual units a stage: table 2 of the paper; `_caffe` is what the authors' released prototxt has for depth 64."""


def parameter_shapes(net: str, conv_bias: bool = False) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of the network `net` (a key of UNITS), in the order of the layers."""
    shapes: dict[str, tuple[int, ...]] = {}
    channels = 3
    for stage, (width, units) in enumerate(zip(WIDTHS, UNITS[net], strict=True), start=1):
        for i in range(1, 2 * units + 2):
            shapes[f"conv{stage}_{i}.weight"] = (width, channels, 3, 3)
            if conv_bias:
                shapes[f"conv{stage}_{i}.bias"] = (width,)
            shapes[f"relu{stage}_{i}.w"] = (width,)
            channels = width
    return shapes | {"fc5.weight": (EMBEDDING, FLAT), "fc5.bias": (EMBEDDING,)}


def describe(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, bool, int | None]:
    """The network, whether its convolutions have biases, and the number of classes that the shapes are of.

    The classes are None where `fc6.weight` (512, N) is absent. Names of other parameters are passed over.
    Raises CheckpointError if the shapes are not those of one network of UNITS, naming the first that differs.
    """
    convolutions = Counter(
        int(found[1]) for name in shapes if (found := re.fullmatch(r"conv([1-4])_\d+\.weight", name))
    )
    units = tuple((convolutions[stage] - 1) / 2 for stage in (1, 2, 3, 4))
    net = next((net for net, table in UNITS.items() if table == units), None)
    if net is None:
        counts = ", ".join(str(convolutions[stage]) for stage in (1, 2, 3, 4))
        raise CheckpointError(f"no SphereFace network: none has {counts} convolutions in stages 1, 2, 3, 4")
    conv_bias = any(re.fullmatch(r"conv\d_\d+\.bias", name) for name in shapes)
    for name, shape in parameter_shapes(net, conv_bias).items():
        if name not in shapes:
            raise CheckpointError(f"no whole {net}: parameter '{name}' is missing")
        if tuple(shapes[name]) != shape:
            raise CheckpointError(f"no {net}: parameter '{name}' has shape {tuple(shapes[name])} instead of {shape}")
    head = shapes.get("fc6.weight")
    if head is None:
        return net, conv_bias, None
    if len(head) != 2 or head[0] != EMBEDDING:
        raise CheckpointError(f"parameter 'fc6.weight' has shape {tuple(head)} instead of ({EMBEDDING}, classes)")
    return net, conv_bias, int(head[1])


def initial_values(net: str, conv_bias: bool, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Caffe's initial values, float32, the same for the same arguments on every machine and rank.

    Stride-2 convolutions and fc5 "xavier" (uniform, variance 1 / fan-in), stride-1 convolutions gaussian with standard
    deviation 0.01, PReLU slopes 0.25, biases 0: `sphereface_model.prototxt` of the authors.
    """
    random = np.random.default_rng([seed, 0])
    return {name: _initial(name, shape, random) for name, shape in parameter_shapes(net, conv_bias).items()}


def _initial(name: str, shape: tuple[int, ...], random: np.random.Generator) -> npt.NDArray[np.float32]:
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    if name.endswith(".w"):
        return np.full(shape, INITIAL_SLOPE, np.float32)
    if name.endswith("_1.weight") or name == "fc5.weight":
        limit = np.float32(np.sqrt(3 / np.prod(shape[1:])))
        return (random.random(shape, np.float32) * 2 - 1) * limit
    return random.standard_normal(shape, np.float32) * np.float32(0.01)


class SphereNet(nn.Cell):  # type: ignore[misc]  # mindspore has no types
    """Backbone: images (B, 3, 112, 96) float32 BGR, (pixel - 127.5) / 128, to embeddings (B, 512), not normalised.

    `net` is a key of UNITS; `seed` draws the initial values (see `initial_values`).
    """

    def __init__(self, net: str, conv_bias: bool = False, seed: int = 0) -> None:
        super().__init__(auto_prefix=False)
        self.net = net
        self.conv_bias = conv_bias
        values = initial_values(net, conv_bias, seed)
        parameters = {name: Parameter(Tensor(value), name=name) for name, value in values.items()}
        self.layers = _layers(net, parameters, PReLU)

    def construct(self, images: Any) -> Any:
        return self.layers(images)


def exportable(network: SphereNet) -> nn.Cell:
    """A network on the very parameters of `network`, of stock operators only, for MINDIR and ONNX (PRelu) files."""
    parameters = network.parameters_dict()
    return _layers(network.net, parameters, PlainPReLU).set_train(False)


def _layers(net: str, parameters: Mapping[str, Parameter], prelu: type[nn.Cell]) -> nn.Cell:
    def activated(stage: int, i: int) -> nn.Cell:
        convolution = f"conv{stage}_{i}"
        bias = parameters.get(f"{convolution}.bias")
        stride = 2 if i == 1 else 1
        relu = prelu(parameters[f"relu{stage}_{i}.w"])
        return _Activated(parameters[f"{convolution}.weight"], bias, stride, relu)

    layers = []
    for stage, units in enumerate(UNITS[net], start=1):
        layers.append(activated(stage, 1))
        layers += [_Residual(activated(stage, 2 * n), activated(stage, 2 * n + 1)) for n in range(1, units + 1)]
    layers.append(_Dense(parameters["fc5.weight"], parameters["fc5.bias"]))
    return _Chain(layers)


class _Chain(nn.Cell):  # type: ignore[misc]
    def __init__(self, layers: list[nn.Cell]) -> None:
        super().__init__(auto_prefix=False)
        self.layers = nn.CellList(layers, auto_prefix=False)

    def construct(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


class _Activated(nn.Cell):  # type: ignore[misc]
    """prelu(conv(x))."""

    def __init__(self, weight: Parameter, bias: Parameter | None, stride: int, prelu: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.weight = weight
        self.bias = bias
        self.convolution = ops.Conv2D(
            weight.shape[0], (3, 3), pad_mode="pad", pad=(1, 1, 1, 1), stride=(stride, stride)
        )
        self.add_bias = ops.BiasAdd()
        self.prelu = prelu

    def construct(self, x: Any) -> Any:
        x = self.convolution(x, self.weight)
        if self.bias is not None:
            x = self.add_bias(x, self.bias)
        return self.prelu(x)


class _Residual(nn.Cell):  # type: ignore[misc]
    def __init__(self, first: nn.Cell, second: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.first = first
        self.second = second

    def construct(self, x: Any) -> Any:
        return x + self.second(self.first(x))


class _Dense(nn.Cell):  # type: ignore[misc]
    """fc5: the last feature map, channel by channel, to the embedding."""

    def __init__(self, weight: Parameter, bias: Parameter) -> None:
        super().__init__(auto_prefix=False)
        self.weight = weight
        self.bias = bias
        self.multiply = ops.MatMul(transpose_b=True)
        self.add_bias = ops.BiasAdd()

    def construct(self, x: Any) -> Any:
        return self.add_bias(self.multiply(x.reshape(-1, FLAT), self.weight), self.bias)
