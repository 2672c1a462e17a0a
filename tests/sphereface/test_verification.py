from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sphereface import verification
from sphereface.errors import DataError
from sphereface.verification import PROTOCOLS, PairSet

Array = npt.NDArray[Any]


def faces(seed: int, folds: list[int], spread: float = 1.0, size: int = 8) -> tuple[PairSet, Array, Array]:
    """Embeddings of identities with noise, and pairs of them in folds of the given sizes, half of them same."""
    rng = np.random.default_rng(seed)
    identity = rng.integers(0, 12, 80)
    centres = rng.normal(size=(12, size))
    plain = (centres[identity] + spread * rng.normal(size=(80, size))).astype(np.float32)
    flipped = (plain + 0.3 * rng.normal(size=plain.shape)).astype(np.float32)
    left, right = [], []
    for position in range(sum(folds)):
        a = int(rng.integers(80))
        others = np.flatnonzero((identity == identity[a]) == (position % 2 == 0))
        left.append(a)
        right.append(int(rng.choice(others)))
    same = identity[left] == identity[right]
    fold = np.repeat(np.arange(len(folds)), folds)
    return PairSet(np.array(left), np.array(right), same, fold), plain, flipped


def naive_accuracy(protocol: str, scores: Array, same: Array, threshold: float) -> float:
    correct = 0
    for score, truth in zip(scores, same, strict=True):
        if protocol == "zoo":
            correct += (score > threshold) == truth
        elif protocol == "paper":
            correct += score > threshold if truth else score < threshold
        else:
            correct += (score < threshold) == truth
    return correct / len(scores)


def naive_threshold(protocol: str, scores: Array, same: Array) -> float:
    if protocol == "zoo":
        best = best_accuracy = 0.0
        for threshold in np.arange(-1.0, 1.0, 0.005):
            accuracy = naive_accuracy(protocol, scores, same, threshold)
            if accuracy >= best_accuracy:
                best, best_accuracy = threshold, accuracy
        return best
    grid = np.array([i / 10000 for i in range(-10000, 10001)]) if protocol == "paper" else np.arange(0, 4, 0.01)
    accuracies = np.array([naive_accuracy(protocol, scores, same, threshold) for threshold in grid])
    return float(grid[accuracies == accuracies.max()].mean() if protocol == "paper" else grid[np.argmax(accuracies)])


def naive_score(protocol: str, plain: list[Array], flipped: list[Array], mean: Array) -> float:
    """Score of one pair; `plain` and `flipped` hold its two embeddings in float64."""
    if protocol == "zoo":
        a, b = plain
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    if protocol == "paper":
        a, b = (np.concatenate([p, f]) - mean for p, f in zip(plain, flipped, strict=True))
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    a, b = ((p + f) / np.linalg.norm(p + f) for p, f in zip(plain, flipped, strict=True))
    return float(np.sum((a - b) ** 2))


def naive_judge(protocol: str, pairs: PairSet, plain: Array, flipped: Array) -> tuple[list[float], list[float]]:
    """Fold accuracies and thresholds, pair by pair and threshold by threshold, as the published scripts do it."""
    plain, flipped = plain.astype(np.float64), flipped.astype(np.float64)
    both = np.concatenate([plain, flipped], axis=1)
    accuracies, thresholds = [], []
    for fold in sorted(set(pairs.fold.tolist())):
        training = [i for i in range(len(pairs)) if pairs.fold[i] != fold]
        test = [i for i in range(len(pairs)) if pairs.fold[i] == fold]
        mean = np.mean([both[side[i]] for side in (pairs.left, pairs.right) for i in training], axis=0)
        scores = np.array(
            [
                naive_score(protocol, [plain[a], plain[b]], [flipped[a], flipped[b]], mean)
                for a, b in zip(pairs.left, pairs.right, strict=True)
            ]
        )
        thresholds.append(naive_threshold(protocol, scores[training], pairs.same[training]))
        accuracies.append(naive_accuracy(protocol, scores[test], pairs.same[test], thresholds[-1]))
    return accuracies, thresholds


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("folds", [[10] * 4, [3, 9], [5, 1, 12, 2]])
def test_equals_the_published_loops(protocol: str, folds: list[int]) -> None:
    pairs, plain, flipped = faces(len(folds), folds)
    judged = verification.judge(protocol, pairs, plain, flipped)
    accuracies, thresholds = naive_judge(protocol, pairs, plain, flipped)
    assert judged.fold_accuracy.tolist() == accuracies
    assert judged.fold_threshold.tolist() == thresholds
    assert judged.accuracy == np.mean(accuracies)
    assert judged.std == np.std(accuracies)
    assert judged.threshold == np.mean(thresholds)
    assert judged.correct == sum(round(a * n) for a, n in zip(accuracies, folds, strict=True))


@pytest.mark.parametrize("protocol", ["zoo", "paper", "insightface"])
def test_scores_on_the_grid_and_ties_are_judged_as_the_loops_do(protocol: str) -> None:
    rng = np.random.default_rng(5)
    rule = PROTOCOLS[protocol]
    for _ in range(20 if protocol != "paper" else 3):
        same = rng.random(14) < 0.5
        scores = rng.choice(rule.thresholds, 14)
        best = verification.best_threshold(rule, scores, same)
        assert best == naive_threshold(protocol, scores, same)
        for threshold in (best, scores[0]):
            expected = naive_accuracy(protocol, scores, same, threshold) * 14
            assert verification.correct_at(rule, scores, same, np.array([threshold]))[0] == round(expected)


