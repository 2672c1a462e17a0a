from __future__ import annotations

import cv2
import numpy as np

from sphereface import roc_plot, verification


def drawn(similarities: list[float], same: list[bool]) -> tuple[bytes, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    curve = verification.roc(np.array(similarities), np.array(same))
    data = roc_plot.png(curve, "title")
    return data, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_the_picture_shows_the_curve_at_its_height() -> None:
    """One of two same pairs is above all different ones: the curve starts half-way up and ends at the top."""
    data, picture = drawn([0.9, 0.1, 0.5, 0.4], [True, True, False, False])
    assert data == drawn([0.9, 0.1, 0.5, 0.4], [True, True, False, False])[0]
    assert picture.shape == (roc_plot.HEIGHT, roc_plot.WIDTH, 3)
    blue = (picture[..., 0].astype(int) - picture[..., 2]) > 100
    top, bottom = 60, roc_plot.HEIGHT - 70
    assert np.abs(np.flatnonzero(blue[:, 150]).mean() - (top + bottom) / 2) < 2
    assert blue[top, roc_plot.WIDTH - 31]


def test_curves_of_few_pairs_and_perfect_ones_can_be_drawn() -> None:
    perfect = drawn([1.0, 0.0], [True, False])[1]
    worst = drawn([0.0, 1.0], [True, False])[1]
    assert perfect.std() > 0
    assert not np.array_equal(perfect, worst)
