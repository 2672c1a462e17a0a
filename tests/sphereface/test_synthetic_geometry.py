"""The head's outline and surface."""

from __future__ import annotations

import numpy as np
import pytest

from sphereface.synthetic_geometry import contour, smooth_closed, surface
from sphereface.synthetic_person import sample_person


def test_closed_curve_goes_through_its_knots() -> None:
    knots = np.array([(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)])
    curve = smooth_closed(knots, 40)
    assert np.allclose(curve[::10], knots)
    assert np.abs(np.diff(curve, axis=0)).max() < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_outline_is_symmetric_from_skull_to_chin(seed: int) -> None:
    person = sample_person(np.random.default_rng(seed))
    outline = contour(person)
    mirrored = outline * (-1, 1)
    distances = np.linalg.norm(outline[:, None] - mirrored[None], axis=2)
    assert distances.min(axis=1).max() < 1e-9
    assert outline[:, 1].min() == pytest.approx(person.skull_top, abs=0.02)
    assert outline[:, 1].max() == pytest.approx(person.chin, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_nose_stands_out_and_eyes_lie_deep(seed: int) -> None:
    person = sample_person(np.random.default_rng(seed))
    u = np.array([person.skew[2], person.eye_u, 1.9])
    v = np.array([person.nose_tip, person.eye_v, 0.0])
    nose, eye, outside = surface(person, u, v)
    assert nose > eye + 0.1
    assert eye > 0.2
    assert -0.6 < outside < 0


def test_surface_has_no_step_at_the_outline() -> None:
    person = sample_person(np.random.default_rng(1))
    u = np.linspace(-1.6, 1.6, 3201)
    assert np.abs(np.diff(surface(person, u, np.zeros_like(u)))).max() < 0.01
