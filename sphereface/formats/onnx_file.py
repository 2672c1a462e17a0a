"""Writing the network as an ONNX file whose batch size is free; MindSpore's own exporter knows fixed shapes only.

An ONNX file is a protobuf message; the few of its fields that are needed are numbered in `onnx.proto3` (IR version 6,
the one of operator set 11). Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sphereface.formats import wire

Array = npt.NDArray[np.float32]
Activation = Callable[[str, str, str], Iterator[bytes]]
"""Nodes from an input and a slope, both by name, to an output."""

INPUT, OUTPUT, BATCH = "images", "embeddings", "batch"
OPERATOR_SET, IR_VERSION = 11, 6

_FLOAT = 1  # TensorProto.DataType
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7  # AttributeProto.AttributeType


def write(
    path: Path, weights: Mapping[str, Array], units: Iterable[int], size: tuple[int, int], *, prelu: bool = True
) -> None:
    """Writes the network with `weights` (named as SphereNet's) and `units` residual units a stage.

    Input `images` float32 (batch, 3, *size), output `embeddings` float32 (batch, D). Without `prelu` its operator PRelu
    is written in plain ones, for readers that do not know it.
    """
    used: dict[str, Array] = {}
    nodes = list(_nodes(weights, units, used, _prelu if prelu else _plain_prelu))
    dimension = len(weights["fc5.bias"])
    graph = wire.encode(
        *((1, node) for node in nodes),
        (2, b"sphereface"),
        *((5, _tensor(name, value)) for name, value in used.items()),
        (11, _value_info(INPUT, (BATCH, 3, *size))),
        (12, _value_info(OUTPUT, (BATCH, dimension))),
    )
    operators = wire.encode((1, b""), (2, OPERATOR_SET))
    path.write_bytes(wire.encode((1, IR_VERSION), (2, b"sphereface"), (7, graph), (8, operators)))


def _nodes(
    weights: Mapping[str, Array], units: Iterable[int], used: dict[str, Array], prelu: Activation
) -> Iterator[bytes]:
    """The graph's nodes in order; the parameters they read are added to `used`."""

    def activated(source: str, stage: int, i: int) -> Iterator[bytes]:
        convolution, relu = f"conv{stage}_{i}", f"relu{stage}_{i}"
        inputs = [f"{convolution}.{part}" for part in ("weight", "bias") if f"{convolution}.{part}" in weights]
        used.update({name: weights[name] for name in inputs})
        used[f"{relu}.w"] = weights[f"{relu}.w"].reshape(-1, 1, 1)
        stride = 2 if i == 1 else 1
        sizes = {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1), "strides": (stride, stride)}
        yield _node("Conv", [source, *inputs], convolution, **sizes)
        yield from prelu(convolution, f"{relu}.w", relu)

    last = INPUT
    for stage, count in enumerate(units, start=1):
        yield from activated(last, stage, 1)
        last = f"relu{stage}_1"
        for unit in range(1, count + 1):
            yield from activated(last, stage, 2 * unit)
            yield from activated(f"relu{stage}_{2 * unit}", stage, 2 * unit + 1)
            yield _node("Add", [last, f"relu{stage}_{2 * unit + 1}"], f"sum{stage}_{unit}")
            last = f"sum{stage}_{unit}"
    used.update({name: weights[name] for name in ("fc5.weight", "fc5.bias")})
    yield _node("Flatten", [last], "flat", axis=1)
    yield _node("Gemm", ["flat", "fc5.weight", "fc5.bias"], OUTPUT, transB=1)


def _prelu(source: str, slope: str, output: str) -> Iterator[bytes]:
    yield _node("PRelu", [source, slope], output)


def _plain_prelu(source: str, slope: str, output: str) -> Iterator[bytes]:
    """max(x, 0) + slope * (x - max(x, 0))."""
    positive, negative, scaled = (f"{output}.{part}" for part in ("positive", "negative", "scaled"))
    yield _node("Relu", [source], positive)
    yield _node("Sub", [source, positive], negative)
    yield _node("Mul", [negative, slope], scaled)
    yield _node("Add", [positive, scaled], output)


def _node(operator: str, inputs: list[str], output: str, **attributes: int | tuple[int, ...]) -> bytes:
    fields: list[wire.Field] = [(1, name.encode()) for name in inputs]
    fields += [(2, output.encode()), (3, output.encode()), (4, operator.encode())]
    for name, value in attributes.items():
        if isinstance(value, int):
            fields.append((5, wire.encode((1, name.encode()), (3, value), (20, _ATTRIBUTE_INT))))
        else:
            fields.append((5, wire.encode((1, name.encode()), *((8, item) for item in value), (20, _ATTRIBUTE_INTS))))
    return wire.encode(*fields)


def _tensor(name: str, value: Array) -> bytes:
    data = np.ascontiguousarray(value, "<f4").tobytes()
    return wire.encode(*((1, size) for size in value.shape), (2, _FLOAT), (8, name.encode()), (9, data))


def _value_info(name: str, shape: tuple[Any, ...]) -> bytes:
    sizes = (wire.encode((2, size.encode()) if isinstance(size, str) else (1, size)) for size in shape)
    tensor = wire.encode((1, _FLOAT), (2, wire.encode(*((1, size) for size in sizes))))
    return wire.encode((1, name.encode()), (2, wire.encode((1, tensor))))
