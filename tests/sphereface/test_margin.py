"""Each loss against the formula of its paper in float64, with arccos, and its gradient against finite differences."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn, ops

from sphereface.config import MARGINS, Config
from sphereface.errors import ConfigError
from sphereface.margin import Head, annealing, initial_head, margin_and_scale

Array = np.ndarray[Any, Any]
CLASSES, BATCH = 7, 24
LAMBDA = 5.0
CASES = [
    ("asoftmax", 1.0),
    ("asoftmax", 2.0),
    ("asoftmax", 3.0),
    ("asoftmax", 4.0),
    ("sphereface_r_v1", 1.5),
    ("sphereface_r_v2", 1.4),
    ("cosface", 0.35),
    ("arcface", 0.5),
]


class Evaluate(nn.Cell):  # type: ignore[misc]
    """(embeddings, labels, annealing) -> loss, gradient of the embeddings, gradient of the class weights."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.gradient = ops.value_and_grad(head, 0, ms.ParameterTuple(head.trainable_params()))

    def construct(self, embeddings: Any, labels: Any, annealing: Any) -> Any:
        loss, (of_embeddings, of_weights) = self.gradient(embeddings, labels, annealing)
        return loss, of_embeddings, of_weights[0]


@functools.cache
def compiled(margin: str, m: float) -> tuple[Head, Evaluate]:
    head = Head(Config(margin=margin, margin_m=m), CLASSES)
    return head, Evaluate(head)


def evaluate(margin: str, m: float, x: Array, w: Array, labels: Array) -> tuple[float, Array, Array]:
    head, cell = compiled(margin, m)
    head.weight.set_data(Tensor(w.astype(np.float32)))
    weight = LAMBDA if margin == "asoftmax" else 0.0
    loss, of_x, of_w = cell(Tensor(x.astype(np.float32)), Tensor(labels), Tensor(weight, ms.float32))
    return float(loss.asnumpy()), of_x.asnumpy(), of_w.asnumpy()


def random_case(seed: int = 0) -> tuple[Array, Array, Array]:
    """Embeddings whose angles to their class cover 0..pi, class weights of any length, labels."""
    random = np.random.default_rng(seed)
    w = random.standard_normal((512, CLASSES)) * random.uniform(0.5, 2, CLASSES)
    labels = random.integers(0, CLASSES, BATCH).astype(np.int32)
    toward = (w / np.linalg.norm(w, axis=0)).T[labels]
    away = random.standard_normal((BATCH, 512))
    away -= (away * toward).sum(1, keepdims=True) * toward
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    theta = np.linspace(0.1, math.pi - 0.1, BATCH)[:, None]
    return (np.cos(theta) * toward + np.sin(theta) * away) * random.uniform(2, 9, (BATCH, 1)), w, labels


def reference(
    margin: str, m: float, labels: Array, detached_at: tuple[Array, Array]
) -> Callable[[Array, Array], float]:
    """The loss in float64 as a function of embeddings and class weights.

    SphereFace-R passes its gradient through the plain cosine only, so there what the margin adds to the cosine is
    computed at `detached_at` and stays as it is.
    """
    rows = np.arange(BATCH)
    s = margin_and_scale(Config(margin=margin))[1]

    def angles(x: Array, w: Array) -> Array:
        cosine = x @ w / np.linalg.norm(x, axis=1, keepdims=True) / np.linalg.norm(w, axis=0)
        angle: Array = np.arccos(cosine)
        return angle

    def with_margin(theta: Array) -> Array:
        out = np.cos(theta)
        t = theta[rows, labels]
        if margin == "asoftmax":
            k = np.floor(m * t / math.pi)
            phi = (-1) ** k * np.cos(m * t) - 2 * k
            out[rows, labels] = (LAMBDA * np.cos(t) + phi) / (1 + LAMBDA)
        elif margin == "sphereface_r_v1":
            out[rows, labels] = np.cos(np.minimum(m * t, math.pi))
        elif margin == "sphereface_r_v2":
            out = np.cos(theta / m)
            out[rows, labels] = np.cos(t)
        elif margin == "cosface":
            out[rows, labels] = np.cos(t) - m
        else:
            out[rows, labels] = np.where(t + m < math.pi, np.cos(t + m), np.cos(t) - m * math.sin(m))
        return out

    base = angles(*detached_at)
    offset = with_margin(base) - np.cos(base)

    def loss(x: Array, w: Array) -> float:
        theta = angles(x, w)
        cosines = np.cos(theta) + offset if margin.startswith("sphereface_r") else with_margin(theta)
        logits = cosines * (s or np.linalg.norm(x, axis=1, keepdims=True))
        smooth = Config().smooth_factor
        aim = np.full(logits.shape, smooth / (CLASSES - 1))
        aim[rows, labels] = 1 - smooth
        log_probability = logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        log_probability -= logits.max(1, keepdims=True)
        return float(-(aim * log_probability).sum(1).mean())

    return loss


@pytest.mark.parametrize(("margin", "m"), CASES)
def test_loss_is_the_papers(margin: str, m: float) -> None:
    x, w, labels = random_case()
    loss, _, _ = evaluate(margin, m, x, w, labels)
    assert loss == pytest.approx(reference(margin, m, labels, (x, w))(x, w), rel=2e-5)


