from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from launcher import record
from launcher.backends import LogLine, LogQuery, local_logs
from launcher.errors import BackendError
from launcher.states import State
from launcher.status import RunStatus
from tests.launcher.fake_backend import FakeClock
from tests.launcher.standin import run_path, stage, written

BEGAN = datetime(2026, 11, 24, 12, 0, 0).timestamp()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = run_path(tmp_path)
    written(tmp_path, stage(path, "train", processes=2), stage(path, "export"))
    return path


def write(folder: Path, stage_name: str, name: str, *lines: str, end: str = "\n") -> None:
    logs = folder / stage_name / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{name}.log").open("a") as stream:
        stream.write("\n".join(lines) + end)


def at(seconds: int, text: str) -> str:
    return f"{datetime.fromtimestamp(BEGAN + seconds):%Y-%m-%d %H:%M:%S},000:INFO:{text}"


def texts(folder: Path, query: LogQuery, now: float = BEGAN) -> list[str]:
    return [
        f"{line.stage} {'-' if line.rank is None else line.rank} {line.text.rpartition(':')[2]}"
        for line in local_logs.read(folder, ["train", "export"], query, now)
    ]


@pytest.fixture
def filled(folder: Path) -> Path:
    write(folder, "train", "pod", at(0, "begins"))
    write(folder, "train", "rank_0", at(1, "a0"), "  more", at(5, "c0"))
    write(folder, "train", "rank_1", at(3, "b1"), at(7, "d1"))
    write(folder, "export", "rank_0", at(9, "e"), end="")
    write(folder, "train", "scheduler", "noise")
    return folder


def test_stages_come_in_order_and_one_rank_after_the_other(filled: Path) -> None:
    assert texts(filled, LogQuery()) == [
        "train - begins",
        "train 0 a0",
        "train 0   more",
        "train 0 c0",
        "train 1 b1",
        "train 1 d1",
        "export 0 e",
    ]


def test_merge_goes_by_time_and_keeps_continued_lines_together(filled: Path) -> None:
    assert texts(filled, LogQuery(merge=True)) == [
        "train - begins",
        "train 0 a0",
        "train 0   more",
        "train 1 b1",
        "train 0 c0",
        "train 1 d1",
        "export 0 e",
    ]


def test_one_rank_and_the_last_lines(filled: Path) -> None:
    assert texts(filled, LogQuery(rank=1, tail=1)) == ["train 1 d1"]
    assert texts(filled, LogQuery(tail=0)) == []


def test_since_goes_by_the_lines_own_times(filled: Path) -> None:
    assert texts(filled, LogQuery(since_s=5.0), now=BEGAN + 10) == ["train 0 c0", "train 1 d1", "export 0 e"]


@dataclass
class Growing:
    """Observes a run whose logs grow each time that somebody waits for them."""

    folder: Path
    clock: FakeClock
    steps: list[tuple[str, str, str]] = field(default_factory=list)
    end: State = State.SUCCEEDED

    def observe(self) -> RunStatus:
        known = record.read_run(self.folder)
        assert known is not None
        status = record.to_status(known, self.folder)
        if self.steps:
            return status
        return RunStatus(**{**vars(status), "state": self.end})

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        if self.steps:
            stage_name, name, text = self.steps.pop(0)
            write(self.folder, stage_name, name, text, end="")

    def follow(self, query: LogQuery) -> Iterator[LogLine]:
        return local_logs.follow(self.folder, ["train", "export"], query, self.observe, self.clock, self.sleep)


def test_follow_waits_for_the_run_to_begin_and_ends_with_it_without_loss_or_repetition(folder: Path) -> None:
    steps = [("train", "rank_0", "one\ntw"), ("train", "rank_1", "x\n"), ("train", "rank_0", "o\n")]
    steps += [("export", "rank_0", "three\n"), ("train", "rank_1", "torn at the end")]
    growing = Growing(folder, FakeClock(), steps)

    lines = [(line.stage, line.rank, line.text) for line in growing.follow(LogQuery(follow=True))]

    assert lines == [
        ("train", 0, "one"),
        ("train", 1, "x"),
        ("train", 0, "two"),
        ("export", 0, "three"),
        ("train", 1, "torn at the end"),
    ]


def test_follow_with_tail_begins_near_the_end_and_then_shows_all(folder: Path) -> None:
    write(folder, "train", "rank_0", "1", "2", "3")
    growing = Growing(folder, FakeClock(), [("train", "rank_0", "4\n5\n"), ("train", "rank_1", "6\n7\n")])

    lines = [line.text for line in growing.follow(LogQuery(follow=True, tail=1))]

    assert lines == ["3", "4", "5", "6", "7"]


def test_follow_does_not_end_quietly_where_nobody_drives_the_run_any_more(folder: Path) -> None:
    growing = Growing(folder, FakeClock(), [("train", "rank_0", "1\n")], end=State.UNKNOWN)
    lines = growing.follow(LogQuery(follow=True))

    assert next(lines).text == "1"
    with pytest.raises(BackendError, match="launcher resume"):
        next(lines)
