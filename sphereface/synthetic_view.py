"""How one picture of a made-up person is taken: pose, light, expression, what is worn, and where the landmarks fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sphereface.synthetic_geometry import Array, surface
from sphereface.synthetic_person import Colour, Person

SIDE = 150
"""Height and width of a picture in pixels."""


@dataclass(frozen=True)
class View:
    """One picture. Angles in radians, lengths on the face in half head widths, the rest as said."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    """Pixels a half head width."""
    centre: tuple[float, float]
    """Pixel (x, y) at which the axis of the head stands."""
    smile: float
    """-0.4 (glum) to 1."""
    mouth_open: float
    lids: float
    """Openness of the eyes, 0.15 to 1.2 of the person's own."""
    brow_raise: float
    gaze: tuple[float, float]
    light: tuple[float, float, float]
    """Unit vector from the head to the light: right, down, to the viewer."""
    ambient: float
    gain: float
    gamma: float
    tint: Colour
    """Factors of blue, green, red."""
    saturation: float
    glasses: bool
    covered_by: str
    """"" or what hides a part of the face: "sunglasses", "cap", "scarf", "hand" or "bar"."""
    clothes: Colour
    hair_rise: float
    """Change of the hair's thickness on that day."""
    tan: float
    """Factor of the skin's brightness on that day."""
    blur: float
    """Standard deviation in pixels."""
    noise: float
    """Standard deviation in grey levels."""
    quality: int
    """JPEG quality."""
    seed: int
    """Seed of background, noise and the place of what covers."""


def sample_view(rng: np.random.Generator, person: Person) -> View:
    def normal(spread: float, limit: float) -> float:
        return float(np.clip(rng.normal(0, spread), -limit, limit))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def three(low: float, high: float) -> Colour:
        b, g, r = (float(value) for value in rng.uniform(low, high, 3))
        return b, g, r

    light = np.array([between(-1, 1), between(-0.9, 0.4), between(0.3, 1)])
    x, y, z = (float(value) for value in light / np.linalg.norm(light))
    cloth = rng.uniform(20, 220) + rng.normal(0, 25, 3)
    blue, green, red = (float(value) for value in np.clip(cloth, 0, 255))
    covers = ("", "sunglasses", "cap", "scarf", "hand", "bar")
    return View(
        yaw=normal(0.16, 0.35),
        pitch=normal(0.1, 0.24),
        roll=normal(0.14, 0.4),
        scale=between(35, 47),
        centre=(SIDE / 2 + normal(4, 9), 0.47 * SIDE + normal(3, 7)),
        smile=between(-0.4, 1),
        mouth_open=max(0.0, between(-0.8, 1)),
        lids=0.15 if rng.random() < 0.06 else between(0.6, 1.2),
        brow_raise=between(-0.03, 0.06),
        gaze=(between(-0.4, 0.4), between(-0.2, 0.3)),
        light=(x, y, z),
        ambient=between(0.25, 0.7),
        gain=between(0.7, 1.35),
        gamma=between(0.72, 1.4),
        tint=three(0.8, 1.17),
        saturation=0.0 if rng.random() < 0.08 else between(0.65, 1.2),
        glasses=bool(rng.random() < (0.95 if person.wears_glasses else 0.02)),
        covered_by=str(rng.choice(covers, p=(0.94, 0.02, 0.01, 0.01, 0.01, 0.01))),
        clothes=(blue, green, red),
        hair_rise=between(-0.04, 0.06),
        tan=between(0.88, 1.1),
        blur=max(0.0, between(-0.5, 1.1)),
        noise=between(0, 7),
        quality=int(rng.integers(50, 96)),
        seed=int(rng.integers(0, 2**31)),
    )


def mouth_corners(person: Person, view: View) -> Array:
    """(2, 2): (u, v) of the left and the right corner of the mouth."""
    half = person.mouth_width * (1 + 0.2 * view.smile - 0.12 * view.mouth_open)
    v = person.mouth_v + person.mouth_droop - 0.07 * view.smile
    return np.array([(person.skew[3] - half, v), (person.skew[3] + half, v)])


def eye_centres(person: Person) -> Array:
    """(2, 2): (u, v) of the left and the right eye."""
    return np.array([(-person.eye_u, person.eye_v), (person.eye_u, person.eye_v + person.skew[0])])


def landmarks(person: Person, view: View) -> Array:
    """(5, 2) pixels (x, y): left eye, right eye, nose tip, left and right mouth corner; left is the image's left."""
    nose = np.array([(person.skew[2], person.nose_tip)])
    return to_image(person, view, np.concatenate([eye_centres(person), nose, mouth_corners(person, view)]))


def to_image(person: Person, view: View, points: Array) -> Array:
    """Pixels (x, y) of points (K, 2) of the face's plane, raised to the head's surface: parallel projection."""
    u, v = points[:, 0], points[:, 1]
    z = surface(person, u, v)
    x = u * np.cos(view.yaw) + z * np.sin(view.yaw)
    depth = z * np.cos(view.yaw) - u * np.sin(view.yaw)
    y = v * np.cos(view.pitch) + depth * np.sin(view.pitch)
    cos, sin = view.scale * np.cos(view.roll), view.scale * np.sin(view.roll)
    return np.stack([view.centre[0] + cos * x - sin * y, view.centre[1] + sin * x + cos * y], axis=1)
