"""Which image stands where in an epoch, and how it is cropped and flipped there.

Everything is drawn from (seed, epoch) for all positions of the epoch at once, so that neither the number of ranks or
workers nor the step that a run goes on from has a say in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sphereface.align import HEIGHT, MARGIN, WIDTH, normalise

_ORDER, _AUGMENTATION = 0, 1  # streams that are drawn apart from each other

_LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Augmentation:
    """What is done to the image at each of N positions: corner of the crop on the canvas and flip, each (N,);
    factors of brightness and saturation, (N,) float32, or None without colour jitter."""

    top: NDArray[np.intp]
    left: NDArray[np.intp]
    flip: NDArray[np.bool_]
    brightness: NDArray[np.float32] | None = None
    saturation: NDArray[np.float32] | None = None


def order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The images of an epoch by position: a permutation of 0..count-1."""
    return _generator(seed, epoch, _ORDER).permutation(count)


def augmentation(count: int, seed: int, epoch: int, color_jitter: float) -> Augmentation:
    """Random crop (with p = .5 at an offset of 0..4 in each axis, else centred), flip (p = .5), colour jitter."""
    generator = _generator(seed, epoch, _AUGMENTATION)
    moved = generator.random(count) < 0.5
    corners = generator.integers(0, 2 * MARGIN + 1, (2, count))
    top, left = np.where(moved, corners, MARGIN)
    flip = generator.random(count) < 0.5
    if not color_jitter:
        return Augmentation(top, left, flip)
    factors = generator.uniform(1 - color_jitter, 1 + color_jitter, (2, count)).astype(np.float32)
    return Augmentation(top, left, flip, *factors)


def augment(canvas: NDArray[np.uint8], how: Augmentation, position: int, out: NDArray[np.float32]) -> None:
    """Crops and flips `canvas`, uint8 (116, 100, 3) BGR, into `out`, float32 (3, 112, 96), normalised.

    Colour jitter works on the normalised pixels as in the zoo, where brightness therefore acts as contrast.
    """
    top, left = how.top[position], how.left[position]
    face = canvas[top : top + HEIGHT, left : left + WIDTH]
    normalise(face[:, ::-1] if how.flip[position] else face, out)
    if how.brightness is not None and how.saturation is not None:
        saturation = how.saturation[position]
        grey = np.tensordot(_LUMA_BGR, out, 1)
        out *= saturation
        out += (1 - saturation) * grey
        out *= how.brightness[position]


def _generator(seed: int, epoch: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, stream))))
