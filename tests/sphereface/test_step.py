from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops
from numpy.typing import NDArray

from sphereface import step
from sphereface.config import Config, resolve
from sphereface.step import AccumulatedStep, Loss, TrainStep

WEIGHT = np.array([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]], np.float32)
BIAS = np.array([0.1, -0.2], np.float32)
TARGET = np.array([[3.0], [-2.0]], np.float32)


class Linear(nn.Cell):  # type: ignore[misc]
    """Stands in for the network: x (B, 3) -> x W^T + b (B, 2)."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.weight = ms.Parameter(ms.Tensor(WEIGHT), name="fc5.weight")
        self.bias = ms.Parameter(ms.Tensor(BIAS), name="fc5.bias")
        self.multiply = ops.MatMul(transpose_b=True)
        self.add_bias = ops.BiasAdd()

    def construct(self, x: Any) -> Any:
        return self.add_bias(self.multiply(x, self.weight), self.bias)


class Sum(nn.Cell):  # type: ignore[misc]
    """Stands in for the head: the mean over the batch of embedding times target, which changes with annealing."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.weight = ms.Parameter(ms.Tensor(TARGET), name="fc6.weight")

    def construct(self, embeddings: Any, labels: Any, annealing: Any) -> Any:
        return ops.matmul(embeddings, self.weight).mean() * annealing + labels.sum() * 0


