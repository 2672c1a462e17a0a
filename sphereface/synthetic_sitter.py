"""Paints once what is the same in every picture of a person: hair behind the head, neck, ears, skin, nose, beard."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from sphereface.synthetic_canvas import DENSITY, ORIGIN, SHAPE, Canvas, Pixels, ellipse, joined, shade
from sphereface.synthetic_geometry import Array, contour, smooth_closed, surface
from sphereface.synthetic_person import Colour, Person
from sphereface.synthetic_view import eye_centres

SIDES = (-1, 1)
RELIEF = 1.25
"""Exaggeration of the slopes under the light."""


@dataclass(frozen=True)
class Sitter:
    """A person with all that is the same in each picture painted already."""

    person: Person
    height: Pixels
    """Surface z of the head (H, W) over the canvas."""
    normals: tuple[Pixels, Pixels, Pixels]
    """Unit normals of that surface to the right, down and to the viewer (H, W), the slopes a little exaggerated."""
    base: Canvas
    """Hair behind the head, neck, ears, skin, eye sockets, nose, beard."""
    hair: Pixels
    """Hair (H, W, 3), to be laid on wherever there is some."""
    dark_hair: Pixels
    """The same for brows and moustache."""


def prepare(person: Person) -> Sitter:
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    u, v = columns / DENSITY + ORIGIN[0], rows / DENSITY + ORIGIN[1]
    rng = np.random.default_rng(person.texture_seed)
    hair = np.minimum(np.array(person.hair, np.float32) * _strands(rng, u, v, person.hair_cut.waves), np.float32(255))
    dark_hair = hair * np.float32(0.75)
    base = Canvas.empty()
    _back_hair(base, person, hair * np.float32(0.6))
    _neck_and_ears(base, person)
    _skin(base, person, rng)
    _sockets_and_cheeks(base, person)
    _nose(base, person)
    _beard(base, person, dark_hair)
    height = surface(person, u, v).astype(np.float32)
    return Sitter(person, height, _normals(height), base, hair, dark_hair)


def _normals(height: Pixels) -> tuple[Pixels, Pixels, Pixels]:
    slope = RELIEF * DENSITY / 8  # a Sobel kernel sums to 8
    right = -cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=slope)
    down = -cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=slope)
    front = 1 / np.sqrt(1 + right**2 + down**2)
    return right * front, down * front, front


def _strands(rng: np.random.Generator, u: Array, v: Array, waves: float) -> Pixels:
    """Factors (H, W, 1) about 1: strands that run from the crown outwards, or blobs where the hair is curly."""
    angle = np.arctan2(u, 1.5 + v) * 40
    fine = np.interp(angle + 0.6 * np.sin(6 * v + 3 * u), np.arange(-140, 140), rng.normal(0, 1, 280))
    blobs = cv2.resize(rng.normal(0, 1, (42, 40)), SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    curl = min(1.0, 10 * waves)
    return np.asarray(np.clip(1 + 0.22 * ((1 - curl) * fine + curl * blobs), 0.45, 1.7), np.float32)[:, :, None]


def _back_hair(canvas: Canvas, person: Person, ink: Pixels) -> None:
    cut = person.hair_cut
    if person.cut == "tied":
        canvas.fill(ink, ellipse(0.0, person.skull_top - 0.12, 0.34, 0.26))
    if cut.bottom < 0.5:
        return
    wide = 0.98 + 0.9 * cut.side
    knots = [(0, -1), (wide, -0.6), (wide + 0.05, cut.bottom - 0.4), (0.75 * wide, cut.bottom + 0.1), (0, cut.bottom)]
    mirrored = [(-u, v) for u, v in knots[-2:0:-1]]
    canvas.fill(ink, smooth_closed(np.array(knots + mirrored, float), 80))


def _neck_and_ears(canvas: Canvas, person: Person) -> None:
    wide, skin, ear = 0.42 + 0.35 * person.jaw_width, person.skin, person.ear
    neck = [(-wide, 0.6), (wide, 0.6), (wide, 1.7), (wide + 0.25, 2.5), (-wide - 0.25, 2.5), (-wide, 1.7)]
    canvas.fill(shade(skin, 0.86), neck)
    canvas.fill(shade(skin, 0.55), contour(person) + np.array((0, 0.16)), opacity=0.55, soft=0.07, clip=[neck])
    at = 0.96 + 0.06 * ear
    canvas.fill(shade(skin, 0.93), *(ellipse(s * at, 0.1, 0.11 * ear + 0.03, 0.27 * ear, 0.2 * s) for s in SIDES))
    shells = (ellipse(s * at, 0.06, 0.05 * ear, 0.17 * ear, 0.2 * s)[3:18] for s in SIDES)
    canvas.line(shade(skin, 0.66), 0.03, *shells, opacity=0.7, soft=0.01)


def _skin(canvas: Canvas, person: Person, rng: np.random.Generator) -> None:
    """The head's skin: blotches, freckles, moles, the lines of age."""
    outline = contour(person)
    coarse = cv2.resize(rng.standard_normal((14, 13, 3), np.float32), SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.standard_normal(SHAPE, np.float32), (0, 0), 0.8)[:, :, None]
    pattern = 1 + 0.022 * coarse + np.float32(0.015 + 0.025 * person.age) * fine
    canvas.fill(np.array(person.skin, np.float32) * pattern, outline)
    freckle: Colour = (0.5 * person.skin[0], 0.62 * person.skin[1], 0.78 * person.skin[2])
    for _ in range(int(110 * person.freckles)):
        u, v = rng.normal(0, 0.42), rng.normal(0.18, 0.25)
        dot = ellipse(u, v, rng.uniform(0.012, 0.028), rng.uniform(0.012, 0.028))
        canvas.fill(freckle, dot, opacity=0.6, clip=[outline])
    for u, v, radius in person.marks:
        canvas.fill(shade(person.skin, 0.35), ellipse(u, v, radius, radius), opacity=0.9, clip=[outline])
    across = np.linspace(-0.45, 0.45, 9)
    lines = (joined(across, -0.82 + 0.14 * row + 0.03 * np.cos(5 * across + row)) for row in range(3))
    canvas.line(shade(person.skin, 0.62), 0.02, *lines, opacity=0.5 * max(0.0, person.age - 0.3), soft=0.012)


