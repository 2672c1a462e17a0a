from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from sphereface.course import Course
from sphereface.elastic import Change, Shares
from sphereface.journal import Journal, Speed, log_to_stdout


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, Course.begin(images=10, batch=2, epochs=4), clock=lambda: 12.5)


def record(journal: Journal, step: int, **values: Any) -> None:
    given = {"loss": 2.0, "lr": 0.1, "annealing": 5.0, "grad_norm": 1.5, "images_per_s": 64.0, "bad_images": 0}
    journal.record(step=step, **given | values)


def test_a_metrics_line_has_what_the_launcher_shows(journal: Journal) -> None:
    record(journal, 6, bad_images=3)
    assert journal.last() == {
        "time": 12.5, "epoch": 2, "step": 6, "steps": 20, "steps_per_epoch": 5, "epochs": 4,
        "loss": 2.0, "lr": 0.1, "annealing": 5.0, "grad_norm": 1.5, "images_per_s": 64.0, "bad_images": 3,
    }  # fmt: skip


def test_the_log_line_is_the_zoos(journal: Journal, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("sphereface")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        log_to_stdout()
        record(journal, 10, loss=8.93841, images_per_s=326.4)
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    line = capsys.readouterr().out
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:INFO:epoch\[1\], iter\[9\], loss:8\.9384, mean_fps:326\.40 imgs/sec\n",
        line,
    )


def test_lines_beyond_the_step_that_training_goes_on_from_are_cut(journal: Journal) -> None:
    for step in (2, 4, 6):
        record(journal, step)
    with journal.metrics.open("a") as file:
        file.write('{"step": 8, "lo')  # a process killed while it wrote
    journal.cut(4, most_bad=2)
    assert [json.loads(line)["step"] for line in journal.metrics.read_text().splitlines()] == [2, 4]


def test_a_change_of_ranks_is_recorded_and_goes_with_the_steps_it_began(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    change = Change(6, Shares(8, 1, 64), Shares(1, 4, 64))
    record(journal, 6)
    with caplog.at_level(logging.INFO, logger="sphereface"):
        journal.record_change(change)
    assert caplog.messages[-1] == str(change)
    line = json.loads(journal.metrics.read_text().splitlines()[-1])
    assert line == {
        "time": 12.5, "epoch": 2, "step": 6, "steps": 20, "steps_per_epoch": 5, "epochs": 4, "event": "resumed",
        "ranks": 1, "accumulate_steps": 4, "per_batch_size": 64, "global_batch": 256,
        "was": {"ranks": 8, "accumulate_steps": 1, "per_batch_size": 64, "global_batch": 512}, "lr_scaled_by": 0.5,
    }  # fmt: skip
    assert journal.last()["loss"] == 2.0
    journal.cut(7, most_bad=2)
    assert len(journal.metrics.read_text().splitlines()) == 2
    journal.cut(6, most_bad=2)  # killed before its first checkpoint: the next attempt says it anew
    [kept] = journal.metrics.read_text().splitlines()
    assert "event" not in json.loads(kept)


def test_every_rank_adds_its_bad_images_once(tmp_path: Path, journal: Journal) -> None:
    other = Journal(tmp_path, journal.course)
    assert journal.note_bad_images(()) == 0
    assert not (tmp_path / "bad_images.txt").exists()
    assert journal.note_bad_images(("a.jpg: not an image",)) == 1
    assert other.note_bad_images(("a.jpg: not an image", "b.jpg: missing")) == 2
    assert journal.note_bad_images(("a.jpg: not an image",)) == 2
    assert (tmp_path / "bad_images.txt").read_text().splitlines() == ["a.jpg: not an image", "b.jpg: missing"]
    journal.cut(3, most_bad=2)
    assert (tmp_path / "bad_images.txt").exists()
    journal.cut(0, most_bad=2)
    assert not (tmp_path / "bad_images.txt").exists()


def test_a_list_of_bad_images_that_ended_the_run_begins_anew(tmp_path: Path, journal: Journal) -> None:
    journal.note_bad_images(("a.jpg: not an image", "b.jpg: missing"))
    journal.cut(3, most_bad=1.5)
    assert journal.note_bad_images(("b.jpg: missing",)) == 1


def test_speed_leaves_out_the_compilation() -> None:
    clock = FakeClock()
    speed = Speed(images_per_step=32, clock=clock)
    clock.now += 64  # the first step with its compilation
    speed.step()
    assert speed.read() == 0.5  # nothing else is known yet
    for _ in range(4):
        clock.now += 2
        speed.step()
    assert speed.read() == 16
    clock.now += 1
    speed.step()
    assert speed.read() == 32
