"""Who a made-up person is: the parameters of a face that stay the same in every picture, and how they are sampled.

Lengths are in units of half the head's width, in the plane of the face: u to the right of the image, v down,
(0, 0) between eyes and nose. Everything is invented: no photograph is behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Colour = tuple[float, float, float]  # blue, green, red, 0..255

SKIN: tuple[Colour, ...] = (
    (198, 214, 246), (172, 196, 236), (146, 178, 224), (118, 152, 206), (92, 124, 182), (66, 94, 148), (46, 66, 108),
)  # fmt: skip
"""Skin from light to dark."""
HAIR: tuple[Colour, ...] = (
    (24, 24, 28), (30, 38, 54), (42, 60, 92), (62, 98, 142), (106, 164, 204), (40, 70, 152), (142, 146, 148),
    (206, 212, 214),
)  # fmt: skip
"""Hair: black, dark brown, brown, light brown, blond, red, grey, white."""
IRIS: tuple[Colour, ...] = ((20, 36, 62), (34, 64, 104), (62, 102, 96), (142, 118, 82), (128, 124, 112))
"""Irises: dark brown, brown, green, blue, grey."""


@dataclass(frozen=True)
class HairCut:
    """Outline of the hair."""

    top: float
    """Height of the hair above the skull; 0 is a shaved head."""
    side: float
    """Thickness of the hair beside the head."""
    bottom: float
    """v at which the hair ends beside the face."""
    line: float
    """v of the hairline in the middle of the forehead."""
    temple: float
    """How far the hairline recedes beside the middle (negative: a widow's peak turned round, i.e. a round fringe)."""
    inner: float
    """u at which the hair beside the face begins."""
    part: float
    """Side of the parting, -1 (left) to 1; 0 has none."""
    waves: float
    """Amplitude of curls along the outline."""


CUTS: dict[str, HairCut] = {
    "shaved": HairCut(0.0, 0.0, -0.5, -1.2, 0.0, 1.0, 0.0, 0.0),
    "cropped": HairCut(0.07, 0.05, -0.05, -0.86, 0.1, 0.97, 0.0, 0.0),
    "receding": HairCut(0.06, 0.08, 0.1, -0.98, 0.16, 0.97, 0.0, 0.01),
    "parted": HairCut(0.22, 0.1, 0.0, -0.82, 0.05, 0.96, 0.8, 0.01),
    "quiff": HairCut(0.42, 0.06, -0.1, -0.9, 0.0, 0.97, 0.2, 0.03),
    "fringe": HairCut(0.2, 0.16, 0.75, -0.46, -0.06, 0.88, 0.0, 0.01),
    "bob": HairCut(0.2, 0.26, 1.1, -0.72, 0.06, 0.84, 0.4, 0.02),
    "long": HairCut(0.18, 0.24, 2.3, -0.86, 0.1, 0.86, 0.0, 0.03),
    "curly": HairCut(0.42, 0.42, 0.7, -0.74, 0.04, 0.9, 0.0, 0.09),
    "tied": HairCut(0.09, 0.05, -0.2, -0.9, 0.14, 0.97, 0.0, 0.0),
}


@dataclass(frozen=True)
class Person:
    """One made-up person. Sizes in half head widths, angles in radians, the rest 0..1 unless said otherwise."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    cut: str
    hair_cut: HairCut
    skull_top: float
    """v of the top of the skull."""
    temple_width: float
    cheek_width: float
    jaw_width: float
    chin_width: float
    chin: float
    """v of the chin's lowest point."""
    eye_u: float
    """Distance of each eye from the middle."""
    eye_v: float
    eye_width: float
    """Half the length of the eye's opening."""
    eye_height: float
    eye_tilt: float
    lid_fold: float
    socket: float
    iris_radius: float
    brow_gap: float
    """Height of the brow above the eye."""
    brow_length: float
    brow_thickness: float
    brow_arch: float
    brow_tilt: float
    brow_density: float
    nose_tip: float
    """v of the tip of the nose."""
    nose_width: float
    """Half the width across the wings."""
    nose_bridge: float
    nose_height: float
    nose_hook: float
    """How far the nostrils lie below the tip; negative turns the nose up."""
    mouth_v: float
    mouth_width: float
    """Half the width of the closed mouth."""
    upper_lip: float
    lower_lip: float
    bow: float
    """Depth of the notch in the upper lip."""
    mouth_droop: float
    """How far the corners of the resting mouth hang down; negative turns them up."""
    cheekbone: float
    ear: float
    age: float
    blush: float
    lipstick: float
    moustache: float
    beard: float
    chin_beard: float
    freckles: float
    wears_glasses: bool
    glasses_round: float
    marks: tuple[tuple[float, float, float], ...]
    """Moles: u, v and radius."""
    skew: tuple[float, float, float, float]
    """Asymmetry: right eye lower by, right brow lower by, nose to the right by, mouth to the right by."""
    texture_seed: int
    """Seed of the skin's and the hair's fine pattern."""


HEAD_AND_EYES: dict[str, tuple[float, float]] = {
    "skull_top": (-1.36, -1.12), "temple_width": (0.88, 0.98), "chin_width": (0.36, 0.6), "chin": (1.16, 1.5),
    "eye_u": (0.37, 0.49), "eye_v": (-0.2, -0.06), "eye_width": (0.15, 0.215), "eye_height": (0.055, 0.115),
    "eye_tilt": (-0.22, 0.26),
}  # fmt: skip
"""Ranges of parameters that vary evenly; that of chin_width is a share of the jaw's width."""
LIDS_TO_EARS: dict[str, tuple[float, float]] = {
    "socket": (0, 1), "iris_radius": (0.07, 0.095), "brow_gap": (0.17, 0.32), "brow_length": (0.19, 0.29),
    "brow_thickness": (0.022, 0.085), "brow_arch": (0.0, 0.1), "brow_tilt": (-0.1, 0.24), "brow_density": (0.55, 1),
    "nose_tip": (0.26, 0.52), "nose_width": (0.13, 0.27), "nose_bridge": (0.07, 0.13), "nose_height": (0.2, 0.42),
    "nose_hook": (-0.05, 0.06), "mouth_v": (0.72, 0.9), "mouth_width": (0.22, 0.4), "upper_lip": (0.025, 0.1),
    "lower_lip": (0.04, 0.13), "bow": (0.0, 0.9), "mouth_droop": (-0.05, 0.06), "cheekbone": (0, 1),
    "ear": (0.5, 1.2),
}  # fmt: skip
"""More such ranges, drawn after the fold of the lid."""


def sample_person(rng: np.random.Generator) -> Person:
    """A new person; every part varies independently but for a few that go together (beard and cut, skin and hair)."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def some(chance: float, low: float = 0.4, high: float = 1.0) -> float:
        value = between(low, high)
        return value if rng.random() < chance else 0.0

    bearded = rng.random() < 0.5
    age = between(0, 1) ** 1.5
    tone = between(0, 1)
    cut = str(rng.choice(["shaved", "cropped", "receding", "parted", "quiff", "curly", "long"] if bearded
                         else ["fringe", "bob", "long", "curly", "tied", "parted", "quiff"]))  # fmt: skip
    cheek = between(0.84, 1.0)
    jaw = cheek * between(0.76, 0.95)
    skin = _jitter(rng, _blend(SKIN, tone * (len(SKIN) - 1)), 7)
    hair = _sample_hair(rng, tone, age)
    iris = _jitter(rng, IRIS[int(rng.integers(0, 2 if tone > 0.55 else len(IRIS)))], 10)
    lips = _jitter(rng, (0.62 * skin[0], 0.6 * skin[1], 0.86 * skin[2]), 8)
    hair_cut = _vary_cut(rng, CUTS[cut])
    head = _evenly(rng, HEAD_AND_EYES)
    head["chin_width"] *= jaw
    return Person(
        skin=skin,
        hair=hair,
        iris=iris,
        lips=lips,
        cut=cut,
        hair_cut=hair_cut,
        cheek_width=cheek,
        jaw_width=jaw,
        **head,
        lid_fold=some(0.75),
        **_evenly(rng, LIDS_TO_EARS),
        age=age,
        blush=between(0, 1),
        lipstick=0.0 if bearded else some(0.4),
        moustache=some(0.4) if bearded else 0.0,
        beard=some(0.4) if bearded else 0.0,
        chin_beard=some(0.3) if bearded else 0.0,
        freckles=some(0.25 if tone < 0.5 else 0.08),
        wears_glasses=bool(rng.random() < 0.25),
        glasses_round=between(0, 1),
        marks=tuple((between(-0.75, 0.75), between(-0.9, 1.1), between(0.016, 0.035))
                    for _ in range(int(rng.integers(0, 4)))),
        skew=(between(-0.03, 0.03), between(-0.04, 0.04), between(-0.04, 0.04), between(-0.04, 0.04)),
        texture_seed=int(rng.integers(0, 2**31)),
    )  # fmt: skip


def _evenly(rng: np.random.Generator, ranges: dict[str, tuple[float, float]]) -> dict[str, Any]:
    return {name: float(rng.uniform(low, high)) for name, (low, high) in ranges.items()}


def _sample_hair(rng: np.random.Generator, tone: float, age: float) -> Colour:
    grey = rng.random() < 0.9 * (age - 0.45)
    index = int(rng.integers(6, 8)) if grey else int(rng.integers(0, 2 if tone > 0.6 else 6))
    return _jitter(rng, HAIR[index], 9)


def _vary_cut(rng: np.random.Generator, cut: HairCut) -> HairCut:
    def about(value: float, spread: float) -> float:
        return value + float(rng.uniform(-spread, spread))

    side = 1.0 if rng.random() < 0.5 else -1.0
    return HairCut(
        top=max(0.0, about(cut.top, 0.35 * cut.top)), side=max(0.0, about(cut.side, 0.35 * cut.side)),
        bottom=about(cut.bottom, 0.12), line=about(cut.line, 0.08), temple=about(cut.temple, 0.08),
        inner=about(cut.inner, 0.03), part=side * cut.part, waves=max(0.0, about(cut.waves, 0.5 * cut.waves)),
    )  # fmt: skip


def _blend(palette: tuple[Colour, ...], at: float) -> Colour:
    index = min(int(at), len(palette) - 2)
    t = at - index
    b, g, r = ((1 - t) * low + t * high for low, high in zip(palette[index], palette[index + 1], strict=True))
    return b, g, r


def _jitter(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    b, g, r = (float(np.clip(value + rng.uniform(-spread, spread), 6, 250)) for value in colour)
    return b, g, r
