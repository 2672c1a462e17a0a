"""From a photograph and five landmarks to the aligned 96x112 crop that the network is built for.

Landmarks are (x, y) in pixels, in the order left eye, right eye, nose, left and right corner of the mouth, as seen
in the image. Images are uint8 BGR, as OpenCV decodes them.
"""

from __future__ import annotations

import functools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sphereface.errors import DataError

Image = NDArray[np.uint8]

HEIGHT, WIDTH = 112, 96
MARGIN = 2
"""Pixels around the crop on the canvas that training cuts its random crops from."""
CANVAS_HEIGHT, CANVAS_WIDTH = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN

REFERENCE: NDArray[np.float64] = np.array(
    [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]
)
"""(5, 2) float64: where the landmarks lie in the 96x112 crop (SphereFace, `preprocess/code/face_align_demo.m`)."""


def similarity(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) float64 matrix that takes landmarks `points` (5, 2) to REFERENCE: scale, rotation, translation.

    As Matlab's `cp2tform(…, 'nonreflective similarity')` does it, the least squares fit runs from the reference to
    the photograph and is inverted then. A forward fit (Umeyama) differs by a median of 2 px in the corners.
    Raises DataError where the landmarks coincide or are not finite.
    """
    reference_centre, centre = REFERENCE.mean(0), points.mean(0)
    (rx, ry), (px, py) = (REFERENCE - reference_centre).T, (points - centre).T
    spread = float(rx @ rx + ry @ ry)
    cosine, sine = float(rx @ px + ry @ py) / spread, float(rx @ py - ry @ px) / spread
    squared = cosine * cosine + sine * sine
    if not 1e-12 < squared < np.inf:
        raise DataError("the five landmarks coincide or are not numbers")
    linear = np.array([[cosine, sine], [-sine, cosine]]) / squared
    return np.column_stack([linear, reference_centre - linear @ centre])


def crop(image: Image, points: NDArray[np.float64], *, margin: int = 0) -> Image:
    """The aligned face, uint8 (112 + 2 margin, 96 + 2 margin, 3): bilinear, black where the photograph ends.

    `image` is uint8 (H, W, 3), `points` (5, 2) in its pixels. Raises DataError where no face can lie.
    """
    height, width = image.shape[:2]
    x, y = points.mean(0)
    if not (0 <= x < width and 0 <= y < height):
        raise DataError(f"the landmarks lie outside the image of {width}x{height} pixels")
    matrix = similarity(points)
    matrix[:, 2] += margin
    _use_one_thread()
    aligned: Image = cv2.warpAffine(image, matrix, (WIDTH + 2 * margin, HEIGHT + 2 * margin), flags=cv2.INTER_LINEAR)
    return aligned


def canvas_of_aligned(image: Image) -> Image:
    """The training canvas uint8 (116, 100, 3) of an image that is an aligned crop already.

    Known by its aspect: 100x116 is the canvas itself, 96x112 gets a margin that repeats its border, so that a centred
    crop gives it back unchanged. Larger and smaller images of these aspects are resized. Raises DataError for others.
    """
    height, width = image.shape[:2]
    _use_one_thread()
    off_crop, off_canvas = abs(width - height * WIDTH / HEIGHT), abs(width - height * CANVAS_WIDTH / CANVAS_HEIGHT)
    if min(off_crop, off_canvas) > 0.5:
        raise DataError(
            f"{width}x{height} pixels is not an aligned crop (96x112 or 100x116): landmarks are needed, "
            "in a CASIA-style list or a landmark.txt beside the folders"
        )
    if off_canvas < off_crop:
        return _resized(image, CANVAS_WIDTH, CANVAS_HEIGHT)
    face = _resized(image, WIDTH, HEIGHT)
    canvas: Image = cv2.copyMakeBorder(face, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REPLICATE)
    return canvas


def normalise(face: Image, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """The network's input: (pixel - 127.5) / 128 of `face`, (H, W, 3), as float32 (3, H, W), into `out` if given."""
    out = np.subtract(face.transpose(2, 0, 1), np.float32(127.5), out=out, dtype=np.float32)
    out *= np.float32(1 / 128)
    return out


def read_image(path: Path) -> Image:
    """Decodes an image file to uint8 (H, W, 3) BGR. Raises DataError "path: why", for truncated files too."""
    _use_one_thread()
    try:
        data = np.fromfile(path, np.uint8)
        image: Image | None = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except cv2.error as error:
        raise DataError(f"{path}: cannot be decoded: {error.err}") from None
    if image is None:
        raise DataError(f"{path}: {'is not a whole image that can be decoded' if data.size else 'is empty'}")
    return image


def encode(image: Image, suffix: str) -> bytes:
    """The bytes of an image file of the kind that `suffix` (".png", ".jpg") names."""
    _, data = cv2.imencode(suffix, image)
    return bytes(data)


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] > height
    resized: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized


@functools.cache
def _use_one_thread() -> None:
    """OpenCV's own threads cost more than they give at this size, and fight with the workers and with MindSpore."""
    cv2.setNumThreads(0)