def _sockets_and_cheeks(canvas: Canvas, person: Person) -> None:
    skin = person.skin
    red: Colour = (0.72 * skin[0], 0.7 * skin[1], min(255.0, 1.06 * skin[2]))
    sockets = (ellipse(u, v - 0.03, 0.26, 0.17) for u, v in eye_centres(person))
    canvas.fill(shade(skin, 0.66), *sockets, opacity=0.25 + 0.35 * person.socket, soft=0.07)
    canvas.fill(red, *(ellipse(0.55 * s, 0.36, 0.22, 0.16) for s in SIDES), opacity=0.45 * person.blush, soft=0.09)


def _nose(canvas: Canvas, person: Person) -> None:
    middle, tip, wide, skin = person.skew[2], person.nose_tip, person.nose_width, person.skin
    under = tip + 0.1 + person.nose_hook
    canvas.fill(shade(skin, 0.5), ellipse(middle, under + 0.03, 0.85 * wide, 0.05), opacity=0.4, soft=0.03)
    nostrils = (ellipse(middle + s * 0.46 * wide, under, 0.24 * wide, 0.03, -0.3 * s) for s in SIDES)
    canvas.fill(shade(skin, 0.22), *nostrils, opacity=0.85, soft=0.008)
    arc = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)
    wings = (joined(middle + s * wide * (0.72 + 0.3 * np.cos(arc)), tip + 0.04 + 0.1 * np.sin(arc)) for s in SIDES)
    canvas.line(shade(skin, 0.5), 0.028, *wings, opacity=0.6, soft=0.012)
    flanks = ([(middle + s * person.nose_bridge, -0.1), (middle + s * 0.5 * wide, tip - 0.08)] for s in SIDES)
    canvas.line(shade(skin, 0.7), 0.05, *flanks, opacity=0.3, soft=0.03)
    canvas.line(shade(skin, 1.2), 0.05, [(middle, -0.1), (middle, tip)], opacity=0.3, soft=0.03)


def _beard(canvas: Canvas, person: Person, ink: Pixels) -> None:
    outline = contour(person)
    lower = outline[outline[:, 1] > 0.25]
    right, left = lower[lower[:, 0] > 0], lower[lower[:, 0] <= 0]
    right, left = right[np.argsort(right[:, 1])], left[np.argsort(-left[:, 1])]
    half, mouth = 1.25 * person.mouth_width, person.mouth_v
    inner = [(-0.72, 0.55), (-half, 0.72), (-0.6 * half, mouth - 0.12), (-0.8 * half, mouth + 0.14)]
    mirrored = [(-u, v) for u, v in inner[::-1]]
    canvas.fill(ink, np.concatenate([right, left, inner, mirrored]), opacity=0.9 * person.beard, soft=0.05)
    top, half, chin = mouth + person.lower_lip + 0.06, 0.6 * half, person.chin
    knots = [(0, top), (half, top + 0.02), (half, chin - 0.08), (0, chin + 0.03), (-half, chin - 0.08),
             (-half, top + 0.02)]  # fmt: skip
    canvas.fill(ink, smooth_closed(np.array(knots), 40), opacity=0.9 * person.chin_beard, soft=0.03)
