from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.backends import LogLine
from launcher.plan import make_plan
from launcher.spec import RunSpec
from launcher.states import State
from launcher.status import RunStatus, StageStatus
from launcher.terminal import views
from tests.launcher.fake_backend import FakeBackend, FakeClock

After = Callable[[float], RunStatus]


@pytest.fixture
def after(tmp_path: Path) -> After:
    """The run `demo` so many seconds after it was submitted."""
    backend = FakeBackend(tmp_path, FakeClock())
    backend.submit(make_plan(RunSpec("demo", devices=2, storage="/s")))

    def after(seconds: float) -> RunStatus:
        backend.clock.now += seconds
        return backend.observe("demo")[0]

    return after


def test_run_row_while_training(after: After) -> None:
    run = after(20)
    assert views.run_row(run, run.created + 20) == ("demo", "Running", "0/3", "train 50%", "cpu x2", "20s")


def test_run_row_of_a_finished_run(after: After) -> None:
    run = after(400)
    assert views.run_row(run, run.created + 400) == ("demo", "Succeeded", "3/3", "", "cpu x2", "6m40s")
    wide = dict(zip(views.RUN_HEADERS_WIDE, views.run_row(run, run.created + 400, wide=True), strict=True))
    assert (wide["TOOK"], wide["LFWACC"], wide["BACKEND"]) == ("45s", "0.9875", "fake")


def test_stages_table(after: After) -> None:
    run = after(20)
    lines = views.stages_table(run, run.created + 20).splitlines()
    assert [line.split() for line in lines] == [
        ["STAGE", "STATE", "ATTEMPTS", "RANKS", "EPOCH", "STEP", "LOSS", "IMAGES/S", "ETA", "TOOK"],
        ["train", "Running", "1", "2/2", "3/4", "40/80", "2.5", "101.5", "20s", "20s"],
        ["evaluate", "Pending", "-", "-", "-", "-", "-", "-", "-", "-"],
        ["export", "Pending", "-", "-", "-", "-", "-", "-", "-", "-"],
    ]


def test_a_finished_stage_has_no_living_ranks_and_no_eta(after: After) -> None:
    run = after(41)
    assert views.stages_table(run, run.created + 41).splitlines()[1].split() == (
        ["train", "Succeeded", "1", "-", "4/4", "80/80", "0.5", "101.5", "-", "40s"]
    )


def test_details_end_with_the_result(after: After) -> None:
    run = after(60)
    lines = views.details(run, run.created + 60).splitlines()
    assert lines[0] == "Name:      demo"
    assert lines[-1] == "LFWACC=0.9875 std=0.0050 thd=0.3050"
    assert not any(line.startswith(("Why:", "Namespace:")) for line in lines)


def test_details_of_a_run_on_a_cluster_name_its_namespace(after: After) -> None:
    run = replace(after(60), namespace="faces")
    assert views.details(run, run.created + 60).splitlines()[:2] == ["Name:      demo", "Namespace: faces"]


def test_why_says_a_reason_once_and_with_its_sentence(after: After) -> None:
    run = after(1)
    failed = StageStatus("train", State.FAILED, "RankFailed", "rank 1 ended with exit code 1: boom")
    run = replace(run, state=State.FAILED, reason=failed.reason, message=failed.message, stages=(failed,))
    assert list(views.why(run)) == [
        "RankFailed: rank 1 ended with exit code 1: boom. One rank ended with an error and took the others with it."
    ]


def test_why_of_a_run_that_goes_well_is_empty(after: After) -> None:
    assert list(views.why(after(1))) == []


def test_result_of_other_stages_is_their_metrics() -> None:
    stage = StageStatus("train", State.SUCCEEDED, metrics={"loss": 1.23456, "checkpoint": "0-4_20.ckpt", "steps": 80})
    assert views.result(stage) == "loss=1.235 checkpoint=0-4_20.ckpt steps=80"


def test_progress_words(after: After) -> None:
    progress = after(20).stages[0].progress
    assert progress is not None
    assert views.progress_words(progress) == "epoch 3/4, step 40/80, loss 2.5, 102 images/s, ETA 20s"
    unknown = replace(progress, epochs=0, loss=None, images_per_s=None, eta_s=None)
    assert views.progress_words(unknown) == "step 40/80"


def test_log_prefix() -> None:
    assert views.log_prefix(LogLine("train", 3, "x")) == "[train 3] "
    assert views.log_prefix(LogLine("train", None, "x")) == "[train] "
