from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import marker, record
from launcher.errors import Conflict, LauncherError, NotFound, StorageError
from launcher.facts import Attempt, StageFacts
from launcher.plan import Plan, make_plan
from launcher.spec import RunSpec
from launcher.states import State
from launcher.status import Progress


def plan_in(storage: Path, **train: object) -> Plan:
    return make_plan(RunSpec("demo", storage=str(storage), train={"train_img_dir": "/faces", **train}))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_in(tmp_path)


@pytest.fixture
def folder(plan: Plan) -> Path:
    record.write_plan(Path(plan.folder), plan)
    return Path(plan.folder)


def finish_train(folder: Path, plan: Plan) -> None:
    train = folder / "train"
    (train / "checkpoints").mkdir(parents=True)
    (train / "checkpoints" / "0-1_10.ckpt").write_bytes(b"w")
    (train / "metrics.jsonl").write_text("{}\n")
    (train / "result.json").write_text('{"schema": 1, "stage": "train", "metrics": {"loss": 2.5}, "files": []}')
    marker.write_marker(train, marker.make_marker(train, plan.stage("train"), plan.hash, 1))


def test_the_plan_is_written_once(folder: Path, plan: Plan) -> None:
    written = (folder / "plan.json").stat()
    assert record.write_plan(folder, plan) is False
    after = (folder / "plan.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert record.read_plan(folder) == plan
    assert [path.name for path in folder.iterdir()] == ["plan.json"]


def test_another_plan_under_the_same_name_is_a_conflict_that_names_the_keys(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match=r"differs in train.lr;.*launcher delete demo"):
        record.write_plan(folder, plan_in(tmp_path, lr=0.5))
    assert record.read_plan(folder) == plan_in(tmp_path)


def test_the_same_spec_planned_by_another_version_is_a_conflict_too(folder: Path, plan: Plan) -> None:
    with pytest.raises(Conflict, match="another version of the launcher"):
        record.write_plan(folder, replace(plan, hash="0" * 64))


def test_of_many_submits_at_once_one_is_first(tmp_path: Path) -> None:
    plans = [plan_in(tmp_path, lr=number + 1) for number in range(8)]
    outcomes: list[bool | Conflict] = []

    def submit(plan: Plan) -> None:
        try:
            outcomes.append(record.write_plan(Path(plan.folder), plan))
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=submit, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1
    assert len(outcomes) == 8
    assert record.read_plan(Path(plans[0].folder)) in plans


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no run 'demo' in .*launcher list.*--storage DIR"):
        record.read_plan(tmp_path / "runs" / "demo")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}', '{"schema": 9}', "\x00\xff"])
def test_a_torn_or_foreign_plan_is_one_clear_error(text: str, folder: Path) -> None:
    (folder / "plan.json").write_text(text)
    with pytest.raises(LauncherError, match=r"plan\.json: ") as caught:
        record.read_plan(folder)
    assert not isinstance(caught.value, NotFound)


def test_a_run_record_comes_back_as_it_was(folder: Path, plan: Plan) -> None:
    assert record.read_run(folder) is None
    fresh = record.new_run(plan, "local", 1000.0)
    assert [stage.state for stage in fresh.stages] == [State.PENDING] * 3
    running = replace(fresh.stage("train"), state=State.RUNNING, attempts=1, started=1001.0, node="here")
    written = replace(fresh.with_stage(running), state=State.RUNNING)
    record.write_run(folder, written)
    assert record.read_run(folder) == written
    assert json.loads((folder / "run.json").read_text())["state"] == "Running"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"schema": 2}', '{"schema": 1, "stages": [], "state": "Odd"}', '{"schema": 1}']
)
def test_a_torn_or_foreign_run_record_is_one_clear_error(text: str, folder: Path) -> None:
    (folder / "run.json").write_text(text)
    with pytest.raises(LauncherError, match=r"run.json is not a run's record"):
        record.read_run(folder)


def test_fields_that_a_newer_launcher_added_are_passed_over(folder: Path, plan: Plan) -> None:
    written = record.new_run(plan, "local", 1.0)
    record.write_run(folder, written)
    value = json.loads((folder / "run.json").read_text())
    value["colour"] = "blue"
    value["stages"][0]["colour"] = "blue"
    (folder / "run.json").write_text(json.dumps(value))
    assert record.read_run(folder) == written


