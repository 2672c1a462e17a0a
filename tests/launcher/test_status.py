from __future__ import annotations

import dataclasses
import json
import math

import pytest

from launcher import status
from launcher.states import State
from launcher.status import Progress, RunStatus, StageStatus

PROGRESS = Progress(2, 10, 40, 200, 4.25, 101.5, 30.0, 2, 2)
TRAIN = StageStatus("train", State.RUNNING, attempts=1, started=1_700_000_000.0, node="node-a", progress=PROGRESS)
EVALUATE = StageStatus(
    "evaluate", State.SUCCEEDED, started=1.0, ended=2.0, exit_code=0, metrics={"accuracy": 0.5, "line": "x", "far": 1}
)
RUN = RunStatus(
    run="demo",
    state=State.RUNNING,
    reason="",
    message="",
    backend="kubernetes",
    device="cpu",
    devices=2,
    created=1_700_000_000.0,
    ended=None,
    folder="/storage/runs/demo",
    plan_hash="abc",
    stages=(TRAIN, EVALUATE),
)


def test_there_and_back() -> None:
    value = json.loads(json.dumps(status.to_json(RUN)))
    assert (value["schema"], value["state"], value["created"]) == (1, "Running", "2023-11-14T22:13:20Z")
    assert status.from_json(value) == RUN


def test_what_a_newer_launcher_adds_is_passed_over() -> None:
    value = status.to_json(RUN)
    value["news"] = 1
    value["stages"][0]["news"] = 1
    value["stages"][0]["progress"]["news"] = 1
    assert status.from_json(value) == RUN


def test_a_diverged_loss_is_null() -> None:
    progress = dataclasses.replace(PROGRESS, loss=math.nan)
    run = dataclasses.replace(RUN, stages=(dataclasses.replace(TRAIN, progress=progress, metrics={"loss": math.inf}),))
    (stage,) = json.loads(json.dumps(status.to_json(run), allow_nan=False))["stages"]
    assert (stage["progress"]["loss"], stage["metrics"]) == (None, {"loss": None})


@pytest.mark.parametrize("value", [{}, {"schema": 2}, {"schema": 1, "run": "x"}, {**status.to_json(RUN), "stages": 5}])
def test_what_is_no_status(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"schema|not a run"):
        status.from_json(value)


def test_summary_is_short_and_reads_as_a_status() -> None:
    text = status.summary(dataclasses.replace(RUN, message="x" * 5000))
    found = status.from_json(json.loads(text))
    assert len(text) < 2000
    assert (found.state, found.stages[0].progress, found.stages[1].metrics) == (
        State.RUNNING,
        PROGRESS,
        {"accuracy": 0.5, "line": "x"},
    )