@pytest.mark.parametrize(("margin", "m"), CASES)
def test_gradient_agrees_with_finite_differences(margin: str, m: float) -> None:
    x, w, labels = random_case()
    _, of_x, of_w = evaluate(margin, m, x, w, labels)
    loss = reference(margin, m, labels, (x, w))
    random = np.random.default_rng(2)
    h = 1e-4
    for row in range(BATCH):
        step = np.zeros_like(x)
        step[row] = random.standard_normal(512)
        slope = (loss(x + h * step, w) - loss(x - h * step, w)) / (2 * h)
        assert (of_x * step).sum() == pytest.approx(slope, rel=2e-3, abs=2e-4 * np.abs(of_x).max() * 20)
    for column in range(CLASSES):
        step = np.zeros_like(w)
        step[:, column] = random.standard_normal(512)
        slope = (loss(x, w + h * step) - loss(x, w - h * step)) / (2 * h)
        assert (of_w * step).sum() == pytest.approx(slope, rel=2e-3, abs=2e-4 * np.abs(of_w).max() * 20)


@pytest.mark.parametrize(("margin", "m"), CASES)
def test_extremes_are_finite(margin: str, m: float) -> None:
    """cos(theta) = 1 and -1 to the label's class and to another, an embedding of zeros, tiny and huge ones."""
    _, w, labels = random_case()
    toward = (w / np.linalg.norm(w, axis=0)).T
    x = 3 * toward[labels]
    x[1::8] *= -1
    x[2::8] = 5 * toward[(labels[2::8] + 1) % CLASSES]
    x[3::8] = -x[2::8]
    x[4::8] = 0
    x[5::8] *= 1e-20
    x[6::8] *= 1e10 if margin != "asoftmax" else 1e4
    loss, of_x, of_w = evaluate(margin, m, x, w, labels)
    assert math.isfinite(loss)
    assert np.isfinite(of_x).all()
    assert np.isfinite(of_w).all()


@pytest.mark.parametrize(("margin", "m"), CASES)
def test_margin_never_makes_the_target_easier(margin: str, m: float) -> None:
    x, w, labels = random_case(3)
    with_margin = evaluate(margin, m, x, w, labels)[0]
    s = margin_and_scale(Config(margin=margin))[1] or np.linalg.norm(x, axis=1, keepdims=True)
    logits = s * (x @ w / np.linalg.norm(x, axis=1, keepdims=True) / np.linalg.norm(w, axis=0))
    aim = np.full(logits.shape, 0.15 / (CLASSES - 1))
    aim[np.arange(BATCH), labels] = 0.85
    top = logits.max(1, keepdims=True)
    plain = -(aim * (logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True)))).sum(1).mean()
    assert with_margin >= plain - 1e-4


def test_smoothing_leaves_the_margin_alone() -> None:
    """Without smoothing the loss is the hard label's; with it, the same logits meet softened labels."""
    x, w, labels = random_case()
    losses = []
    for smooth in (False, True):
        head = Head(Config(label_smooth=smooth, smooth_factor=0.3), CLASSES)
        head.weight.set_data(Tensor(w.astype(np.float32)))
        arguments = Tensor(x.astype(np.float32)), Tensor(labels), Tensor(0.0, ms.float32)
        losses.append(float(head(*arguments).asnumpy()))
    theta = np.arccos(x @ w / np.linalg.norm(x, axis=1, keepdims=True) / np.linalg.norm(w, axis=0))
    rows = np.arange(BATCH)
    t = theta[rows, labels]
    k = np.floor(4 * t / math.pi)
    cosines = np.cos(theta)
    cosines[rows, labels] = (-1) ** k * np.cos(4 * t) - 2 * k
    logits = cosines * np.linalg.norm(x, axis=1, keepdims=True)
    log_probability = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    hard = -log_probability[rows, labels]
    others = -(log_probability.sum(1) + hard) / (CLASSES - 1)
    assert losses[0] == pytest.approx(hard.mean(), rel=2e-5)
    assert losses[1] == pytest.approx((0.7 * hard + 0.3 * others).mean(), rel=2e-5)


def test_float16_embeddings_give_a_float32_loss() -> None:
    x, _, labels = random_case()
    head, _ = compiled("asoftmax", 4.0)
    loss = head(Tensor(x.astype(np.float16)), Tensor(labels), Tensor(0.0, ms.float32))
    assert loss.dtype == ms.float32


def test_head_starts_with_columns_of_length_one_drawn_from_the_seed() -> None:
    head = Head(Config(seed=5), 10)
    assert head.weight.name == "fc6.weight"
    assert head.weight.shape == (512, 10)
    value = head.weight.asnumpy()
    assert np.linalg.norm(value, axis=0) == pytest.approx(np.ones(10), rel=1e-5)
    assert np.array_equal(value, initial_head(10, 5))
    assert not np.array_equal(value, initial_head(10, 6))


def test_annealing_presets() -> None:
    assert annealing(Config(), 0) == 1500
    assert annealing(Config(), 10) == 750
    assert annealing(Config(), 2989) > 5
    assert annealing(Config(), 10**6) == 5
    assert annealing(Config(lambda_preset="caffe"), 0) == 1000
    assert annealing(Config(lambda_preset="caffe"), 100) == pytest.approx(1000 / 13)
    custom = Config(lambda_preset="custom", lambda_base=100, lambda_gamma=1, lambda_power=2, lambda_min=3)
    assert [annealing(custom, step) for step in (0, 1, 4, 9)] == [100, 25, 4, 3]
    assert annealing(Config(lambda_base=1), 0) == 1500


@pytest.mark.parametrize("margin", [name for name in MARGINS if name != "asoftmax"])
def test_only_asoftmax_is_annealed(margin: str) -> None:
    assert annealing(Config(margin=margin), 3) == 0


def test_one_class_is_no_choice() -> None:
    with pytest.raises(ConfigError, match="at least 2 classes, not 1"):
        Head(Config(), 1)
