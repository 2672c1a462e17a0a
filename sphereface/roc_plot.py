"""The ROC curve as a picture: true accept rate over the logarithm of the false accept rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sphereface.verification import Roc

WIDTH, HEIGHT = 800, 600
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 30, 60, 70  # margins around the axes
_DECADES = 4  # FAR from 1e-4 to 1
_INK, _GRID, _CURVE, _CHANCE = (40, 40, 40), (225, 225, 225), (180, 90, 20), (170, 170, 170)  # BGR
_SHIFT = 4  # fractional bits of cv2's coordinates


def png(curve: Roc, title: str) -> bytes:
    """`curve` drawn with axes and grid, as the bytes of a PNG file of WIDTH x HEIGHT; the same bytes each time."""
    import cv2

    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    _draw_axes(cv2, canvas, title)
    chance = np.logspace(-_DECADES, 0, 200)
    _draw_line(cv2, canvas, chance, chance, _CHANCE, 1)
    far, tar = _steps(curve)
    _draw_line(cv2, canvas, far, tar, _CURVE, 2)
    encoded: bytes = cv2.imencode(".png", canvas, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    return encoded


def _steps(curve: Roc) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The curve as stairs: between two measured points the true accept rate is the one of the stricter threshold."""
    far, tar = np.repeat(curve.far, 2)[1:], np.repeat(curve.tar, 2)[:-1]
    shown = far >= 10.0**-_DECADES
    start = tar[~shown][-1] if not shown.all() else tar[0]
    return np.concatenate([[10.0**-_DECADES], far[shown]]), np.concatenate([[start], tar[shown]])


def _position(far: Any, tar: Any) -> tuple[Any, Any]:
    x = _LEFT + (np.log10(far) + _DECADES) / _DECADES * (WIDTH - _LEFT - _RIGHT)
    y = HEIGHT - _BOTTOM - np.asarray(tar) * (HEIGHT - _TOP - _BOTTOM)
    return x, y


def _draw_line(cv2: Any, canvas: Any, far: Any, tar: Any, colour: tuple[int, int, int], thickness: int) -> None:
    x, y = _position(far, tar)
    points = np.round(np.stack([x, y], axis=1) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [points], False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_axes(cv2: Any, canvas: Any, title: str) -> None:
    for decade in range(-_DECADES, 1):
        for digit in range(1, 10 if decade < 0 else 2):
            x = round(float(_position(digit * 10.0**decade, 0)[0]))
            cv2.line(canvas, (x, _TOP), (x, HEIGHT - _BOTTOM), _GRID, 1)
        x = round(float(_position(10.0**decade, 0)[0]))
        _write(cv2, canvas, f"1e{decade}" if decade else "1", (x, HEIGHT - _BOTTOM + 22))
    for tenth in range(0, 11, 2):
        y = round(float(_position(1, tenth / 10)[1]))
        cv2.line(canvas, (_LEFT, y), (WIDTH - _RIGHT, y), _GRID, 1)
        _write(cv2, canvas, f"{tenth / 10:.1f}", (_LEFT - 24, y + 5))
    cv2.rectangle(canvas, (_LEFT, _TOP), (WIDTH - _RIGHT, HEIGHT - _BOTTOM), _INK, 1)
    _write(cv2, canvas, title, (WIDTH // 2, 32), 0.6)
    _write(cv2, canvas, "false accept rate", ((WIDTH + _LEFT - _RIGHT) // 2, HEIGHT - 18))
    _write(cv2, canvas, "true accept rate", (_LEFT, _TOP - 10))


def _write(cv2: Any, canvas: Any, text: str, centre: tuple[int, int], size: float = 0.5) -> None:
    """`text` centred at an x, standing on a y."""
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0]
    place = (centre[0] - width // 2, centre[1])
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
