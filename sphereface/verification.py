"""Face verification: are two images of the same person? The published LFW protocols, ROC and thresholds. Numpy only.

A protocol is three things: how the score of a pair is made of embeddings, which thresholds are tried, and which of
several equally good ones is taken. Each fold is judged with the threshold that is best on all other folds.

`zoo`          MindSpore model zoo `eval.py`, after clcarwin/sphereface_pytorch `lfw_eval.py`
`paper`        Liu et al., SphereFace (CVPR 2017), section 4.3; wy1iu/sphereface `test/code/evaluation.m`
`insightface`  deepinsight/insightface `recognition/arcface_torch/eval/verification.py`
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sphereface.errors import DataError

Floats = npt.NDArray[np.float64]
Embeddings = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
"""False accept rates at which the true accept rate and the threshold are reported."""


@dataclass(frozen=True)
class PairSet:
    """Which images are compared: `left`, `right` (P,) index embeddings, `same` (P,) the truth, `fold` (P,) any ids."""

    left: Indices
    right: Indices
    same: Flags
    fold: Indices

    def __len__(self) -> int:
        return len(self.same)

    @property
    def folds(self) -> Indices:
        return np.asarray(np.unique(self.fold))


@dataclass(frozen=True)
class Protocol:
    """A named way to judge.

    `scores(pairs, embeddings, flipped, training)` gives (P,) scores, where `training` (P,) marks the pairs that may be
    looked at to prepare them. A pair is called same if its score is above the threshold, or, where `distance` is true,
    below it. `ties` says which of the equally good `thresholds` is taken. With `strict`, a score equal to the
    threshold is wrong whatever the truth (as in `evaluation.m`).
    """

    name: str
    needs_flip: bool
    distance: bool
    thresholds: Floats
    ties: Literal["first", "last", "mean"]
    strict: bool
    per_fold: bool  # scores depend on the training folds
    scores: Callable[[PairSet, Embeddings, Embeddings, Flags], Floats]


@dataclass(frozen=True)
class Judgement:
    """What a protocol says: means over folds, population deviation, each fold's values, and the score of every pair.

    Where scores depend on the training folds, a pair's score is the one it was judged by (as a test pair).
    """

    protocol: Protocol
    accuracy: float
    std: float
    threshold: float
    fold_accuracy: Floats
    fold_threshold: Floats
    correct: int
    scores: Floats

    @property
    def similarities(self) -> Floats:
        """Scores turned so that larger means more alike."""
        return -self.scores if self.protocol.distance else self.scores

    def to_score(self, similarity: float) -> float:
        return -similarity if self.protocol.distance else similarity


@dataclass(frozen=True)
class Roc:
    """`far`, `tar` (T,) ascending, at `thresholds` (T,) descending: accepted is a similarity above the threshold."""

    far: Floats
    tar: Floats
    thresholds: Floats


@dataclass(frozen=True)
class OperatingPoint:
    """The lowest threshold whose false accept rate on these pairs is at most `far`; accepted is strictly above it."""

    far: float
    threshold: float
    measured_far: float
    tar: float


def judge(protocol: str, pairs: PairSet, embeddings: Embeddings, flipped: Embeddings | None = None) -> Judgement:
    """Judges pairs by a named protocol.

    `embeddings` (N, D) of the images, `flipped` (N, D) of the mirrored images where the protocol needs them.
    Raises DataError for fewer than two folds, pairs of one kind only, or embeddings that are not finite.
    """
    rule = PROTOCOLS[protocol]
    if rule.needs_flip and flipped is None:
        raise ValueError(f"protocol {protocol} needs the embeddings of mirrored images")
    mirrored = embeddings if flipped is None else flipped
    _check(pairs, (embeddings, mirrored))
    folds = pairs.folds
    scores = np.empty(len(pairs))
    accuracy, threshold, correct = np.empty(len(folds)), np.empty(len(folds)), 0
    everything = None if rule.per_fold else rule.scores(pairs, embeddings, mirrored, np.ones(len(pairs), bool))
    for number, fold in enumerate(folds):
        test = pairs.fold == fold
        fold_scores = rule.scores(pairs, embeddings, mirrored, ~test) if everything is None else everything
        best = best_threshold(rule, fold_scores[~test], pairs.same[~test])
        right = int(correct_at(rule, fold_scores[test], pairs.same[test], np.array([best]))[0])
        accuracy[number], threshold[number] = right / test.sum(), best
        scores[test] = fold_scores[test]
        correct += right
    means = float(accuracy.mean()), float(accuracy.std()), float(threshold.mean())
    return Judgement(rule, *means, accuracy, threshold, correct, scores)


def best_threshold(rule: Protocol, scores: Floats, same: Flags) -> float:
    """The threshold of the protocol's grid with the most correct pairs, ties as the protocol breaks them."""
    correct = correct_at(rule, scores, same, rule.thresholds)
    best = rule.thresholds[correct == correct.max()]
    return float({"first": best[0], "last": best[-1], "mean": best.mean()}[rule.ties])


