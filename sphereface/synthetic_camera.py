"""Takes the picture: turns and lights a painted head, puts it before a background, and adds a camera's faults."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from sphereface.synthetic_canvas import DENSITY, ORIGIN, Pixels
from sphereface.synthetic_features import paint
from sphereface.synthetic_sitter import Sitter
from sphereface.synthetic_view import SIDE, View

STEPS = 6
"""Rounds of the fixed-point search for the point of the face that a pixel sees."""


def photograph(sitter: Sitter, view: View) -> bytes:
    """The picture as a JPEG file, SIDE x SIDE, BGR colour."""
    rng = np.random.default_rng([view.seed, 1])
    canvas = paint(sitter, view)
    map_u, map_v = seen_points(sitter.height, view)
    face = cv2.remap(canvas.pixels, map_u, map_v, cv2.INTER_LINEAR)
    layers = cv2.merge([_light(sitter.normals, view), 1 - canvas.cover])
    light, open_ = cv2.split(cv2.remap(layers, map_u, map_v, cv2.INTER_LINEAR, borderValue=(1, 1)))
    picture = _times(face, light) + _times(_background(rng, view), open_)
    done, data = cv2.imencode(".jpg", _develop(picture, view, rng), [cv2.IMWRITE_JPEG_QUALITY, view.quality])
    if not done:
        raise RuntimeError("cv2 could not encode a JPEG")
    return bytes(data)


def _times(picture: Any, factors: Any) -> Any:
    """Pixels (H, W, 3) times factors (H, W); several times as fast as broadcasting."""
    return cv2.multiply(picture, cv2.merge((factors, factors, factors)))


def seen_points(height: Pixels, view: View) -> tuple[Any, Any]:
    """Canvas x and y (SIDE, SIDE) float32 that each pixel of the picture shows: the inverse of `to_image`."""
    pixel = np.arange(SIDE, dtype=np.float32)
    x0, y0 = pixel[None, :] - np.float32(view.centre[0]), pixel[:, None] - np.float32(view.centre[1])
    cos, sin = np.cos(view.roll) / view.scale, np.sin(view.roll) / view.scale
    x, y = np.float32(cos) * x0 + np.float32(sin) * y0, np.float32(cos) * y0 - np.float32(sin) * x0
    tilted, turned = np.float32(1 / np.cos(view.pitch)), np.float32(1 / np.cos(view.yaw))
    sin_yaw, cos_yaw, sin_pitch = (np.float32(f) for f in (np.sin(view.yaw), np.cos(view.yaw), np.sin(view.pitch)))
    z = np.full_like(x, 0.5)
    for _ in range(STEPS):
        u = (x - z * sin_yaw) * turned
        v = (y - (z * cos_yaw - u * sin_yaw) * sin_pitch) * tilted
        map_u, map_v = (u - np.float32(ORIGIN[0])) * DENSITY, (v - np.float32(ORIGIN[1])) * DENSITY
        z = cv2.remap(height, map_u, map_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return map_u, map_v


def _light(normals: tuple[Pixels, Pixels, Pixels], view: View) -> Any:
    """Brightness (H, W) float32 of the surface: ambient and diffuse light, and a little gloss."""
    facing = sum(np.float32(light) * normal for light, normal in zip(view.light, normals, strict=True))
    diffuse = np.maximum(facing, np.float32(0))
    gloss = cv2.pow(diffuse, 16)
    return view.ambient + (1.15 - view.ambient) * diffuse + np.float32(0.12) * gloss


def _background(rng: np.random.Generator, view: View) -> Any:
    """A blurred room: patches of colour and a few shapes."""
    grey = rng.uniform(10, 235, (int(rng.integers(1, 5)), int(rng.integers(1, 5)), 1))
    patches = np.clip(grey + rng.normal(0, 18, (*grey.shape[:2], 3)), 0, 255).astype(np.uint8)
    picture = cv2.resize(patches, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 6))):
        colour = [int(value) for value in np.clip(rng.uniform(10, 235) + rng.normal(0, 22, 3), 0, 255)]
        corner, extent = rng.integers(-30, SIDE, 2), rng.integers(8, 90, 2)
        first, last = [int(c) for c in corner], [int(c) for c in corner + extent]
        cv2.rectangle(picture, first, last, colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), 0.8 + 3 * rng.random()).astype(np.float32) * np.float32(0.5 + view.ambient)


def _develop(picture: Any, view: View, rng: np.random.Generator) -> Any:
    """Exposure, colour, sharpness and noise; uint8 (SIDE, SIDE, 3)."""
    if view.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), view.blur)
    mix = np.full((3, 3), 1 - view.saturation) * (0.114, 0.587, 0.299) + np.eye(3) * view.saturation
    tint = np.array(view.tint if view.saturation > 0 else (1.0, 1.0, 1.0)) * view.gain / 255
    picture = np.clip(cv2.transform(picture, mix * tint[:, None]), 0, 1)
    noise = np.float32(view.noise) * rng.standard_normal((SIDE, SIDE), np.float32)
    picture = cv2.pow(picture, view.gamma) * 255 + cv2.merge((noise, noise, noise))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)
