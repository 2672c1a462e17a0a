"""The canvas that a face is painted on: soft, partly covering polygons and lines in the face's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence
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
        points = [to_canvas(polygon) for polygon in polygons]
        mask, corner = _mask(points, 3 * soft * DENSITY + 2)
        cv2.fillPoly(mask, _fixed_point(points, corner), 255, cv2.LINE_AA, 4)
        if clip:
            inside = np.zeros_like(mask)
            cv2.fillPoly(inside, _fixed_point([to_canvas(polygon) for polygon in clip], corner), 255, cv2.LINE_AA, 4)
            mask = cv2.multiply(mask, inside, scale=1 / 255)
        self._blend(mask, corner, ink, opacity, soft)

    def line(self, colour: Colour, width: float, *lines: Outline, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Draws open lines (K, 2) of a width in (u, v)."""
        points = [to_canvas(line) for line in lines]
        wide = max(1, round(width * DENSITY))
        mask, corner = _mask(points, wide + 3 * soft * DENSITY + 2)
        cv2.polylines(mask, _fixed_point(points, corner), False, 255, wide, cv2.LINE_AA, 4)
        self._blend(mask, corner, colour, opacity * min(1.0, width * DENSITY / wide), soft)

    def _blend(self, mask: Any, corner: Any, ink: Colour | Pixels, opacity: float, soft: float) -> None:
        if opacity <= 0 or not mask.size:
            return
        if soft > 0:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * DENSITY)
        share = mask * np.float32(opacity / 255)
        part = np.s_[corner[1] : corner[1] + mask.shape[0], corner[0] : corner[0] + mask.shape[1]]
        pixels, cover = self.pixels[part], self.cover[part]
        change = (ink[part] if isinstance(ink, np.ndarray) else np.array(ink, np.float32)) - pixels
        change *= share[:, :, None]
        pixels += change
        cover += share * (1 - cover)


def _mask(points: Sequence[Array], margin: float) -> tuple[Any, Any]:
    """An empty mask around the points, and the canvas pixel (x, y) of its corner."""
    low = np.min([line.min(0) for line in points], axis=0) - margin
    high = np.max([line.max(0) for line in points], axis=0) + margin
    x, y = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(SHAPE[1], int(high[0]) + 2), min(SHAPE[0], int(high[1]) + 2)
    return np.zeros((max(0, bottom - y), max(0, right - x)), np.uint8), (x, y)


def _fixed_point(points: Sequence[Array], corner: Any) -> list[Any]:
    """Coordinates in sixteenths of a pixel, as cv2 draws them."""
    return [np.round((line - corner) * 16).astype(np.int32) for line in points]


def to_canvas(points: Outline) -> Array:
    return np.asarray((np.asarray(points, float) - ORIGIN) * DENSITY)


def ellipse(u: float, v: float, wide: float, high: float, tilt: float = 0.0, points: int = 24) -> Array:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = wide * np.cos(angle), high * np.sin(angle)
    return np.stack([u + x * np.cos(tilt) - y * np.sin(tilt), v + x * np.sin(tilt) + y * np.cos(tilt)], axis=1)


def shade(colour: Colour, factor: float) -> Colour:
    b, g, r = (min(255.0, value * factor) for value in colour)
    return b, g, r


def mix(low: Colour, high: Colour, t: float) -> Colour:
    b, g, r = ((1 - t) * x + t * y for x, y in zip(low, high, strict=True))
    return b, g, r
