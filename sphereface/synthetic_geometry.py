"""Shape of a made-up person's head: its outline in the plane of the face and its surface above that plane.

Coordinates (u, v) as in `synthetic_person`; the height z points to the viewer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sphereface.synthetic_person import Person

Array = NDArray[np.float64]


def contour(person: Person, points: int = 120) -> Array:
    """The head's outline as a closed polygon (points, 2) of (u, v), clockwise from the top of the skull."""
    half = [
        (0.0, person.skull_top), (0.5, person.skull_top + 0.1), (person.temple_width * 0.93, -0.75),
        (person.temple_width, -0.35), (0.5 + 0.5 * person.cheek_width, 0.05), (person.cheek_width, 0.4),
        (person.jaw_width, 0.82), (0.5 * (person.jaw_width + person.chin_width), person.chin - 0.22),
        (person.chin_width, person.chin - 0.06), (0.0, person.chin),
    ]  # fmt: skip
    left = [(-u, v) for u, v in half[-2:0:-1]]
    return smooth_closed(np.array(half + left), points)


def smooth_closed(knots: Array, points: int) -> Array:
    """A closed Catmull-Rom curve (points, 2) through the knots (K, 2)."""
    count = len(knots)
    at = np.linspace(0, count, points, endpoint=False)
    index = at.astype(int)
    t = (at - index)[:, None]
    a, b, c, d = (knots[(index + shift) % count] for shift in (-1, 0, 1, 2))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.asarray(curve)


def surface(person: Person, u: Array, v: Array) -> Array:
    """Height z of the head at (u, v): a dome over the outline with nose, sockets, cheeks, lips and chin."""
    outline = contour(person) - (0.0, 0.1)
    angles = np.arctan2(outline[:, 1], outline[:, 0])
    order = np.argsort(angles)
    radii = np.hypot(outline[:, 0], outline[:, 1])[order]
    edge = np.interp(np.arctan2(v - 0.1, u), angles[order], radii, period=2 * np.pi)
    beyond = (u**2 + (v - 0.1) ** 2) / edge**2 - 1
    dome = np.where(beyond < 0, -0.66 * beyond, 0.5 * np.expm1(-1.32 * np.maximum(beyond, 0)))

    def bump(at_u: float, at_v: float, wide: float, high: float) -> Array:
        return np.asarray(np.exp(-(((u - at_u) / wide) ** 2)) * np.exp(-(((v - at_v) / high) ** 2)))

    height = dome + _nose(person, u, v)
    for side in (-1, 1):
        eye_v = person.eye_v + (person.skew[0] if side > 0 else 0.0)
        height = height - (0.05 + 0.07 * person.socket) * bump(side * person.eye_u, eye_v, 0.26, 0.15)
        height = height + 0.05 * bump(side * person.eye_u, eye_v - person.brow_gap, 0.3, 0.1)
        height = height + (0.03 + 0.08 * person.cheekbone) * bump(side * 0.58, 0.28, 0.24, 0.2)
    mouth_u = person.skew[3]
    height = height + 0.06 * bump(mouth_u, person.mouth_v, 0.8 * person.mouth_width, 0.13)
    height = height - 0.04 * bump(mouth_u, person.mouth_v + 0.2, 0.22, 0.05)
    return np.asarray(height + 0.08 * bump(0.0, person.chin - 0.2, 0.2, 0.16))


def _nose(person: Person, u: Array, v: Array) -> Array:
    """A ridge that grows from the bridge to the tip and falls off below it, with two wings."""
    top = person.eye_v - 0.1
    along = np.clip((v - top) / (person.nose_tip - top), 0, 1)
    below = np.clip(1 - (v - person.nose_tip) / (0.17 + person.nose_hook), 0, 1)
    below = below * below * (3 - 2 * below)
    wide = person.nose_bridge + along**2 * (0.62 * person.nose_width - person.nose_bridge)
    ridge = person.nose_height * along**1.1 * below * np.exp(-(((u - person.skew[2]) / np.maximum(wide, 0.05)) ** 2))
    wings = sum(np.exp(-(((u - person.skew[2] - side * 0.72 * person.nose_width) / 0.075) ** 2)) for side in (-1, 1))
    return np.asarray(ridge + 0.1 * wings * np.exp(-(((v - person.nose_tip - 0.05) / 0.07) ** 2)))
