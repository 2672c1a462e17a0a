"""From images to embeddings: decoding and aligning on threads, ahead of the network, in batches of one shape."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sphereface import align
from sphereface.data import prefetch
from sphereface.errors import DataError

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


def embed_files(
    network: Callable[[Any], Any],
    images: Sequence[Path],
    points: Points,
    *,
    batch_size: int,
    flip: bool,
    progress: Callable[[int], None],
) -> tuple[Array, Array | None]:
    """Embeddings (N, 512) float32 of image files by their landmarks (N, 5, 2), and those of the mirrored images.

    The second is None unless `flip`. `progress` gets the number of images done, after every batch.
    Raises DataError naming the first file that is no image, or whose landmarks fit no face.
    """
    plain: list[Array] = []
    mirrored: list[Array] = []
    for crops in _batches_ahead(images, points, batch_size):
        plain.append(embed_crops(network, crops, batch_size))
        if flip:
            mirrored.append(embed_crops(network, crops[..., ::-1, :], batch_size))
        progress(sum(map(len, plain)))
    return np.concatenate(plain), np.concatenate(mirrored) if flip else None


def embed_crops(network: Callable[[Any], Any], crops: npt.NDArray[np.uint8], batch_size: int) -> Array:
    """Embeddings (n, 512) float32 of at most `batch_size` aligned crops (n, 112, 96, 3) uint8 BGR.

    The network always sees `batch_size` images, so that it is compiled for one shape only.
    """
    from mindspore import Tensor

    images = np.zeros((batch_size, 3, align.HEIGHT, align.WIDTH), np.float32)
    for crop, image in zip(crops, images, strict=False):
        align.normalise(crop, image)
    embeddings: Array = network(Tensor(images)).asnumpy()
    return embeddings[: len(crops)].astype(np.float32)


def aligned_crop(path: Path, points: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The crop (112, 96, 3) uint8 BGR of an image file by its landmarks (5, 2). Raises DataError naming the file."""
    image = align.read_image(path)
    try:
        return align.crop(image, points)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _batches_ahead(images: Sequence[Path], points: Points, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Batches (<= size, 112, 96, 3) in order."""

    def load(begin: int) -> npt.NDArray[np.uint8]:
        chosen = slice(begin, begin + size)
        return np.stack([aligned_crop(*image) for image in zip(images[chosen], points[chosen], strict=True)])

    return prefetch.ordered(load, range(0, len(images), size), min(4, os.cpu_count() or 1))
