"""Margin losses on a classification head, behind one interface.

Sources, with theta the angle between an embedding x and the class weight W_y, s the scale and m the margin:

- asoftmax: Liu et al., "SphereFace", CVPR 2017. The logits are |x| cos(theta); the target's is
  |x| (lambda cos(theta) + phi(theta)) / (1 + lambda), phi(theta) = (-1)^k cos(m theta) - 2k, k = floor(m theta / pi),
  m = 1..4. lambda falls during training (see `annealing`).
- sphereface_r_v1, sphereface_r_v2: Liu et al., "SphereFace Revived: Unifying Hyperspherical Face Recognition", TPAMI
  2022, with hard feature normalisation and with the characteristic gradient detachment of that paper (the gradient
  goes through the plain cosine only); reference implementation OpenSphere, `SphereFaceR_H`. The logits are
  s cos(theta), but v1 has the target's s cos(min(m theta, pi)), and v2 has all others' s cos(theta / m).
- cosface: Wang et al., "CosFace", CVPR 2018. The target's logit is s (cos(theta) - m).
- arcface: Deng et al., "ArcFace", CVPR 2019. The target's logit is s cos(theta + m); where theta + m passes pi, it is
  s (cos(theta) - m sin(m)), as in InsightFace, so that it goes on falling.

Only the target's margin is computed, never that of all N classes. The margin belongs to the label itself; label
smoothing is in the cross-entropy alone, which aims at 1 - f for the label and f / (N - 1) for every other class (the
zoo's form).
"""

from __future__ import annotations

import math
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor, nn, ops

from sphereface.config import Config
from sphereface.errors import ConfigError
from sphereface.model import EMBEDDING

_DEFAULTS = {
    "asoftmax": (4.0, 0.0),
    "sphereface_r_v1": (1.5, 30.0),
    "sphereface_r_v2": (1.4, 30.0),
    "cosface": (0.35, 64.0),
    "arcface": (0.5, 64.0),
}
"""Margin and scale of each loss where the configuration has 0: the paper's, and OpenSphere's for SphereFace-R.

Scale 0: the length of the embedding.
"""

_TINY = 1e-8  # added to squared norms: a zero embedding has cosine 0 and a finite gradient
_SIN2_MIN = 1e-6  # smallest sin^2 under a root: its slope stays finite at cos = 1 and -1


def annealing(config: Config, step: int) -> float:
    """lambda of A-Softmax at `step` (0-based over the whole run); 0 for the other losses, which have none.

    max(lambda_min, base * (1 + gamma * step) ** -power): "zoo" is 1500, 0.1, 1, minimum 5 (the MindSpore model zoo and
    the PyTorch port), "caffe" is 1000, 0.12, 1, minimum 5 (the authors' prototxt), "custom" takes the lambda_ keys.
    """
    if config.margin != "asoftmax":
        return 0.0
    base, gamma, power, minimum = {
        "zoo": (1500.0, 0.1, 1.0, 5.0),
        "caffe": (1000.0, 0.12, 1.0, 5.0),
        "custom": (config.lambda_base, config.lambda_gamma, config.lambda_power, config.lambda_min),
    }[config.lambda_preset]
    return float(max(minimum, base * (1 + gamma * step) ** -power))


def margin_and_scale(config: Config) -> tuple[float, float]:
    """m and s of the loss; s is 0 where the length of the embedding is the scale."""
    m, s = _DEFAULTS[config.margin]
    return config.margin_m or m, config.margin_s or s


def initial_head(num_classes: int, seed: int) -> npt.NDArray[np.float32]:
    """(512, N) float32: uniform in -1..1, then each column scaled to length 1."""
    random = np.random.default_rng([seed, 1])
    weight = random.random((EMBEDDING, num_classes), np.float32) * 2 - 1
    weight /= np.linalg.norm(weight, axis=0)
    return weight


