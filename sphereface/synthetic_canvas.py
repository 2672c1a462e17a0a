"""The canvas that a face is painted on: soft, partly covering polygons and lines in the face's own coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sphereface.synthetic_geometry import Array
from sphereface.synthetic_person import Colour

Pixels = NDArray[np.float32]
Outline = Array | Sequence[Sequence[float]]

ORIGIN = (-2.1, -2.1)
"""(u, v) of the canvas's first pixel."""
DENSITY = 56
"""Canvas pixels a half head width."""
BITS = 4
"""cv2 draws to a 2**-BITS of a pixel."""
SHAPE = (252, 236)
"""Height, width of the canvas."""


class Canvas:
    """Pixels (H, W, 3) float32 BGR 0..255 that polygons in (u, v) are painted on, and how far each is covered, 0..1."""

    def __init__(self, pixels: Pixels, cover: Pixels) -> None:
        self.pixels = pixels
        self.cover = cover

    @classmethod
    def empty(cls) -> Canvas:
        return cls(np.zeros((*SHAPE, 3), np.float32), np.zeros(SHAPE, np.float32))

    def copy(self) -> Canvas:
        return Canvas(self.pixels.copy(), self.cover.copy())

    def fill(self, ink: Colour | Pixels, *polygons: Outline, opacity: float = 1.0, soft: float = 0.0,
             clip: Sequence[Outline] = ()) -> None:  # fmt: skip
        """Paints polygons (K, 2) that do not overlap, within the polygons `clip` if there are any.

        `ink`: one colour, or pixels (H, W, 3). `soft`: width of the blurred edge in (u, v).
        """
        points = _fixed_point(polygons)
        mask, corner = _mask(points, 3 * soft * DENSITY + 2)
        cv2.fillPoly(mask, [line - corner for line in points], 255, cv2.LINE_AA, BITS)
        if clip:
            inside = np.zeros_like(mask)
            cv2.fillPoly(inside, [line - corner for line in _fixed_point(clip)], 255, cv2.LINE_AA, BITS)
            mask = cv2.multiply(mask, inside, scale=1 / 255)
        self._blend(mask, corner >> BITS, ink, opacity, soft)

    def line(self, colour: Colour, width: float, *lines: Outline, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Draws open lines (K, 2) of a width in (u, v)."""
        points = _fixed_point(lines)
        wide = max(1, round(width * DENSITY))
        mask, corner = _mask(points, wide + 3 * soft * DENSITY + 2)
        cv2.polylines(mask, [line - corner for line in points], False, 255, wide, cv2.LINE_AA, BITS)
        self._blend(mask, corner >> BITS, colour, opacity * min(1.0, width * DENSITY / wide), soft)

    def _blend(self, mask: Any, corner: Any, ink: Colour | Pixels, opacity: float, soft: float) -> None:
        if opacity <= 0 or not mask.size:
            return
        if soft > 0:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * DENSITY)
        share = mask * np.float32(opacity / 255)
        part = np.s_[corner[1] : corner[1] + mask.shape[0], corner[0] : corner[0] + mask.shape[1]]
        pixels, cover = self.pixels[part], self.cover[part]
        # cv2 does in 5 us what numpy does in 60, where the last axis has three elements only.
        change = cv2.subtract(ink[part] if isinstance(ink, np.ndarray) else (*ink, 0.0), pixels)
        cv2.add(pixels, cv2.multiply(change, cv2.merge((share, share, share))), pixels)
        cover += share * (1 - cover)


def _fixed_point(outlines: Sequence[Outline]) -> list[Any]:
    """Canvas coordinates (K, 2) int32 in 2**-BITS pixels, as cv2 draws them."""
    scale = DENSITY << BITS
    return [np.rint((np.asarray(outline) - ORIGIN) * scale).astype(np.int32) for outline in outlines]


def _mask(points: Sequence[Any], margin: float) -> tuple[Any, Any]:
    """An empty mask around the points, cut to the canvas, and the place (x, y) of its corner, as `_fixed_point`."""
    x, y, wide, high = (value >> BITS for value in cv2.boundingRect(np.concatenate(points)))
    border = int(margin) + 1
    left, top = max(0, x - border), max(0, y - border)
    right, bottom = min(SHAPE[1], x + wide + border), min(SHAPE[0], y + high + border)
    mask = np.zeros((max(0, bottom - top), max(0, right - left)), np.uint8)
    return mask, np.array((left << BITS, top << BITS), np.int32)


def joined(u: Array, v: Array) -> Array:
    """Points (K, 2) of their coordinates (K,)."""
    points = np.empty((len(u), 2))
    points[:, 0], points[:, 1] = u, v
    return points


def ellipse(u: float, v: float, wide: float, high: float, tilt: float = 0.0) -> Array:
    """A closed polygon about (u, v) with half axes `wide` and `high`, turned clockwise by `tilt`."""
    cos, sin = _circle()
    x, y = wide * cos, high * sin
    return joined(u + x * math.cos(tilt) - y * math.sin(tilt), v + x * math.sin(tilt) + y * math.cos(tilt))


@cache
def _circle(points: int = 20) -> tuple[Array, Array]:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.cos(angle), np.sin(angle)


def shade(colour: Colour, factor: float) -> Colour:
    b, g, r = (min(255.0, value * factor) for value in colour)
    return b, g, r


def mix(low: Colour, high: Colour, t: float) -> Colour:
    b, g, r = ((1 - t) * x + t * y for x, y in zip(low, high, strict=True))
    return b, g, r
