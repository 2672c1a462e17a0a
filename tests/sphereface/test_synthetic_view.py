"""Where landmarks fall."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sphereface.synthetic_person import sample_person
from sphereface.synthetic_view import SIDE, View, landmarks, mouth_corners, sample_view

PERSON = sample_person(np.random.default_rng(2))


def frontal() -> View:
    view = sample_view(np.random.default_rng(3), PERSON)
    return dataclasses.replace(view, yaw=0.0, pitch=0.0, roll=0.0, scale=40.0, centre=(75.0, 70.0), smile=0.0)


def test_frontal_landmarks_are_the_face_scaled() -> None:
    left, right, nose, left_mouth, right_mouth = landmarks(PERSON, frontal())
    assert left == pytest.approx((75 - 40 * PERSON.eye_u, 70 + 40 * PERSON.eye_v))
    assert right[0] - left[0] == pytest.approx(80 * PERSON.eye_u)
    assert nose == pytest.approx((75 + 40 * PERSON.skew[2], 70 + 40 * PERSON.nose_tip))
    assert left_mouth[1] == pytest.approx(right_mouth[1])
    assert left_mouth[0] < nose[0] < right_mouth[0]


def test_roll_turns_landmarks_clockwise_about_the_centre() -> None:
    straight = landmarks(PERSON, frontal()) - (75, 70)
    turned = landmarks(PERSON, dataclasses.replace(frontal(), roll=0.3)) - (75, 70)
    matrix = np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]])
    assert np.allclose(turned, straight @ matrix)


def test_yaw_moves_the_nose_further_than_the_eyes() -> None:
    straight = landmarks(PERSON, frontal())
    moved = landmarks(PERSON, dataclasses.replace(frontal(), yaw=0.3)) - straight
    assert moved[2, 0] > moved[:2, 0].mean() + 2
    assert np.allclose(moved[:, 1], 0)


def test_smile_widens_the_mouth_and_lifts_its_corners() -> None:
    glum, glad = (mouth_corners(PERSON, dataclasses.replace(frontal(), smile=smile)) for smile in (-0.4, 1.0))
    assert glad[1, 0] - glad[0, 0] > glum[1, 0] - glum[0, 0]
    assert glad[0, 1] < glum[0, 1]


def test_every_view_keeps_its_landmarks_in_the_picture_and_in_order() -> None:
    for seed in range(300):
        rng = np.random.default_rng([4, seed])
        person = sample_person(rng)
        view = sample_view(rng, person)
        points = landmarks(person, view)
        assert points.min() > 8
        assert points.max() < SIDE - 8
        assert points[0, 0] < points[1, 0]
        assert points[3, 0] < points[4, 0]
        assert points[:2, 1].max() < points[3:, 1].min() + 1
