"""Paints what changes from picture to picture: eyes, brows, mouth, hair of the day, glasses, clothes, what covers."""

from __future__ import annotations

import numpy as np

from sphereface.synthetic_canvas import Canvas, Pixels, ellipse, joined, mix, shade
from sphereface.synthetic_geometry import Array, smooth_closed
from sphereface.synthetic_person import Colour, Person
from sphereface.synthetic_sitter import Sitter
from sphereface.synthetic_view import View, eye_centres, mouth_corners

WHITE: Colour = (228, 232, 234)
DARK: Colour = (22, 22, 30)


def paint(sitter: Sitter, view: View) -> Canvas:
    """The person as in `view` but for pose and light."""
    person, canvas = sitter.person, sitter.base.copy()
    canvas.pixels *= np.float32(view.tan)
    _clothes(canvas, view)
    _folds(canvas, person, view)
    _eyes(canvas, person, view)
    _brows(canvas, person, view, sitter.dark_hair)
    _mouth(canvas, person, view)
    _moustache(canvas, person, sitter.dark_hair)
    _front_hair(canvas, person, view, sitter.hair)
    if view.glasses:
        _glasses(canvas, person, 0.12)
    _cover(canvas, person, view)
    return canvas


def _clothes(canvas: Canvas, view: View) -> None:
    shoulders = [(-2.2, 2.5), (-2.2, 2.1), (-1.3, 1.85), (-0.66, 1.72), (0, 2.15), (0.66, 1.72), (1.3, 1.85),
                 (2.2, 2.1), (2.2, 2.5)]  # fmt: skip
    canvas.fill(view.clothes, shoulders)


def _folds(canvas: Canvas, person: Person, view: View) -> None:
    """The folds from the nose to the corners of the mouth."""
    folds = []
    for side, (u, v) in zip((-1, 1), mouth_corners(person, view), strict=True):
        wing_u, wing_v = person.skew[2] + side * (person.nose_width + 0.04), person.nose_tip + 0.02
        middle = (0.5 * (wing_u + u) + side * 0.07, 0.5 * (wing_v + v))
        folds.append([(wing_u, wing_v), middle, (u + side * 0.07, v + 0.02)])
    depth = min(0.7, 0.15 + 0.4 * person.age + 0.3 * max(0.0, view.smile))
    canvas.line(shade(person.skin, 0.6), 0.03, *folds, opacity=depth, soft=0.025)


def _eyes(canvas: Canvas, person: Person, view: View) -> None:
    centres = eye_centres(person)
    t = np.linspace(-1, 1, 13)
    arc = 1 - np.abs(t) ** 2.2
    high = person.eye_height * view.lids * (1 - 0.12 * max(0.0, view.smile))

    def curves(height: float, stretch: float = 1.0) -> list[Array]:
        """A lid of each eye: an arc from the inner corner to the outer one, tilted."""
        along = t * person.eye_width * stretch
        rise = height * arc - person.eye_tilt * along
        return [joined(u + np.sign(u) * along, v + rise) for u, v in centres]

    def rounds(radius: float, shift: float = 0.0) -> list[Array]:
        """A disc in each eye, where it looks."""
        look = (view.gaze[0] * 0.4 * person.eye_width + shift, (view.gaze[1] * 0.4 - 0.15) * high + shift)
        return [ellipse(u + look[0], v + look[1], radius, radius) for u, v in centres]

    skin, radius = person.skin, person.iris_radius
    canvas.line(shade(skin, 0.66), 0.03, *curves(0.17), opacity=0.2 + 0.5 * person.age, soft=0.025)
    upper, lower = curves(-high), curves(0.6 * high)
    opening = [np.concatenate([top, low[::-1]]) for top, low in zip(upper, lower, strict=True)]
    canvas.fill(WHITE, *opening)
    canvas.fill(shade(person.iris, 0.5), *rounds(radius), clip=opening)
    canvas.fill(person.iris, *rounds(0.82 * radius), clip=opening)
    canvas.fill((8, 8, 8), *rounds(0.42 * radius), clip=opening)
    canvas.fill((255, 255, 255), *rounds(0.2 * radius, -0.35 * radius), clip=opening)
    shadow = [np.concatenate([top, top[::-1] + np.array((0, 0.35 * high))]) for top in upper]
    canvas.fill(DARK, *shadow, opacity=0.35, soft=0.01, clip=opening)
    canvas.line(shade(skin, 0.2), 0.03 + 0.02 * (person.lipstick > 0), *upper, opacity=0.9)
    canvas.line(shade(skin, 0.45), 0.02, *lower, opacity=0.6)
    folds = curves(-person.eye_height - 0.06, 1.05)
    canvas.line(shade(skin, 0.5), 0.025, *folds, opacity=0.75 * person.lid_fold, soft=0.008)


