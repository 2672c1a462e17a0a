from __future__ import annotations

import numpy as np
import pytest

from sphereface import align
from sphereface.data import sampling

N = 20_000


def test_order_is_a_permutation_of_its_own_for_each_epoch_and_seed() -> None:
    order = sampling.order(1000, seed=1, epoch=0)
    assert sorted(order) == list(range(1000))
    np.testing.assert_array_equal(order, sampling.order(1000, seed=1, epoch=0))
    assert (order != sampling.order(1000, seed=1, epoch=1)).any()
    assert (order != sampling.order(1000, seed=2, epoch=0)).any()


def test_crops_are_centred_or_anywhere_and_half_are_flipped() -> None:
    how = sampling.augmentation(N, seed=0, epoch=0, color_jitter=0)
    assert set(np.unique(how.top)) == set(np.unique(how.left)) == set(range(5))
    centred = (how.top == 2) & (how.left == 2)
    assert centred.mean() == pytest.approx(0.5 + 0.5 / 25, abs=0.02)
    for corner in (how.top, how.left):
        np.testing.assert_allclose(np.bincount(corner[~centred])[[0, 1, 3, 4]] / (~centred).sum(), 5 / 24, atol=0.02)
    assert how.flip.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(how.flip, centred)[0, 1]) < 0.03
    assert how.brightness is None
    assert how.saturation is None


def test_jitter_leaves_the_other_draws_as_they_are() -> None:
    plain = sampling.augmentation(N, seed=0, epoch=3, color_jitter=0)
    jittered = sampling.augmentation(N, seed=0, epoch=3, color_jitter=0.4)
    np.testing.assert_array_equal(plain.top, jittered.top)
    np.testing.assert_array_equal(plain.flip, jittered.flip)
    assert jittered.brightness is not None
    assert jittered.brightness.min() == pytest.approx(0.6, abs=0.01)
    assert jittered.brightness.max() == pytest.approx(1.4, abs=0.01)


def one(top: int, left: int, flip: bool, brightness: float = 1, saturation: float = 1) -> sampling.Augmentation:
    return sampling.Augmentation(
        np.array([top]),
        np.array([left]),
        np.array([flip]),
        np.array([brightness], np.float32),
        np.array([saturation], np.float32),
    )


def test_augment_crops_then_flips() -> None:
    canvas = np.random.default_rng(5).integers(0, 256, (116, 100, 3), np.uint8)
    out = np.empty((3, 112, 96), np.float32)
    sampling.augment(canvas, one(4, 1, False), 0, out)
    np.testing.assert_array_equal(out, align.normalise(canvas[4:116, 1:97]))
    sampling.augment(canvas, one(0, 3, True), 0, out)
    np.testing.assert_array_equal(out, align.normalise(canvas[0:112, 3:99])[:, :, ::-1])


def test_jitter_of_a_colour_by_hand() -> None:
    canvas = np.full((116, 100, 3), (63, 191, 127), np.uint8)  # blue, green, red
    out = np.empty((3, 112, 96), np.float32)
    sampling.augment(canvas, one(2, 2, False, brightness=0.5, saturation=0), 0, out)
    blue, green, red = (np.array([63, 191, 127]) - 127.5) / 128
    np.testing.assert_allclose(out, 0.5 * (0.114 * blue + 0.587 * green + 0.299 * red), atol=1e-6)
    sampling.augment(canvas, one(2, 2, False, brightness=1.4, saturation=1), 0, out)
    np.testing.assert_allclose(out[:, 0, 0], 1.4 * np.array([blue, green, red]), rtol=1e-6)
