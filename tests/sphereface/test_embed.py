from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from mindspore import Tensor

from sphereface import align, embed
from sphereface.errors import DataError

Array = npt.NDArray[Any]


class FakeNetwork:
    """Embeds an image as the means of its left and right half; remembers the shapes it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, images: Any) -> Any:
        values = images.asnumpy()
        self.shapes.append(values.shape)
        return Tensor(np.stack([values[..., :48].mean((1, 2, 3)), values[..., 48:].mean((1, 2, 3))], axis=1))


def draw(folder: Path, count: int) -> tuple[list[Path], Array]:
    """Aligned faces of random greys, a darker left half; written without loss."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        image = np.full((align.HEIGHT, align.WIDTH, 3), rng.integers(100, 256), np.uint8)
        image[:, :48] //= 2
        paths.append(folder / f"{i}.png")
        cv2.imwrite(str(paths[-1]), image)
    return paths, np.repeat(align.REFERENCE[None], count, axis=0)


def test_embeddings_are_in_order_and_the_network_sees_one_shape(tmp_path: Path) -> None:
    paths, points = draw(tmp_path, 7)
    network, done = FakeNetwork(), list[int]()
    plain, flipped = embed.embed_files(network, paths, points, batch_size=3, flip=False, progress=done.append)
    expected = [(np.array([v // 2, v]) - 127.5) / 128 for v in (cv2.imread(str(path))[0, 95, 0] for path in paths)]
    np.testing.assert_allclose(plain, expected, atol=1e-5)
    assert flipped is None
    assert plain.dtype == np.float32
    assert done == [3, 6, 7]
    assert network.shapes == [(3, 3, 112, 96)] * 3


def test_mirrored_images_have_left_and_right_exchanged(tmp_path: Path) -> None:
    paths, points = draw(tmp_path, 4)
    plain, flipped = embed.embed_files(
        FakeNetwork(), paths, points, batch_size=4, flip=True, progress=lambda _done: None
    )
    assert flipped is not None
    np.testing.assert_allclose(flipped, plain[:, ::-1], atol=1e-6)
    assert np.abs(plain[:, 0] - plain[:, 1]).min() > 0.3


def test_the_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths, points = draw(tmp_path, 5)
    paths[3].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3\.png"):
        embed.embed_files(FakeNetwork(), paths, points, batch_size=2, flip=False, progress=lambda _done: None)


def test_the_image_whose_landmarks_fit_no_face_is_named(tmp_path: Path) -> None:
    paths, points = draw(tmp_path, 2)
    with pytest.raises(DataError, match=r"1\.png: the five landmarks coincide"):
        embed.aligned_crop(paths[1], np.full((5, 2), 50.0))
    with pytest.raises(DataError, match=r"0\.png: the landmarks lie outside"):
        embed.aligned_crop(paths[0], points[0] + 500)