class Head(nn.Cell):  # type: ignore[misc]  # mindspore has no types
    """The classification head and its loss, in float32 whatever the embeddings are.

    construct(embeddings (B, 512), labels (B,) int32, annealing () float32) -> mean loss, () float32. Its parameter is
    `fc6.weight` (512, N), drawn from config.seed; its columns count as normalised whatever their lengths.
    Raises ConfigError for fewer than two classes.
    """

    def __init__(self, config: Config, num_classes: int) -> None:
        super().__init__(auto_prefix=False)
        if num_classes < 2:
            raise ConfigError(f"training needs at least 2 classes, not {num_classes}")
        m, self.scale = margin_and_scale(config)
        self.weight = Parameter(Tensor(initial_head(num_classes, config.seed)), name="fc6.weight")
        self.margin = _MARGINS[config.margin](m)
        self.others = _Narrowed(m) if config.margin == "sphereface_r_v2" else None
        smooth = config.smooth_factor if config.label_smooth else 0.0
        self.off = smooth / (num_classes - 1)
        self.on_above_off = 1.0 - smooth - self.off
        self.num_classes = num_classes
        self.cross_entropy = ops.SoftmaxCrossEntropyWithLogits()

    def construct(self, embeddings: Any, labels: Any, annealing: Any) -> Any:
        x = embeddings.astype(ms.float32)
        length = ops.sqrt((x * x).sum(axis=1, keepdims=True) + _TINY)
        weight_length = ops.sqrt((self.weight * self.weight).sum(axis=0, keepdims=True) + _TINY)
        logits = ops.matmul(x, self.weight) / weight_length  # |x| cos(theta)
        is_label = ops.one_hot(labels, self.num_classes, 1.0, 0.0)
        cosine = ops.clamp((logits * is_label).sum(axis=1, keepdims=True) / length, -1.0, 1.0)
        scale = length
        if self.scale > 0:
            scale = self.scale
            logits = logits * (scale / length)
        if self.others is not None:
            logits = scale * self.others(ops.clamp(logits / scale, -1.0, 1.0))
        target = scale * (annealing * cosine + self.margin(cosine)) / (1 + annealing)
        logits = logits + is_label * (target - logits)
        loss, _ = self.cross_entropy(logits, is_label * self.on_above_off + self.off)
        return loss.mean()


class _Margin(nn.Cell):  # type: ignore[misc]
    """construct(cos(theta), in -1..1) -> what stands in its place in the label's logit, the scale left out."""

    def __init__(self, m: float) -> None:
        super().__init__(auto_prefix=False)
        self.m = m


class _ASoftmax(_Margin):
    def construct(self, cosine: Any) -> Any:
        multiple = cosine  # cos(m theta) as Chebyshev polynomial of cos(theta), so that no arccos is needed
        if self.m == 2:
            multiple = 2 * cosine * cosine - 1
        elif self.m == 3:
            multiple = (4 * cosine * cosine - 3) * cosine
        elif self.m == 4:
            square = cosine * cosine
            multiple = 8 * (square * square - square) + 1
        k = ops.zeros_like(cosine)
        for j in range(1, int(self.m)):
            k = k + (cosine <= math.cos(math.pi * j / self.m)).astype(ms.float32)  # theta >= j pi / m
        k = ops.stop_gradient(k)
        return (1 - 2 * (k % 2)) * multiple - 2 * k


class _Widened(_Margin):
    """cos(min(m theta, pi)), its gradient that of cos(theta)."""

    def construct(self, cosine: Any) -> Any:
        wide = ops.cos(ops.minimum(self.m * ops.acos(cosine), math.pi))
        return cosine + ops.stop_gradient(wide - cosine)


class _Narrowed(_Margin):
    """cos(theta / m), its gradient that of cos(theta)."""

    def construct(self, cosine: Any) -> Any:
        return cosine + ops.stop_gradient(ops.cos(ops.acos(cosine) / self.m) - cosine)


class _Unchanged(_Margin):
    def construct(self, cosine: Any) -> Any:
        return cosine


class _CosFace(_Margin):
    def construct(self, cosine: Any) -> Any:
        return cosine - self.m


class _ArcFace(_Margin):
    def construct(self, cosine: Any) -> Any:
        sine = ops.sqrt(ops.maximum(1 - cosine * cosine, _SIN2_MIN))
        turned = cosine * math.cos(self.m) - sine * math.sin(self.m)
        passed = cosine <= math.cos(math.pi - self.m)
        return ops.where(passed, cosine - self.m * math.sin(self.m), turned)


_MARGINS: dict[str, type[_Margin]] = {
    "asoftmax": _ASoftmax,
    "sphereface_r_v1": _Widened,
    "sphereface_r_v2": _Unchanged,  # its margin is in the other classes
    "cosface": _CosFace,
    "arcface": _ArcFace,
}