def test_the_grids_are_the_published_ones() -> None:
    zoo, paper, insightface = (PROTOCOLS[name].thresholds for name in ("zoo", "paper", "insightface"))
    assert (len(zoo), zoo[0], round(zoo[-1], 3)) == (400, -1.0, 0.995)
    assert (len(paper), paper[0], paper[-1]) == (20001, -1.0, 1.0)
    assert (len(insightface), insightface[0], round(insightface[-1], 2)) == (400, 0.0, 3.99)


def test_ties_are_broken_as_each_protocol_says() -> None:
    scores, same = np.array([0.2, 0.8]), np.array([False, True])
    assert verification.best_threshold(PROTOCOLS["zoo"], scores, same) == pytest.approx(0.795)
    assert verification.best_threshold(PROTOCOLS["paper"], scores, same) == pytest.approx(0.5)
    assert verification.best_threshold(PROTOCOLS["insightface"], scores, ~same) == pytest.approx(0.21)


def test_identical_images_and_zero_embeddings_have_scores() -> None:
    rows = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    assert verification.cosine(rows, rows).tolist() == [pytest.approx(1.0), 0.0]


def test_a_protocol_that_mirrors_must_be_given_mirrored_embeddings() -> None:
    pairs, plain, _ = faces(0, [4, 4])
    with pytest.raises(ValueError, match="paper needs the embeddings of mirrored images"):
        verification.judge("paper", pairs, plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fold": np.zeros(8, int)}, "at least 2 folds"),
        ({"same": np.ones(8, bool)}, "all pairs are of same persons"),
        ({"same": np.zeros(8, bool)}, "all pairs are of different persons"),
    ],
)
def test_pairs_that_cannot_be_judged_are_refused(change: dict[str, Array], message: str) -> None:
    pairs, plain, _ = faces(0, [4, 4])
    with pytest.raises(DataError, match=message):
        verification.judge("zoo", PairSet(**{**vars(pairs), **change}), plain)


def test_embeddings_that_are_not_finite_are_refused() -> None:
    pairs, plain, _ = faces(0, [4, 4])
    plain[3, 1] = np.nan
    with pytest.raises(DataError, match="NaN or Inf"):
        verification.judge("zoo", pairs, plain)


def test_roc_auc_and_eer_by_hand() -> None:
    similarities = np.array([0.9, 0.7, 0.7, 0.3, 0.5, 0.1])
    same = np.array([True, True, False, True, False, False])
    curve = verification.roc(similarities, same)
    assert curve.thresholds.tolist() == [0.9, 0.7, 0.5, 0.3, 0.1, -np.inf]
    assert curve.far.tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 2 / 3, 1])
    assert curve.tar.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1])
    wins = [(s > d) + 0.5 * (s == d) for s in similarities[same] for d in similarities[~same]]
    assert verification.auc(curve) == pytest.approx(np.mean(wins))
    assert verification.equal_error_rate(curve) == pytest.approx(1 / 3)


def test_perfect_and_chance_curves() -> None:
    same = np.array([True, False] * 50)
    perfect = verification.roc(same.astype(float), same)
    assert (verification.auc(perfect), verification.equal_error_rate(perfect)) == (1.0, 0.0)
    blind = verification.roc(np.zeros(100), same)
    assert (verification.auc(blind), verification.equal_error_rate(blind)) == (0.5, 0.5)


def test_operating_points_accept_as_many_as_allowed_and_no_more() -> None:
    rng = np.random.default_rng(3)
    same = rng.random(4000) < 0.5
    similarities = np.round(rng.normal(size=4000) + np.where(same, 2.0, 0.0), 2)  # rounding makes ties
    for point in verification.operating_points(similarities, same, (0.25, *verification.FARS, 0.0)):
        accepted = similarities > point.threshold
        assert point.measured_far == accepted[~same].mean() <= point.far
        assert point.tar == accepted[same].mean()
        lower = similarities[~same][similarities[~same] < point.threshold].max()
        assert (similarities[~same] > lower).mean() > point.far


def test_distances_are_turned_and_turned_back() -> None:
    pairs, plain, flipped = faces(0, [6, 6])
    judged = verification.judge("insightface", pairs, plain, flipped)
    assert judged.similarities.tolist() == (-judged.scores).tolist()
    assert judged.to_score(float(judged.similarities[0])) == judged.scores[0]
    assert np.all((judged.scores >= 0) & (judged.scores <= 4))


def test_wilson_interval_by_hand() -> None:
    low, high = verification.wilson_interval(5954, 6000)  # 99.23 %
    assert (round(low, 4), round(high, 4)) == (0.9898, 0.9942)
    assert verification.wilson_interval(10, 10) == pytest.approx((1 / (1 + 1.96**2 / 10), 1.0), abs=1e-4)
    assert verification.wilson_interval(0, 10)[0] == 0.0
    assert math.isclose(verification.wilson_interval(50, 100)[0] + verification.wilson_interval(50, 100)[1], 1.0)
