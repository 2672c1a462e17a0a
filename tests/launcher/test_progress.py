from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher import progress
from launcher.status import Progress
from runfolder import layout


def line(step: int, time: float, **changes: Any) -> dict[str, Any]:
    value = {"time": time, "epoch": 1 + step // 100, "epochs": 10, "step": step, "steps": 1000, "loss": 5.5}
    return {**value, "images_per_s": 64.0, **changes}


def write_metrics(stage: Path, *lines: dict[str, Any]) -> None:
    text = "".join(json.dumps(value) + "\n" for value in lines)
    (stage / layout.METRICS).write_text(text)


def beat(status: Path, rank: int, step: int, time: float, **changes: Any) -> None:
    value = {
        "schema": 1,
        "pid": 7,
        "rank": rank,
        "time": time,
        "phase": "train",
        "epoch": 1,
        "step": step,
        "steps": 1000,
    }
    layout.heartbeat_file(status, rank).write_text(json.dumps({**value, **changes}))


def read(folder: Path, ranks: int = 1, now: float = 1000.0) -> Progress | None:
    return progress.read(folder, folder, ranks=ranks, now=now)


def test_nothing_is_known_before_the_first_step(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    beat(tmp_path, 0, 0, 999.0, phase="start", epoch=0, steps=0)
    assert read(tmp_path) is None


def test_progress_comes_from_the_last_line(tmp_path: Path) -> None:
    write_metrics(tmp_path, line(100, 800.0), line(200, 850.0), line(300, 900.0, loss=4.5))
    found = read(tmp_path)
    assert found is not None
    assert (found.epoch, found.epochs, found.step, found.steps) == (4, 10, 300, 1000)
    assert (found.loss, found.images_per_s) == (4.5, 64.0)
    assert found.eta_s == pytest.approx(700 * 0.5)
    assert (found.ranks_alive, found.ranks) == (0, 1)


def test_a_heartbeat_is_newer_than_the_last_line(tmp_path: Path) -> None:
    write_metrics(tmp_path, line(100, 800.0))
    beat(tmp_path, 0, 150, 900.0, epoch=2)
    found = read(tmp_path, now=901.0)
    assert found is not None
    assert (found.epoch, found.step, found.loss) == (2, 150, 5.5)
    assert found.eta_s == pytest.approx(850 * 2.0)


def test_heartbeats_alone_are_enough(tmp_path: Path) -> None:
    beat(tmp_path, 0, 3, 999.5)
    beat(tmp_path, 1, 4, 999.0)
    found = read(tmp_path, ranks=4)
    assert found is not None
    assert (found.step, found.steps, found.loss, found.eta_s) == (4, 1000, None, None)
    assert (found.ranks_alive, found.ranks) == (2, 4)


def test_a_rank_whose_heartbeat_is_old_is_not_alive(tmp_path: Path) -> None:
    beat(tmp_path, 0, 5, 999.0)
    beat(tmp_path, 1, 5, 999.0 - progress.ALIVE_S)
    beat(tmp_path, 2, 5, 999.0)
    layout.heartbeat_file(tmp_path, 2).write_text("{torn")
    found = read(tmp_path, ranks=3)
    assert found is not None
    assert found.ranks_alive == 1


def test_the_gap_before_a_resume_does_not_spoil_the_estimate(tmp_path: Path) -> None:
    times = [(100, 100.0), (200, 200.0), (300, 300.0), (400, 90_000.0), (500, 90_100.0)]
    write_metrics(tmp_path, *(line(step, time) for step, time in times))
    found = read(tmp_path, now=90_100.0)
    assert found is not None
    assert found.eta_s == pytest.approx(500 * 1.0)


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    long = [line(step, float(step)) for step in range(5000)]
    write_metrics(tmp_path, *long)
    tail = progress.metrics_tail(tmp_path / layout.METRICS)
    assert tail[-1]["step"] == 4999
    assert 50 < len(tail) < 300
    assert tail == long[-len(tail) :]


@pytest.mark.parametrize("torn", ["\n", '{"time": 3, "st', "[1]\n", "\x00\n"])
def test_torn_and_foreign_lines_are_passed_over(torn: str, tmp_path: Path) -> None:
    write_metrics(tmp_path, line(100, 1.0))
    with (tmp_path / layout.METRICS).open("a") as stream:
        stream.write(torn)
    assert [value["step"] for value in progress.metrics_tail(tmp_path / layout.METRICS)] == [100]


@pytest.mark.parametrize("loss", [None, "low", True, float("nan"), float("inf"), [1]])
def test_a_loss_that_is_no_number_is_left_out(loss: Any, tmp_path: Path) -> None:
    write_metrics(tmp_path, line(100, 1.0, loss=loss))
    found = read(tmp_path)
    assert found is not None
    assert found.loss is None
