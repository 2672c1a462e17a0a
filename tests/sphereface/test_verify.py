from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sphereface import align, checkpoint, cli, verify
from sphereface.errors import ConfigError, DataError
from sphereface.model import initial_values
from sphereface.verify import Answer, Threshold


def lfw_json(file: Path, **changes: Any) -> Path:
    value = {
        "protocol": "zoo",
        "threshold": 0.25,
        "threshold_at_far": {"0.1": 0.2, "0.001": 0.6},
        "checkpoint": "0-1_10.ckpt",
        "checkpoint_sha256": "aa",
    }
    file.write_text(json.dumps({**value, **changes}))
    return file


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two images: an aligned crop, and the same one shifted by (20, 30) on a larger canvas."""
    folder = tmp_path_factory.mktemp("photographs")
    crop = np.random.default_rng(0).integers(0, 256, (align.HEIGHT, align.WIDTH, 3), np.uint8)
    larger = np.zeros((200, 160, 3), np.uint8)
    larger[30 : 30 + align.HEIGHT, 20 : 20 + align.WIDTH] = crop
    for name, image in (("a.png", crop), ("b.png", larger)):
        cv2.imwrite(str(folder / name), image)
    return folder / "a.png", folder / "b.png"


def as_text(points: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    return ",".join(str(value) for value in points.ravel())


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("checkpoints") / "0-1_10.ckpt"
    weights = initial_values("sphereface4a", conv_bias=False, seed=0)
    checkpoint.save(file, checkpoint.Checkpoint(weights, {}, {}))
    return file


def test_two_images_of_one_face_are_the_same_person(
    network: Path, photographs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = photographs
    moved = np.add(align.REFERENCE, [20, 30])
    landmarks = [f"--landmarks-a={as_text(align.REFERENCE)}", f"--landmarks-b={as_text(moved)}"]
    words = ["verify", str(a), str(b), f"--ckpt_files={network}", *landmarks]
    assert cli.main([*words, "--threshold=0.9"]) == 0
    assert capsys.readouterr().out.startswith("the same person: cosine similarity 1.0000, threshold 0.9000 (as given)")
    assert cli.main([*words, "-o", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["similarity"] == pytest.approx(1, abs=1e-4)
    assert (answer["same"], answer["threshold"], answer["schema"]) == (None, None, 1)


def test_without_landmarks_it_says_what_it_needs(
    network: Path, photographs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = photographs
    assert cli.main(["verify", str(a), str(b), f"--ckpt_files={network}"]) == 2
    said = capsys.readouterr().err
    assert "a.png: where is the face? give --landmarks-a x1,y1" in said
    assert "or --aligned" in said


def test_aligned_crops_are_taken_as_they_are(photographs: tuple[Path, Path]) -> None:
    a, b = photographs
    assert np.array_equal(verify.face(a, None, aligned=True, flag="--landmarks-a"), cv2.imread(str(a)))
    with pytest.raises(DataError, match=r"b\.png: is 160x200 pixels"):
        verify.face(b, None, aligned=True, flag="--landmarks-b")


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5,6,7,8,9,x", "1,2,3,4,5,6,7,8,9,nan", "1 " * 11])
def test_landmarks_are_ten_numbers(text: str) -> None:
    with pytest.raises(ConfigError, match="--landmarks-a must be ten numbers"):
        verify.parse_landmarks(text, "--landmarks-a")


def test_landmarks_may_be_apart_by_spaces_or_commas() -> None:
    assert verify.parse_landmarks("0, 1 2,3 4 5 6 7 8 9", "").tolist() == np.arange(10.0).reshape(5, 2).tolist()


def test_the_threshold_comes_from_where_it_is_said(tmp_path: Path) -> None:
    lfw = lfw_json(tmp_path / "lfw.json")
    assert verify.choose_threshold(None, None, None, "aa") is None
    assert verify.choose_threshold(0.4, None, None, "aa") == Threshold(0.4, "as given")
    assert verify.choose_threshold(None, lfw, None, "aa") == Threshold(0.25, f"best accuracy in {lfw}")
    assert verify.choose_threshold(None, lfw, 1e-3, "aa") == Threshold(0.6, f"false accept rate 0.001 in {lfw}")


@pytest.mark.parametrize(
    ("value", "changes", "far", "words"),
    [
        (1.5, None, None, "a cosine between -1 and 1, not 1.5"),
        (None, None, 0.1, "--far needs --lfw"),
        (None, {"protocol": "paper"}, None, "its thresholds are of protocol paper"),
        (None, {"checkpoint_sha256": "bb"}, None, r"is of another checkpoint \(0-1_10.ckpt\)"),
        (None, {}, 0.5, "for the false accept rates 0.1, 0.001, not 0.5"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(
    tmp_path: Path, value: float | None, changes: dict[str, Any] | None, far: float | None, words: str
) -> None:
    lfw = None if changes is None else lfw_json(tmp_path / "lfw.json", **changes)
    with pytest.raises(ConfigError, match=words):
        verify.choose_threshold(value, lfw, far, "aa")


def test_the_answer_in_words() -> None:
    threshold = Threshold(0.3, "as given")
    assert Answer(0.4, threshold).as_text().startswith("the same person: ")
    assert Answer(0.3, threshold).as_text().startswith("different persons: ")
    assert Answer(0.3, threshold).as_json() == {
        "similarity": 0.3,
        "same": False,
        "threshold": 0.3,
        "threshold_origin": "as given",
    }
