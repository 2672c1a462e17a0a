"""The data set as files: layout, lists, pairs; the same bytes again; kills, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sphereface import synthetic
from sphereface.errors import InputError
from sphereface.synthetic import Request, write

SMALL = Request(identities=2, images=3, test_identities=20, test_images=2, seed=7)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "made"
    assert write(folder, SMALL)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text().splitlines()]


def test_training_list_names_every_picture_with_label_and_five_points(faces: Path) -> None:
    listed = rows(faces / "train" / "landmark.txt")
    assert [row[1] for row in listed] == ["0", "0", "0", "1", "1", "1"]
    assert {row[0] for row in listed} == {f"{person:07d}/{n:03d}.jpg" for person in (0, 1) for n in (1, 2, 3)}
    assert all(len(row) == 12 for row in listed)


@pytest.mark.parametrize(("half", "first"), [("train", 2), ("test", 1)])
def test_pictures_are_there_and_hold_their_landmarks(faces: Path, half: str, first: int) -> None:
    for row in rows(faces / half / "landmark.txt"):
        picture = cv2.imread(str(faces / half / "images" / row[0]))
        points = np.array(row[first:], float).reshape(5, 2)
        assert picture.shape == (150, 150, 3)
        assert points.min() > 10
        assert points.max() < 140


def test_pairs_are_lfw_style_and_share_no_person_between_folds(faces: Path) -> None:
    lines = rows(faces / "test" / "pairs.txt")
    assert lines[0] == ["10", "2"]
    assert len(lines) == 1 + 10 * 4
    listed = {row[0] for row in rows(faces / "test" / "landmark.txt")}
    seen: set[str] = set()
    for fold in range(10):
        same, different = lines[1 + 4 * fold : 3 + 4 * fold], lines[3 + 4 * fold : 5 + 4 * fold]
        images = [(name, i) for name, i, _ in same] + [(name, j) for name, _, j in same]
        images += [(row[at], row[at + 1]) for row in different for at in (0, 2)]
        assert all(i != j for _, i, j in same)
        assert all(one != other for one, _, other, _ in different)
        assert {f"{name}/{name}_{int(n):04d}.jpg" for name, n in images} <= listed
        persons = {name for name, _ in images}
        assert not persons & seen
        seen |= persons


def test_no_pair_comes_twice() -> None:
    lines = synthetic.pairs(Request(2, 2, 40, 10, seed=3)).splitlines()[1:]
    assert lines[0] != lines[1]
    assert len(set(lines)) == len(lines) == 10 * 2 * 180


def test_record_says_that_the_faces_are_synthetic(faces: Path) -> None:
    record = json.loads((faces / "synth.json").read_text())
    assert record["synthetic"] is True
    assert record["complete"] is True
    assert (record["seed"], record["identities"], record["test_images"]) == (7, 2, 2)


def test_contact_sheet_has_a_row_a_person(faces: Path) -> None:
    sheet = cv2.imread(str(faces / "contact_sheet.png"))
    assert sheet.shape == (5 * 150, 2 * 150, 3)


def test_another_seed_gives_other_files(faces: Path, tmp_path: Path) -> None:
    write(tmp_path, dataclasses.replace(SMALL, images=2, seed=8))
    ours, other = contents(faces), contents(tmp_path)
    assert set(other) < set(ours)
    assert not [name for name in other if ours[name] == other[name]]


def test_several_processes_give_the_same_files(faces: Path, tmp_path: Path) -> None:
    told: list[int] = []
    write(tmp_path, SMALL, told.append, workers=2)
    assert contents(tmp_path) == contents(faces)
    assert told == [3, 6, *range(8, 47, 2)]


def test_a_picture_that_a_power_cut_emptied_is_drawn_again(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(faces, folder)
    record = json.loads((folder / "synth.json").read_text())
    (folder / "synth.json").write_text(json.dumps({**record, "complete": False}))
    (folder / "train" / "images" / "0000000" / "001.jpg").write_bytes(b"")
    assert write(folder, SMALL)
    assert contents(folder) == contents(faces)


def test_persons_do_not_depend_on_how_many_are_drawn(faces: Path, tmp_path: Path) -> None:
    write(tmp_path, Request(3, 2, 20, 2, seed=7))
    ours, more = contents(faces), contents(tmp_path)
    shared = [name for name in ours if name.endswith(".jpg") and name in more]
    assert len(shared) == 2 * 2 + 20 * 2
    assert all(ours[name] == more[name] for name in shared)


def test_second_run_finds_all_there_and_writes_nothing(faces: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in faces.rglob("*")}
    assert not write(faces, SMALL)
    assert {path: path.stat().st_mtime_ns for path in faces.rglob("*")} == before


def test_killed_run_is_completed_to_the_same_bytes(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    process = subprocess.Popen(command(folder))
    wait_for(lambda: len(list(folder.glob("test/images/*/*.jpg"))) > 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((folder / "synth.json").read_text())["complete"] is False
    (folder / "train" / "images" / "0000000" / ".001.torn.jpg").write_bytes(b"torn")
    assert write(folder, SMALL)
    assert contents(folder) == contents(faces)


def test_full_disk_is_one_line_and_exit_2(tmp_path: Path) -> None:
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *command(tmp_path / "new")]  # files of at most 4 KiB
    result = subprocess.run(limited, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "cannot write" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.jpg.*"))


def test_folder_of_another_request_is_refused(faces: Path) -> None:
    with pytest.raises(InputError, match=r"holds other synthetic faces \(seed 7, not 8\); choose another folder"):
        write(faces, Request(2, 3, 20, 2, seed=8))


def test_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match=r"is not an empty folder and has no synth\.json"):
        write(tmp_path, SMALL)
    assert contents(tmp_path) == {"mine.txt": b"keep"}


def test_foreign_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "synth.json").write_text("[]")
    with pytest.raises(InputError, match=r"synth\.json is not what `sphereface synth` writes"):
        write(tmp_path, SMALL)


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/faces.*: cannot write: Not a directory"):
        write(tmp_path / "file" / "faces", SMALL)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(1, 3, 20, 2, 0), "--identities must be at least 2, not 1"),
        (Request(2, 1, 20, 2, 0), "--images must be at least 2, not 1"),
        (Request(2, 3, 19, 2, 0), r"--test-identities must be at least 20 \(10 folds"),
        (Request(2, 3, 20, 1, 0), "--test-images must be at least 2, not 1"),
        (Request(2, 3, 20, 2, -1), "--seed must be at least 0, not -1"),
    ],
)
def test_request_out_of_range_is_refused_before_anything_is_written(
    request_: Request, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "new", request_)
    assert not (tmp_path / "new").exists()


def test_damaged_picture_is_named(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(faces, folder)
    record = json.loads((folder / "synth.json").read_text())
    (folder / "synth.json").write_text(json.dumps({**record, "complete": False}))
    (folder / "train" / "images" / "0000000" / "001.jpg").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"0000000/001\.jpg is damaged; delete it"):
        write(folder, SMALL)


def command(folder: Path) -> list[str]:
    numbers = {"--identities": 2, "--images": 3, "--test-identities": 20, "--test-images": 2, "--seed": 7}
    flags = [str(word) for item in numbers.items() for word in item]
    return [sys.executable, "-m", "sphereface", "synth", str(folder), *flags]


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
