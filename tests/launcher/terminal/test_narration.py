from __future__ import annotations

from dataclasses import replace

from launcher.states import State
from launcher.status import RunStatus, StageStatus
from launcher.terminal import narration

PENDING = tuple(StageStatus(name, State.PENDING) for name in ("train", "evaluate"))
BEGIN = RunStatus("demo", State.PENDING, "", "", "local", "cpu", 1, 0.0, None, "/r", "h", PENDING)


def with_train(**changes: object) -> RunStatus:
    return replace(BEGIN, stages=(replace(PENDING[0], **changes), PENDING[1]))  # type: ignore[arg-type]


def test_what_has_not_begun_is_not_told() -> None:
    assert list(narration.changes(None, BEGIN)) == []


def test_a_stage_that_begins_is_told_once() -> None:
    running = with_train(state=State.RUNNING, attempts=1)
    assert list(narration.changes(BEGIN, running)) == ["train: Running"]
    assert list(narration.changes(running, running)) == []


def test_another_attempt_and_why() -> None:
    running = with_train(state=State.RUNNING, attempts=1)
    retrying = with_train(state=State.RETRYING, attempts=1, reason="RankFailed", message="rank 1: boom")
    again = with_train(state=State.RUNNING, attempts=2)
    assert list(narration.changes(running, retrying)) == ["train: Retrying: RankFailed: rank 1: boom"]
    assert list(narration.changes(retrying, again)) == ["train: Running (attempt 2)"]


def test_success_is_told_with_time_and_result() -> None:
    done = with_train(state=State.SUCCEEDED, attempts=1, started=10.0, ended=85.0, metrics={"loss": 1.5})
    assert list(narration.changes(BEGIN, done)) == ["train: Succeeded in 75s (loss=1.5)"]


def test_the_first_look_at_a_finished_run_tells_all_of_it() -> None:
    done = with_train(state=State.SUCCEEDED, attempts=1)
    assert list(narration.changes(None, done)) == ["train: Succeeded"]