def _brows(canvas: Canvas, person: Person, view: View, ink: Pixels) -> None:
    t = np.linspace(-1, 1, 13)
    along = t * person.brow_length + 0.02
    rise = -person.brow_gap - view.brow_raise - person.brow_arch * (1 - (t - 0.25) ** 2) - person.brow_tilt * along
    thick = 0.5 * person.brow_thickness * np.interp(t, [-1, -0.8, 0.2, 1], [0.55, 1, 0.95, 0.15])
    brows = []
    for (u, v), lower in zip(eye_centres(person), (0.0, person.skew[1]), strict=True):
        at, middle = u + np.sign(u) * along, v + lower + rise
        brows.append(np.concatenate([joined(at, middle - thick), joined(at, middle + thick)[::-1]]))
    canvas.fill(ink, *brows, opacity=person.brow_density, soft=0.012)


def _mouth(canvas: Canvas, person: Person, view: View) -> None:
    left, right = mouth_corners(person, view)
    t = np.linspace(-1, 1, 17)
    u = 0.5 * (left[0] + right[0]) + 0.5 * (right[0] - left[0]) * t
    rest = left[1] + (person.mouth_v - left[1]) * (1 - t**2)
    arc = np.sqrt(1 - t**2)
    gap = 0.15 * view.mouth_open
    inner_top, inner_low = rest - 0.3 * gap * arc, rest + 0.9 * gap * arc
    notch = 1 - 0.5 * person.bow * np.exp(-((t / 0.16) ** 2))
    outer_top = inner_top - person.upper_lip * arc**0.9 * notch
    outer_low = inner_low + person.lower_lip * arc**1.2
    lips = person.lips if not person.lipstick else mix(person.lips, (60, 40, 180), 0.75 * person.lipstick)

    def band(top: Array, low: Array) -> Array:
        return np.concatenate([joined(u, top), joined(u, low)[::-1]])

    canvas.fill(shade(lips, 0.88), band(outer_top, inner_top + 0.01), opacity=0.95, soft=0.008)
    canvas.fill(lips, band(inner_low - 0.01, outer_low), opacity=0.95, soft=0.008)
    if gap > 0.01:
        inside = band(inner_top, inner_low)
        canvas.fill((30, 22, 52), inside)
        canvas.fill(WHITE, band(inner_top, inner_top + 0.45 * gap * arc), opacity=0.95, clip=[inside])
    canvas.line(shade(lips, 0.35), 0.025, joined(u, inner_top), opacity=0.8)
    below = ellipse(person.skew[3], float(outer_low[8]) + 0.05, 0.5 * person.mouth_width, 0.03)
    canvas.fill(shade(person.skin, 0.6), below, opacity=0.35, soft=0.03)


def _moustache(canvas: Canvas, person: Person, ink: Pixels) -> None:
    half, top = 1.05 * person.mouth_width, person.nose_tip + 0.17
    low = person.mouth_v - 0.5 * person.upper_lip
    knots = [(0, top), (0.6 * half, top + 0.04), (half, low + 0.04), (0.5 * half, low), (0, low - 0.03)]
    mirrored = [(-u, v) for u, v in knots[-2:0:-1]]
    outline = smooth_closed(np.array(knots + mirrored), 40) + np.array((person.skew[3], 0))
    canvas.fill(ink, outline, opacity=0.92 * person.moustache, soft=0.02)