def test_events_are_appended_and_a_torn_line_is_passed_over(folder: Path) -> None:
    record.append_event(folder, 1.0, "StageStarted", stage="train", attempt=1)
    with (folder / "events.jsonl").open("a") as stream:
        stream.write('{"time": 2, "eve')
    record.append_event(folder, 3.0, "StageEnded", stage="train")
    assert [event["event"] for event in record.read_events(folder)] == ["StageStarted", "StageEnded"]
    assert record.read_events(folder)[0] == {"time": 1.0, "event": "StageStarted", "stage": "train", "attempt": 1}


def test_attempts_come_back_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert record.read_attempts(tmp_path) == ()
    attempts = tuple(Attempt(number, number, number + 1.0, 1, "RankFailed", "why", rank=3) for number in range(1, 12))
    for attempt in reversed(attempts):
        record.write_attempt(tmp_path, attempt)
    assert record.read_attempts(tmp_path) == attempts
    assert record.read_attempt(tmp_path, 2) == attempts[1]
    assert record.read_attempt(tmp_path, 99) is None


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"attempt": 1, "started": "soon"}'])
def test_an_attempt_that_cannot_be_read_still_has_its_number(text: str, tmp_path: Path) -> None:
    record.write_attempt(tmp_path, Attempt(1, 5.0))
    (tmp_path / "attempts" / "1.json").write_text(text)
    (attempt,) = record.read_attempts(tmp_path)
    assert (attempt.attempt, attempt.exit_code, attempt.retry) == (1, None, True)
    assert attempt.ended is not None


def test_facts_come_from_markers_attempts_and_the_record(folder: Path, plan: Plan) -> None:
    assert record.stage_facts(folder, plan) == dict.fromkeys(("train", "evaluate", "export"), StageFacts())
    finish_train(folder, plan)
    attempt = Attempt(1, 1.0, 2.0, 1)
    record.write_attempt(folder / "evaluate", attempt)
    run = record.new_run(plan, "local", 1.0)
    run = run.with_stage(replace(run.stage("evaluate"), forgiven=1))
    facts = record.stage_facts(folder, plan, run)
    assert facts["train"].complete
    assert facts["evaluate"] == StageFacts(attempts=(attempt,), forgiven=1)


def test_the_status_shows_the_record_the_metrics_and_the_progress(folder: Path, plan: Plan) -> None:
    finish_train(folder, plan)
    run = record.new_run(plan, "local", 1.0)
    run = run.with_stage(replace(run.stage("train"), state=State.SUCCEEDED, attempts=2))
    progress = Progress(1, 2, 3, 4, None, None, None, 1, 1)
    status = record.to_status(run, folder, {"evaluate": progress})
    train, evaluate, export = status.stages
    assert (train.metrics, train.attempts, train.progress) == ({"loss": 2.5}, 2, None)
    assert evaluate.progress == progress
    assert export.metrics == {}
    assert (status.folder, status.plan_hash, status.backend) == (str(folder), plan.hash, "local")


def test_a_run_that_cannot_be_read_is_unknown_and_can_be_deleted(folder: Path) -> None:
    status = record.unknown_status(folder, "local", "run.json is torn")
    assert (status.run, status.state, status.reason) == ("demo", State.UNKNOWN, "RecordUnreadable")
    assert status.message.startswith("run.json is torn. ")
    assert status.created > 0
    assert record.unknown_status(folder / "gone", "local", "x").created == 0


def test_only_folders_with_a_plan_are_runs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "file").touch()
    assert record.run_folders(tmp_path) == (folder,)
    assert record.run_folders(tmp_path / "nowhere") == ()
    with pytest.raises(StorageError, match="cannot be read"):
        record.run_folders(tmp_path / "runs" / "file")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only"),
    ],
)
def test_what_the_storage_refuses_is_one_line(number: int, message: str) -> None:
    with pytest.raises(StorageError, match=message), record.storage_errors(Path("/st")):
        raise OSError(number, os.strerror(number))


def test_a_storage_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    plan = plan_in(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot write here"):
        record.write_plan(Path(plan.folder), plan)
