from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sphereface import align as alignment
from sphereface import cli
from sphereface.config import Config
from sphereface.data.faces import open_training

Make = Callable[..., Any]


def align(made: Any, folder: Path, *more: str) -> int:
    return cli.main(["align", str(made.file), "--train_img_dir", str(made.root), "--output", str(folder), *more])


def test_writes_a_folder_per_person_that_can_be_trained_on(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs()
    (made.root / made.paths[5]).write_bytes(b"torn")
    assert align(made, tmp_path / "crops", "--max_bad_images", "0.1") == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/crops: 11 crops of 3 persons, 1 skipped\n"
    assert err == f"skipped {made.root}/person_1/0001.png: is not a whole image that can be decoded\n"
    faces = open_training(Config(train_img_dir=str(tmp_path / "crops")))
    assert faces.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 4
    expected = alignment.crop(alignment.read_image(made.root / made.paths[0]), made.points[0].round(2))
    np.testing.assert_array_equal(alignment.read_image(tmp_path / "crops/person_0/0000.png"), expected)
    np.testing.assert_array_equal(faces.crop(0)[2:-2, 2:-2], expected)


def test_jpg_of_a_list_without_labels(photographs: Make, tmp_path: Path) -> None:
    made = photographs(persons=2, each=2)
    lines = [line.split("\t") for line in made.lines()]
    made.file.write_text("\n".join(" ".join([path, *points]) for path, _, *points in lines))
    assert align(made, tmp_path / "crops", "--format", "jpg") == 0
    written = sorted(str(file.relative_to(tmp_path / "crops")) for file in (tmp_path / "crops").rglob("*.*"))
    assert written == ["person_0/0000.jpg", "person_0/0001.jpg", "person_1/0000.jpg", "person_1/0001.jpg"]


def test_persons_by_label_where_all_images_lie_in_one_folder(photographs: Make, tmp_path: Path) -> None:
    made = photographs(persons=1, each=2)
    made.file.write_text(made.file.read_text().replace("0001.png\t0", "0001.png\t1"))
    assert align(made, tmp_path / "crops") == 0
    assert sorted(folder.name for folder in (tmp_path / "crops").iterdir()) == ["0", "1"]


def test_a_folder_that_is_not_empty_is_left_alone(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs()
    assert align(made, made.root) == 2
    assert "is there already and is not an empty folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert align(made, tmp_path / "empty") == 0


@pytest.mark.parametrize("share", ["0.01", "1"])
def test_nothing_is_left_where_it_fails(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    made = photographs(persons=2, each=2)
    for path in made.paths:
        (made.root / path).write_bytes(b"torn")
    assert align(made, tmp_path / "crops", "--max_bad_images", share) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "list.txt"]


def test_bad_landmarks_name_image_and_line(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs(persons=1, each=2)
    lines = made.lines()
    lines[1] = "\t".join([*lines[1].split("\t")[:2], *["9"] * 10])
    made.file.write_text("\n".join(lines))
    assert align(made, tmp_path / "crops", "--max_bad_images", "0.5") == 0
    assert f"0001.png ({made.file}:2): the five landmarks coincide" in capsys.readouterr().err


def test_two_images_of_one_name(photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = photographs(persons=1, each=2)
    first = made.lines()[0]
    made.file.write_text(f"{first}\n{first.replace('.png', '.jpg')}\n")
    assert align(made, tmp_path / "crops") == 2
    assert f"list.txt:2: 'person_0/0000.jpg' would get the same name as {made.file}:1" in capsys.readouterr().err


def test_no_image_folder(photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = photographs()
    assert cli.main(["align", str(made.file), "--output", str(tmp_path / "crops")]) == 2
    assert "no such folder of images; set --train_img_dir" in capsys.readouterr().err