def correct_at(rule: Protocol, scores: Floats, same: Flags, thresholds: Floats) -> npt.NDArray[np.intp]:
    """Correctly judged pairs (T,) at each threshold, by position among the sorted scores instead of T comparisons."""
    alike, different = np.sort(scores[same]), np.sort(scores[~same])
    if rule.distance:
        accepted = np.searchsorted(alike, thresholds, "left")
        rejected = len(different) - np.searchsorted(different, thresholds, "right" if rule.strict else "left")
    else:
        accepted = len(alike) - np.searchsorted(alike, thresholds, "right")
        rejected = np.searchsorted(different, thresholds, "left" if rule.strict else "right")
    return np.asarray(accepted + rejected, np.intp)


def roc(similarities: Floats, same: Flags) -> Roc:
    """Every point of the curve, from nothing accepted to everything accepted."""
    alike, different = np.sort(similarities[same]), np.sort(similarities[~same])
    thresholds = np.append(np.unique(similarities)[::-1], -np.inf)
    far = (len(different) - np.searchsorted(different, thresholds, "right")) / len(different)
    tar = (len(alike) - np.searchsorted(alike, thresholds, "right")) / len(alike)
    return Roc(far, tar, thresholds)


def auc(curve: Roc) -> float:
    """Area under the curve by trapezia: the chance that a same pair scores above a different one, ties half."""
    return float(np.sum(np.diff(curve.far) * (curve.tar[1:] + curve.tar[:-1]) / 2))


def equal_error_rate(curve: Roc) -> float:
    """Where false accepts equal false rejects, linear between the two points of the curve around it."""
    gap = curve.far - (1 - curve.tar)  # ascends from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = -gap[before] / (gap[after] - gap[before])
    return float(curve.far[before] + share * (curve.far[after] - curve.far[before]))


def operating_points(similarities: Floats, same: Flags, fars: Sequence[float] = FARS) -> tuple[OperatingPoint, ...]:
    """Which threshold to deploy at each false accept rate (0 <= far < 1).

    A rate below 1 / (different pairs) cannot be measured with them: its threshold is the highest such pair's score.
    """
    alike, different = np.sort(similarities[same]), np.sort(similarities[~same])
    points = []
    for far in fars:
        allowed = math.floor(far * len(different) + 1e-9)
        threshold = float(different[len(different) - 1 - allowed])
        false_accepts = len(different) - int(np.searchsorted(different, threshold, "right"))
        true_accepts = len(alike) - int(np.searchsorted(alike, threshold, "right"))
        points.append(OperatingPoint(far, threshold, false_accepts / len(different), true_accepts / len(alike)))
    return tuple(points)


def wilson_interval(correct: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a share (1927); z = 1.96 is 95 %. It holds near 0 and 1, unlike the normal one."""
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def cosine(a: Embeddings, b: Embeddings) -> Floats:
    """Cosine (P,) of the rows of (P, D) and (P, D) in float64; 0 where a row is zero."""
    return _row_products(_normalised(a), _normalised(b))


def _zoo_scores(pairs: PairSet, plain: Embeddings, _flipped: Embeddings, _training: Flags) -> Floats:
    return cosine(plain[pairs.left], plain[pairs.right])


def _paper_scores(pairs: PairSet, plain: Embeddings, flipped: Embeddings, training: Flags) -> Floats:
    features = np.concatenate([plain, flipped], axis=1, dtype=np.float64)
    seen = np.concatenate([pairs.left[training], pairs.right[training]])
    mean = np.bincount(seen, minlength=len(features)) @ features / len(seen)
    unit = _normalised(features - mean)
    return _row_products(unit[pairs.left], unit[pairs.right])


def _insightface_scores(pairs: PairSet, plain: Embeddings, flipped: Embeddings, _training: Flags) -> Floats:
    unit = _normalised(plain.astype(np.float64) + flipped)
    difference = unit[pairs.left] - unit[pairs.right]
    return _row_products(difference, difference)


def _row_products(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _normalised(rows: Embeddings) -> Floats:
    exact = rows.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.where(lengths > 0, lengths, 1.0))


def _check(pairs: PairSet, embeddings: tuple[Embeddings, ...]) -> None:
    if len(pairs.folds) < 2:
        raise DataError("the pairs are one fold; a threshold needs others to be found on: give at least 2 folds")
    if pairs.same.all() or not pairs.same.any():
        kind = "same" if pairs.same.all() else "different"
        raise DataError(f"all pairs are of {kind} persons; judging needs both kinds")
    for rows in embeddings:
        if not np.isfinite(rows).all():
            raise DataError("the network's embeddings hold NaN or Inf; the checkpoint has diverged, use an earlier one")


PROTOCOLS: Mapping[str, Protocol] = {
    rule.name: rule
    for rule in (
        Protocol("zoo", False, False, np.arange(-1.0, 1.0, 0.005), "last", False, False, _zoo_scores),
        Protocol("paper", True, False, np.arange(-10000, 10001) / 10000, "mean", True, True, _paper_scores),
        Protocol("insightface", True, True, np.arange(0, 4, 0.01), "first", False, False, _insightface_scores),
    )
}