class Reference:
    """Momentum SGD as in Caffe, in numpy, for the two cells above."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.values = {"fc5.weight": WEIGHT.copy(), "fc5.bias": BIAS.copy(), "fc6.weight": TARGET.copy()}
        self.moments = {name: np.zeros_like(value) for name, value in self.values.items()}

    def __call__(self, x: NDArray[np.float32], rate: float, annealing: float) -> tuple[float, float]:
        weight, bias, target = self.values.values()
        y = x @ weight.T + bias
        mean = x.mean(0, keepdims=True)
        gradients = {
            "fc5.weight": target @ mean * annealing,
            "fc5.bias": target[:, 0] * annealing,
            "fc6.weight": y.mean(0)[:, None] * annealing,
        }
        norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients.values())))
        clip = self.config.clip_grad_norm
        factor = min(1.0, clip / norm) if clip else 1.0
        loss = float((y @ target).mean() * annealing)
        for name, gradient in gradients.items():
            decay = self.config.weight_decay if name.endswith("weight") else 0.0
            total = gradient * factor + decay * self.values[name]
            self.moments[name] = self.config.momentum * self.moments[name] + total
            self.values[name] = self.values[name] - rate * self.moments[name]
        return loss, norm


@pytest.fixture
def build() -> Callable[[Config], tuple[TrainStep, Loss]]:
    def make(config: Config) -> tuple[TrainStep, Loss]:
        loss = Loss(Linear(), Sum(), config.amp)
        return TrainStep(loss, config, size=1), loss

    return make


def call(
    train_step: TrainStep | AccumulatedStep, x: NDArray[np.float32], rate: float, annealing: float, stop: float = 0.0
) -> list[float]:
    labels = ms.Tensor(np.zeros(len(x), np.int32))
    scalars = [ms.Tensor(value, ms.float32) for value in (rate, annealing, stop)]
    return [float(value.asnumpy()) for value in train_step(ms.Tensor(x), labels, *scalars)]


def test_steps_are_those_of_momentum_sgd(build: Callable[[Config], tuple[TrainStep, Loss]]) -> None:
    config = resolve(None, {"momentum": 0.9, "weight_decay": 0.01, "clip_grad_norm": 4})
    train_step, cells = build(config)
    reference = Reference(config)
    generator = np.random.default_rng(0)
    norms = []
    for rate, annealing in ((0.1, 1.0), (0.05, 0.1), (0.2, 3.0)):
        x = generator.standard_normal((4, 3), np.float32)
        loss, norm, stop = call(train_step, x, rate, annealing, stop=1.0)
        np.testing.assert_allclose((loss, norm), reference(x, rate, annealing), rtol=1e-5)
        norms.append(norm)
        assert stop == 1.0
    assert min(norms) < 4 < max(norms)  # with and without clipping
    for parameter, moment in zip(cells.trainable_params(), train_step.moments, strict=True):
        np.testing.assert_allclose(parameter.asnumpy(), reference.values[parameter.name], rtol=1e-5)
        np.testing.assert_allclose(moment.asnumpy(), reference.moments[parameter.name], rtol=1e-5)
        assert moment.name == f"moments.{parameter.name}"

    before = [value.asnumpy() for value in (*cells.trainable_params(), *train_step.moments)]
    loss, norm, _ = call(train_step, np.full((4, 3), np.nan, np.float32), 0.1, 1.0)
    assert not np.isfinite(norm)
    for value, parameter in zip(before, (*cells.trainable_params(), *train_step.moments), strict=True):
        np.testing.assert_array_equal(value, parameter.asnumpy())


def test_the_loss_scale_of_amp_cancels(build: Callable[[Config], tuple[TrainStep, Loss]]) -> None:
    config = resolve(None, {"amp": True, "loss_scale": 256, "weight_decay": 0, "clip_grad_norm": 0})
    train_step, cells = build(config)
    reference = Reference(config)
    x = np.random.default_rng(0).standard_normal((4, 3), np.float32)
    loss, norm, _ = call(train_step, x, 0.1, 1.0)
    np.testing.assert_allclose((loss, norm), reference(x, 0.1, 1.0), rtol=5e-3)
    for parameter in cells.trainable_params():
        assert parameter.dtype == ms.float32
        np.testing.assert_allclose(parameter.asnumpy(), reference.values[parameter.name], rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize(("count", "amp", "rtol"), [(2, False, 1e-4), (8, False, 1e-4), (2, True, 5e-3)])
def test_micro_batches_are_one_step_of_their_mean(
    count: int, amp: bool, rtol: float, build: Callable[[Config], tuple[TrainStep, Loss]]
) -> None:
    config = resolve(None, {"weight_decay": 0.01, "clip_grad_norm": 4, "amp": amp, "accumulate_steps": count})
    cells = Loss(Linear(), Sum(), config.amp)
    accumulated = AccumulatedStep(cells, config, size=1)
    whole, whole_cells = build(config)
    generator = np.random.default_rng(0)

    def micro_batches(x: NDArray[np.float32], *scalars: float) -> list[float]:
        *first, last = np.split(x, count)
        for part in first:
            labels = ms.Tensor(np.zeros(len(part), np.int32))
            accumulated.add(ms.Tensor(part), labels, *(ms.Tensor(value, ms.float32) for value in (*scalars, 0.0)))
        return call(accumulated, last, scalars[0], scalars[1], stop=1.0)

    for number in range(12):
        if number == 6:  # passed over, and gone from the sums of the next step
            torn = np.ones((4 * count, 3), np.float32)
            torn[0] = np.inf
            assert not np.isfinite(micro_batches(torn, 0.1, 1.0)[0])
        x = generator.standard_normal((4 * count, 3), np.float32)
        found, expected = micro_batches(x, 0.05, 0.5), call(whole, x, 0.05, 0.5, stop=1.0)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol / 10)
    both = zip(
        (*cells.trainable_params(), *accumulated.moments),
        (*whole_cells.trainable_params(), *whole.moments),
        strict=True,
    )
    for one, other in both:
        assert one.name == other.name
        np.testing.assert_allclose(one.asnumpy(), other.asnumpy(), rtol=rtol, atol=rtol / 10)


def test_only_weights_decay() -> None:
    config = resolve(None, {"weight_decay": 0.5})
    names = ("conv1_1.weight", "fc5.weight", "fc6.weight", "conv1_1.bias", "fc5.bias", "relu1_1.w")
    assert [step.weight_decay(name, config) for name in names] == [0.5, 0.5, 0.5, 0, 0, 0]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3], ((0, 1),)),
        ([3, 3, 3], ((0, 3),)),
        ([6, 5, 4], ((0, 1), (1, 3))),
        ([20, 1, 1, 20], ((0, 1), (1, 3), (3, 4))),
        ([10, 1], ((0, 1), (1, 2))),
    ],
)
def test_buckets_cover_the_gradients_in_order(
    counts: list[int], expected: tuple[tuple[int, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "BUCKET", 10)
    assert step._buckets(counts) == expected
