from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sphereface import cli
from sphereface.config import Config
from sphereface.data.faces import open_training

Make = Callable[..., Any]


def pack(made: Any, file: Path, *more: str) -> int:
    sources = ("--train_data_dir", str(made.file), "--train_img_dir", str(made.root))
    return cli.main(["pack", *sources, "--output", str(file), *more])


def test_packs_what_can_be_read_and_names_the_rest(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs()
    (made.root / made.paths[5]).write_bytes(b"torn")
    file = tmp_path / "new" / "faces.pack"
    assert pack(made, file, "--max_bad_images", "0.1") == 0
    out, err = capsys.readouterr()
    assert out == f"{file}: 11 images of 3 persons, 0.4 MB, 1 skipped\n"
    assert err == f"skipped {made.root}/person_1/0001.png: is not a whole image that can be decoded\n"
    faces = open_training(Config(train_img_dir=str(file)))
    assert faces.labels.tolist() == [0] * 4 + [1] * 3 + [2] * 4


def test_a_person_without_images_is_named(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs(each=1)
    (made.root / made.paths[1]).unlink()
    assert pack(made, tmp_path / "faces.pack", "--max_bad_images", "0.5") == 0
    assert "persons without a usable image, left out: person_1\n" in capsys.readouterr().err


def test_too_many_bad_images(photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = photographs()
    (made.root / made.paths[5]).unlink()
    assert pack(made, tmp_path / "faces.pack") == 2
    assert "1 of 12 images cannot be used, more than max_bad_images 0.01 allows" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "list.txt"]


def test_again_gives_the_same_file(photographs: Make, tmp_path: Path) -> None:
    made = photographs()
    assert pack(made, tmp_path / "faces.pack") == 0
    first = (tmp_path / "faces.pack").read_bytes()
    assert pack(made, tmp_path / "faces.pack", "--data-workers", "3") == 0
    assert (tmp_path / "faces.pack").read_bytes() == first


def test_what_a_killed_pack_left_is_removed_and_a_living_one_left_alone(photographs: Make, tmp_path: Path) -> None:
    made = photographs()
    dead, living, other = (
        tmp_path / name for name in (".faces.abcd1234.pack", ".faces._living_.pack", ".f.abcd1234.pack")
    )
    for path in (dead, living, other):
        path.write_bytes(b"half")
    with living.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert pack(made, tmp_path / "faces.pack") == 0
    assert [path.exists() for path in (dead, living, other)] == [False, True, True]


def test_a_foreign_file_is_not_overwritten(
    photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = photographs()
    before = made.file.read_text()
    assert pack(made, made.file) == 2
    assert "is there already and is not a packed file" in capsys.readouterr().err
    assert made.file.read_text() == before
    assert pack(made, made.root) == 2


def test_a_target_that_cannot_be_written(photographs: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = photographs()
    assert pack(made, made.file / "below" / "faces.pack") == 1
    err = capsys.readouterr().err
    assert "faces.pack: cannot be written: Not a directory" in err
    assert err.count("\n") == 1
