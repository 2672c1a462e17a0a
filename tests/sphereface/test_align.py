from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sphereface import align
from sphereface.errors import DataError


def moved(x: float, y: float) -> NDArray[np.float64]:
    shift: NDArray[np.float64] = np.array([x, y])
    return np.add(align.REFERENCE, shift)


def test_similarity_of_a_hand_derived_turn() -> None:
    # The photograph shows the crop turned by 90 degrees, twice as large, moved to (200, 10):
    # p = 2 * (-y, x) + (200, 10), so x = (py - 10) / 2 and y = (200 - px) / 2.
    points = 2 * np.stack([-align.REFERENCE[:, 1], align.REFERENCE[:, 0]], 1) + [200, 10]
    np.testing.assert_allclose(align.similarity(points), [[0, 0.5, -5], [-0.5, 0, 100]], atol=1e-12)


def test_similarity_is_the_inverted_fit_of_cp2tform() -> None:
    points = align.REFERENCE * 1.5 + [20, 30] + np.random.default_rng(1).normal(0, 4, (5, 2))
    x, y = align.REFERENCE.T
    one, zero = np.ones(5), np.zeros(5)
    equations = np.vstack([np.stack([x, y, one, zero], 1), np.stack([y, -x, zero, one], 1)])
    sc, ss, tx, ty = np.linalg.lstsq(equations, points.T.ravel(), rcond=None)[0]
    expected = np.linalg.inv(np.array([[sc, -ss, 0], [ss, sc, 0], [tx, ty, 1]]))[:, :2].T
    np.testing.assert_allclose(align.similarity(points), expected, rtol=1e-9, atol=1e-9)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = align.REFERENCE * np.array([-1.0, 1.0]) + np.array([96.0, 0.0])
    linear = align.similarity(mirrored)[:, :2]
    assert np.linalg.det(linear) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 40.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_landmarks_without_a_similarity(points: NDArray[np.float64]) -> None:
    with pytest.raises(DataError, match="coincide"):
        align.similarity(points)


def test_crop_puts_the_landmarks_on_the_reference() -> None:
    angle = np.deg2rad(25)
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (align.REFERENCE - [48, 56]) @ turn.T + np.array([150.0, 140.0])
    image = np.zeros((300, 300, 3), np.uint8)
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), 5, (255, 255, 255), -1)
    face = align.crop(image, points)
    assert face.shape == (112, 96, 3)
    assert face.dtype == np.uint8
    _, _, _, centres = cv2.connectedComponentsWithStats((face[..., 0] > 127).astype(np.uint8))
    found = centres[1:][np.lexsort((centres[1:, 0], centres[1:, 1].round(-1)))]
    expected = align.REFERENCE[np.lexsort((align.REFERENCE[:, 0], align.REFERENCE[:, 1].round(-1)))]
    np.testing.assert_allclose(found, expected, atol=0.6)


def test_the_margin_only_adds_a_border() -> None:
    image = cv2.resize(np.random.default_rng(2).integers(0, 256, (9, 9, 3), np.uint8), (200, 200))
    points = moved(50, 40)
    canvas = align.crop(image, points, margin=2)
    assert canvas.shape == (116, 100, 3)
    np.testing.assert_array_equal(canvas[2:-2, 2:-2], align.crop(image, points))
    np.testing.assert_array_equal(canvas, image[38:154, 48:148])


def test_beyond_the_photograph_is_black() -> None:
    face = align.crop(np.full((112, 96, 3), 200, np.uint8), moved(30, 0))
    assert (face[:, :65] == 200).all()
    assert (face[:, 67:] == 0).all()


def test_landmarks_outside_the_image() -> None:
    with pytest.raises(DataError, match="lie outside the image of 50x40 pixels"):
        align.crop(np.zeros((40, 50, 3), np.uint8), align.REFERENCE)


def test_an_aligned_crop_stays_as_it_is_in_the_middle_of_its_canvas() -> None:
    face = np.random.default_rng(3).integers(0, 256, (112, 96, 3), np.uint8)
    canvas = align.canvas_of_aligned(face)
    assert canvas.shape == (116, 100, 3)
    np.testing.assert_array_equal(canvas[2:-2, 2:-2], face)
    np.testing.assert_array_equal(canvas[0, 2:-2], face[0])
    np.testing.assert_array_equal(align.canvas_of_aligned(canvas), canvas)


@pytest.mark.parametrize(("height", "width"), [(224, 192), (232, 200), (56, 48), (116, 100), (113, 97)])
def test_other_sizes_of_the_same_aspect_are_resized(height: int, width: int) -> None:
    canvas = align.canvas_of_aligned(np.full((height, width, 3), 90, np.uint8))
    assert canvas.shape == (116, 100, 3)
    assert (canvas == 90).all()


@pytest.mark.parametrize("shape", [(112, 112), (250, 250), (96, 112)])
def test_other_aspects_need_landmarks(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=f"{shape[1]}x{shape[0]} pixels is not an aligned crop.*landmarks are needed"):
        align.canvas_of_aligned(np.zeros((*shape, 3), np.uint8))


def test_normalise() -> None:
    face = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    out = np.empty((3, 2, 3), np.float32)
    assert align.normalise(face, out) is out
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, ((face.astype(float) - 127.5) / 128).transpose(2, 0, 1))
    np.testing.assert_array_equal(align.normalise(face), out)


def test_read_image_gives_bgr(tmp_path: Path) -> None:
    (tmp_path / "blue.png").write_bytes(align.encode(np.full((3, 4, 3), (255, 0, 0), np.uint8), ".png"))
    image = align.read_image(tmp_path / "blue.png")
    assert image.shape == (3, 4, 3)
    assert (image == (255, 0, 0)).all()


def test_a_grey_image_gets_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 5), 77, np.uint8))
    assert (align.read_image(tmp_path / "grey.png") == np.full((5, 5, 3), 77)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_image_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    data = align.encode(np.random.default_rng(4).integers(0, 256, (80, 80, 3), np.uint8), suffix)
    file = tmp_path / f"cut{suffix}"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DataError, match=f"cut{suffix}: is not a whole image"):
        align.read_image(file)


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is empty"), (b"GIF? no, text", "is not a whole image"), (None, "no such file")]
)
def test_not_an_image(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(DataError, match=f"x.jpg: {why}"):
        align.read_image(tmp_path / "x.jpg")


def test_a_folder_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        align.read_image(tmp_path)
