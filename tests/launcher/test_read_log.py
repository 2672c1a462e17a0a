from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import pytest

from launcher import read_log, record
from launcher.read_log import Incomplete, Record, Wanted
from runfolder import atomic, layout
from tests.launcher.standin import run_path, stage, written

NOW = datetime(2026, 11, 24, 12, 0, 0).timestamp()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = run_path(tmp_path)
    written(tmp_path, stage(path, "train", processes=2), stage(path, "export"))
    return path


def write(folder: Path, stage_name: str, attempt: int, *lines: str) -> None:
    atomic.append_lines(layout.attempt_log(folder / stage_name, attempt), lines)


@pytest.fixture
def filled(folder: Path) -> Path:
    write(folder, "train", 1, "[launcher] attempt 1", "[rank 0] 2026-11-24 11:59:00,000:INFO:a", "[rank 1] b")
    write(folder, "train", 2, "[launcher] attempt 2", "[rank 1] 2026-11-24 11:59:50,000:INFO:c", "[rank 0]  d ", "")
    write(folder, "export", 1, "[rank 0] e")
    return folder


ALL = (("train", 1), ("train", 2), ("export", 1))


def texts(folder: Path, wanted: Wanted) -> list[str]:
    return [each.text.rpartition(":")[2] for each in read_log.read(folder, wanted, NOW)]


def test_attempts_come_in_the_order_that_is_asked_for_with_number_and_time(filled: Path) -> None:
    records = list(read_log.read(filled, Wanted((("train", 2), ("train", 9), ("export", 1))), NOW))

    assert [(each.stage, each.attempt, each.number) for each in records] == [
        *(("train", 2, number) for number in range(4)),
        ("export", 1, 0),
    ]
    assert [each.when for each in records] == [0.0, NOW - 10, NOW - 10, NOW - 10, 0.0]


def test_rank_tail_and_since_narrow_it(filled: Path) -> None:
    assert texts(filled, Wanted(ALL, rank=1)) == ["[rank 1] b", "c"]
    assert texts(filled, Wanted(ALL, tail=1)) == ["c", "[rank 0]  d ", "", "[rank 0] e"]
    assert texts(filled, Wanted(ALL, tail=0)) == []
    assert texts(filled, Wanted(ALL, since_s=30.0)) == ["c", "[rank 0]  d ", ""]


def test_one_goes_on_from_a_line_or_takes_the_last(filled: Path) -> None:
    assert texts(filled, Wanted((("train", 2),), start=2)) == ["[rank 0]  d ", ""]
    assert texts(filled, Wanted((("train", 2),), start=-1)) == [""]
    assert texts(filled, Wanted((("train", 2),), start=9)) == []


def test_half_a_line_is_left_out(filled: Path) -> None:
    with layout.attempt_log(filled / "export", 1).open("a") as stream:
        stream.write("[rank 0] torn")

    assert texts(filled, Wanted((("export", 1),))) == ["[rank 0] e"]


def call(capsys: pytest.CaptureFixture[str], folder: Path, wanted: Wanted, *more: str) -> list[str]:
    plan_hash = record.read_plan(folder).hash
    words = read_log.arguments(str(folder), plan_hash, wanted)
    assert read_log.main([*words[words.index("launcher.read_log") + 1 :], *more]) == 0
    return capsys.readouterr().out.removesuffix("\n").split("\n")


def test_the_program_prints_in_pieces_what_was_asked_for(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = Wanted(ALL)
    found: list[Record] = []
    more = True
    while more:
        printed = call(capsys, filled, Wanted(ALL, start=len(found)), "--max-bytes", "60")
        records, more = read_log.decode(printed)
        found += records

    assert found == list(read_log.read(filled, wanted, NOW))


def test_every_flag_reaches_the_program(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = call(capsys, filled, Wanted(ALL, start=-1, rank=0, tail=5, since_s=1e9))

    assert [each.text for each in read_log.decode(printed)[0]] == ["[rank 0]  d "]


def test_another_run_of_that_name_is_refused(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_log.main(["--folder", str(filled), "--plan-hash", "x", "--of", "train/1"]) == 6
    assert capsys.readouterr().err == f"error: {filled} holds another run of this name\n"
    assert read_log.main(["--folder", str(filled.parent / "no"), "--plan-hash", "x", "--of", "train/1"]) == 3


def test_whatever_is_missing_of_what_was_printed_is_noticed() -> None:
    draw = random.Random(1)  # noqa: S311
    records = [Record("train", 1, number, 0.0, f"[rank 0] {draw.random()}") for number in range(3000)]
    printed = list(read_log.encode(records, 1 << 20))
    assert read_log.decode(printed) == (records, False)
    assert len(printed) > 5

    for at in range(len(printed)):
        with pytest.raises(Incomplete):
            read_log.decode(printed[:at] + printed[at + 1 :])
        with pytest.raises(Incomplete):
            read_log.decode(printed[at + 1 :])
        with pytest.raises(Incomplete):
            read_log.decode(printed[:at])
