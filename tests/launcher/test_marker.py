from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.marker import MarkerError, is_complete, make_marker, marker_fault, read_marker, write_marker
from launcher.plan import Stage, make_plan
from launcher.spec import RunSpec

PLAN = make_plan(RunSpec("demo", storage="/st", train={"train_img_dir": "/faces"}))
TRAIN = PLAN.stage("train")
CHECKPOINT = "checkpoints/0-1_10.ckpt"


def result(folder: Path, **changes: Any) -> None:
    value = {"schema": 1, "stage": "train", "metrics": {"loss": 2.5}, "files": [CHECKPOINT], **changes}
    (folder / "result.json").write_text(json.dumps(value))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / CHECKPOINT).write_bytes(b"weights")
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    result(tmp_path)
    return tmp_path


def complete(folder: Path) -> None:
    write_marker(folder, make_marker(folder, TRAIN, PLAN.hash, 2))


def test_a_marker_names_result_and_artifacts_with_size_and_hash(folder: Path) -> None:
    complete(folder)
    read = read_marker(folder)
    assert read is not None
    assert [file.path for file in read.files] == [CHECKPOINT, "metrics.jsonl"]
    assert read.files[0].size == 7
    assert read.files[0].sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (read.stage, read.attempt, read.plan_hash, read.metrics) == ("train", 2, PLAN.hash, {"loss": 2.5})
    assert is_complete(folder, TRAIN, PLAN.hash)
    assert marker_fault(folder, TRAIN, PLAN.hash, deep=True) is None
    assert json.loads((folder / "_SUCCESS.json").read_text())["schema"] == 1


def test_making_it_twice_gives_the_same(folder: Path) -> None:
    complete(folder)
    first = read_marker(folder)
    complete(folder)
    assert read_marker(folder) == first


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no result": (lambda folder: (folder / "result.json").unlink(), "ended without .*result.json"),
    "torn result": (lambda folder: (folder / "result.json").write_text('{"schema'), "cannot be read"),
    "foreign result": (lambda folder: (folder / "result.json").write_text("[]"), "not a result"),
    "result with NaN": (lambda folder: result(folder, metrics={"loss": float("nan")}), "NaN is not a number"),
    "result of another stage": (lambda folder: result(folder, stage="export"), "not a result of schema 1 of train"),
    "metrics is no mapping": (lambda folder: result(folder, metrics=[1]), "must hold a mapping"),
    "files is text": (lambda folder: result(folder, files="abc"), "list of paths"),
    "a named file is absent": (lambda folder: result(folder, files=["gone.npz"]), "gone.npz cannot be read"),
    "a file outside": (lambda folder: result(folder, files=["../x"]), "not a path inside"),
    "an absolute file": (lambda folder: result(folder, files=["/etc/hosts"]), "not a path inside"),
    "no artifact": (lambda folder: (folder / "metrics.jsonl").unlink(), "ended without metrics.jsonl"),
    "empty artifact": (lambda folder: (folder / "metrics.jsonl").write_text(""), "is empty"),
    "artifact is a folder": (lambda folder: result(folder, files=["checkpoints"]), "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_marker_is_made_from_what_is_not_complete(name: str, folder: Path) -> None:
    damage, message = BROKEN[name]
    damage(folder)
    with pytest.raises(MarkerError, match=message):
        make_marker(folder, TRAIN, PLAN.hash, 1)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda folder: (folder / "_SUCCESS.json").unlink(), "has no _SUCCESS.json"),
    "torn": (lambda folder: (folder / "_SUCCESS.json").write_text('{"schema": 1, "st'), "cannot be read"),
    "foreign": (lambda folder: (folder / "_SUCCESS.json").write_text('["x"]'), "cannot be read"),
    "newer": (lambda folder: (folder / "_SUCCESS.json").write_text('{"schema": 2}'), "cannot be read"),
    "file gone": (lambda folder: (folder / CHECKPOINT).unlink(), "cannot be read"),
    "file cut short": (lambda folder: (folder / CHECKPOINT).write_bytes(b"w"), "has 1 bytes, its marker says 7"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_marker_that_does_not_fit_is_not_valid(name: str, folder: Path) -> None:
    complete(folder)
    damage, message = FAULTS[name]
    damage(folder)
    assert message in (marker_fault(folder, TRAIN, PLAN.hash) or "")
    assert not is_complete(folder, TRAIN, PLAN.hash)


def test_changed_content_of_the_same_size_is_found_by_a_deep_look(folder: Path) -> None:
    complete(folder)
    (folder / CHECKPOINT).write_bytes(b"WEIGHTS")
    assert marker_fault(folder, TRAIN, PLAN.hash) is None
    assert "sha256" in (marker_fault(folder, TRAIN, PLAN.hash, deep=True) or "")


def test_the_marker_of_another_plan_or_stage_does_not_count(folder: Path) -> None:
    complete(folder)
    assert "another stage or plan" in (marker_fault(folder, TRAIN, "0" * 64) or "")
    assert "another stage or plan" in (marker_fault(folder, PLAN.stage("export"), PLAN.hash) or "")


def test_a_marker_without_the_artifacts_that_the_plan_asks_for_does_not_count(folder: Path) -> None:
    complete(folder)
    more = Stage("train", (), 1, {}, (), (*TRAIN.artifacts, "extra.bin"), TRAIN.policy)
    assert "names no extra.bin" in (marker_fault(folder, more, PLAN.hash) or "")


def test_a_marker_cannot_point_outside_its_folder(folder: Path) -> None:
    complete(folder)
    text = (folder / "_SUCCESS.json").read_text().replace(CHECKPOINT, "checkpoints/../../x.ckpt")
    (folder / "_SUCCESS.json").write_text(text)
    assert marker_fault(folder, TRAIN, PLAN.hash) is not None
