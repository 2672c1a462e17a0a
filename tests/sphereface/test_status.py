from __future__ import annotations

import json
import os
from pathlib import Path

from sphereface import status


def test_a_heartbeat_at_each_phase_and_once_a_second(tmp_path: Path) -> None:
    now = 50.0
    heartbeat = status.Heartbeat(tmp_path, 3, clock=lambda: now)
    file = tmp_path / "rank_3.heartbeat"
    heartbeat.beat("train", epoch=1, step=7, steps=90)
    assert json.loads(file.read_text()) == {
        "schema": 1, "pid": os.getpid(), "rank": 3, "time": 50.0,
        "phase": "train", "epoch": 1, "step": 7, "steps": 90,
    }  # fmt: skip
    now = 50.5
    heartbeat.beat("train", epoch=1, step=8, steps=90)
    assert json.loads(file.read_text())["step"] == 7
    heartbeat.beat("save", epoch=1, step=8, steps=90)
    assert json.loads(file.read_text())["phase"] == "save"
    now = 51.5
    heartbeat.beat("save", epoch=1, step=9, steps=90)
    assert json.loads(file.read_text())["step"] == 9


def test_the_last_step_is_told_however_soon_it_comes(tmp_path: Path) -> None:
    heartbeat = status.Heartbeat(tmp_path, 0, clock=lambda: 100.0)
    for step in (0, 1, 2):
        heartbeat.beat("export", step=step, steps=2)
    assert json.loads((tmp_path / "rank_0.heartbeat").read_text())["step"] == 2


def test_done_is_told_at_the_place_that_was_reached(tmp_path: Path) -> None:
    heartbeat = status.Heartbeat(tmp_path, 0, clock=lambda: 100.0)
    heartbeat.beat("train", epoch=3, step=90, steps=90)
    heartbeat.done()
    told = json.loads((tmp_path / "rank_0.heartbeat").read_text())
    assert (told["phase"], told["epoch"], told["step"], told["steps"]) == ("done", 3, 90, 90)


def test_a_heartbeat_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status.Heartbeat(tmp_path / "file", 0).beat("train")
    status.Heartbeat(None, 0).beat("train")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failure_is_left_for_whoever_watches(tmp_path: Path) -> None:
    environ = {"SPHEREFACE_STATUS_DIR": str(tmp_path), "RANK_ID": "5"}
    status.report_failure(environ, reason="Diverged", message="NaN", retry=False, exit_code=1, now=3.0)
    assert json.loads((tmp_path / "rank_5.failure.json").read_text()) == {
        "schema": 1, "rank": 5, "time": 3.0, "reason": "Diverged", "message": "NaN", "retry": False, "exit_code": 1,
    }  # fmt: skip


def test_the_scheduler_writes_nothing_under_rank_0s_name(tmp_path: Path) -> None:
    environ = {"SPHEREFACE_STATUS_DIR": str(tmp_path), "RANK_ID": "0", "MS_ROLE": "MS_SCHED"}
    status.report_failure(environ, reason="StageFailed", message="x", retry=True, exit_code=1, now=3.0)
    assert status.folder(environ) is None
    assert list(tmp_path.iterdir()) == []
