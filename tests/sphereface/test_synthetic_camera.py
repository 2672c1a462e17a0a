"""The picture agrees with its landmarks, and light, cover and noise do what they are called."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest

from sphereface.synthetic_camera import photograph, seen_points
from sphereface.synthetic_canvas import DENSITY, ORIGIN
from sphereface.synthetic_person import sample_person
from sphereface.synthetic_sitter import Sitter, prepare
from sphereface.synthetic_view import View, eye_centres, landmarks, mouth_corners, sample_view

PLAIN: dict[str, Any] = {
    "yaw": 0.0, "pitch": 0.0, "roll": 0.0, "scale": 42.0, "centre": (75.0, 70.0), "smile": 0.0, "mouth_open": 0.0,
    "lids": 1.1, "gaze": (0.0, 0.0), "light": (0.0, 0.0, 1.0), "ambient": 0.7, "gain": 1.0, "gamma": 1.0,
    "tint": (1.0, 1.0, 1.0), "saturation": 1.0, "glasses": False, "covered_by": "", "tan": 1.0, "blur": 0.0,
    "noise": 0.0, "quality": 95,
}  # fmt: skip


def sitter(seed: int = 0) -> Sitter:
    person = sample_person(np.random.default_rng(seed))
    bald = dataclasses.replace(person.hair_cut, top=0.0, bottom=-0.5)
    plain: dict[str, Any] = {
        "freckles": 0.0,
        "marks": (),
        "beard": 0.0,
        "moustache": 0.0,
        "chin_beard": 0.0,
        "eye_tilt": 0.0,
    }
    light: dict[str, Any] = {"skin": (150.0, 180.0, 225.0), "iris": (20.0, 36.0, 62.0), "eye_height": 0.11}
    return prepare(dataclasses.replace(person, cut="shaved", hair_cut=bald, **plain, **light))


def view(**changes: Any) -> View:
    person = sample_person(np.random.default_rng(0))
    return dataclasses.replace(sample_view(np.random.default_rng(1), person), **{**PLAIN, **changes})


def picture(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("seed", range(12))
def test_the_pixel_at_a_landmark_shows_that_feature(seed: int) -> None:
    rng = np.random.default_rng([6, seed])
    person = sample_person(rng)
    taken = sample_view(rng, person)
    map_u, map_v = seen_points(prepare(person).height, taken)
    nose = np.array([(person.skew[2], person.nose_tip)])
    features = np.concatenate([eye_centres(person), nose, mouth_corners(person, taken)])
    x, y = landmarks(person, taken).astype(np.float32).T
    seen = [cv2.remap(axis, x, y, cv2.INTER_LINEAR).ravel() for axis in (map_u, map_v)]
    points = np.stack(seen, axis=1) / DENSITY + ORIGIN
    assert np.abs(points - features).max() * taken.scale < 0.6  # pixels


def test_pupils_are_dark_at_the_eyes_landmarks() -> None:
    subject, taken = sitter(), view()
    grey = picture(photograph(subject, taken)).mean(axis=2)
    points = landmarks(subject.person, taken)
    for x, y in points[:2]:
        patch = grey[round(y) - 2 : round(y) + 2, round(x) - 1 : round(x) + 2]
        assert patch.min() < 70
    x, y = (points[0] + points[3]) / 2 - (6, 0)
    assert grey[round(y), round(x)] > 110


def test_same_view_gives_the_same_bytes() -> None:
    assert photograph(sitter(), view()) == photograph(sitter(), view())


def test_light_from_the_left_makes_the_left_cheek_brighter() -> None:
    subject = sitter()
    taken = view(ambient=0.3, light=(-0.8, 0.0, 0.6))
    grey = picture(photograph(subject, taken)).mean(axis=2)
    row = round(70 + 42 * 0.3)
    left, right = grey[row, 75 - 30 : 75 - 22].mean(), grey[row, 75 + 22 : 75 + 30].mean()
    assert left > 1.5 * right


@pytest.mark.parametrize(("what", "row"), [("sunglasses", -0.1), ("cap", -1.0), ("scarf", 1.3), ("hand", 0.9)])
def test_covers_change_the_picture_where_they_lie(what: str, row: float) -> None:
    subject = sitter()
    changed = np.abs(np.subtract(picture(photograph(subject, view(covered_by=what))).astype(int),
                                 picture(photograph(subject, view())).astype(int))).max(axis=2)  # fmt: skip
    lines = changed.max(axis=1) > 40
    assert lines[round(70 + 42 * row)]
    assert 8 < lines.sum() < 110


def test_noise_and_quality_are_in_the_file() -> None:
    subject = sitter()
    clean, noisy = (picture(photograph(subject, view(noise=noise))).astype(float) for noise in (0, 8))
    assert 4 < (noisy - clean).std() < 12
    assert len(photograph(subject, view(quality=40))) < 0.6 * len(photograph(subject, view(quality=95)))


def test_grey_pictures_have_no_colour() -> None:
    grey = picture(photograph(sitter(), view(saturation=0.0, tint=(0.8, 1.0, 1.2)))).astype(int)
    assert np.ptp(grey, axis=2).max() <= 6