def _front_hair(canvas: Canvas, person: Person, view: View, ink: Pixels) -> None:
    cut = person.hair_cut
    if cut.top <= 0:
        return
    top = person.skull_top - cut.top - view.hair_rise
    wide = person.temple_width + 0.06 + cut.side + 0.5 * view.hair_rise
    bottom = cut.bottom
    inner = cut.inner * person.temple_width
    part = 0.5 * cut.part
    outer = [(wide - 0.12, bottom), (wide + 0.02, 0.5 * (bottom - 0.45)), (wide, -0.5), (0.78 * wide, top + 0.28),
             (0.3 * wide, top)]  # fmt: skip
    highest = person.skull_top + 0.14
    temples = [max(highest, cut.line - cut.temple + 0.06 + tilt * part) for tilt in (0.1, -0.1)]
    line = [(inner, bottom - 0.03), (inner, 0.5 * (bottom - 0.5)), (0.92 * inner, -0.5),
            (0.62, temples[0]), (0.25, max(highest, cut.line - 0.5 * cut.temple))]  # fmt: skip
    left = [(-u, v) for u, v in line]
    left[3] = (-0.62, temples[1])
    knots = [*outer, *[(-u, v) for u, v in outer[::-1]], *left, (part * 0.5, cut.line), *line[::-1]]
    outline = smooth_closed(np.array(knots, float), 160)
    if cut.waves > 0:
        angle = np.arctan2(outline[:, 0], -outline[:, 1])
        outline = outline * (1 + 0.35 * cut.waves * np.sin(26 * angle))[:, None]
    canvas.fill(ink, outline, opacity=0.97, soft=0.012)


def _glasses(canvas: Canvas, person: Person, lens: float) -> None:
    """`lens`: how dark they are, 0..1."""
    round_ = person.glasses_round
    angle = np.linspace(0, 2 * np.pi, 32)
    power = 0.35 + 0.65 * round_
    x = 0.31 * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    y = (0.2 + 0.08 * round_) * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    centres = eye_centres(person)
    rims = [joined(u + x, v + 0.04 + y) for u, v in centres]
    sides = [[(u + np.sign(u) * 0.31, v), (np.sign(u), v - 0.03)] for u, v in centres]
    gap = person.eye_u - 0.31
    bridge = [(-gap, person.eye_v), (0, person.eye_v - 0.03), (gap, person.eye_v)]
    canvas.fill(DARK, *rims, opacity=lens)
    canvas.line(DARK, 0.036, *rims, *sides, bridge, opacity=0.9)


def _cover(canvas: Canvas, person: Person, view: View) -> None:
    """Something that hides a part of the face in this picture only."""
    rng = np.random.default_rng(view.seed)
    b, g, r = (float(value) for value in rng.uniform(10, 230, 3))
    if view.covered_by == "sunglasses":
        _glasses(canvas, person, 0.93)
    elif view.covered_by == "cap":
        low, top = -0.62 + rng.uniform(-0.1, 0.1), person.skull_top - 0.2
        dome = [(-1.1, low), (-1.05, -0.9), (-0.6, top), (0, top - 0.06), (0.6, top), (1.05, -0.9), (1.1, low)]
        canvas.fill((b, g, r), smooth_closed(np.array(dome), 60))
        canvas.fill(shade((b, g, r), 0.6), ellipse(0, low, 1.0, 0.16))
    elif view.covered_by == "scarf":
        canvas.fill((b, g, r), [(-1.4, 1.1), (0, person.mouth_v + 0.2), (1.4, 1.1), (1.5, 2.3), (-1.5, 2.3)], soft=0.02)
    elif view.covered_by == "hand":
        side = float(rng.choice([-1, 1]))
        for finger in range(4):
            at = (side * (0.95 - 0.16 * finger), 1.15 + 0.05 * finger)
            canvas.fill(shade(person.skin, 0.95 - 0.1 * finger), ellipse(*at, 0.1, 0.6, 0.25 * side))
    elif view.covered_by == "bar":
        u, wide = rng.uniform(-1, 1), rng.uniform(0.08, 0.22)
        canvas.fill((b, g, r), [(u, -2.1), (u + wide, -2.1), (u + wide + 0.3, 2.4), (u + 0.3, 2.4)], opacity=0.95)
