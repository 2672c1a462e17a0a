from __future__ import annotations

from datetime import datetime
from pathlib import Path

from launcher.processes import rank_logs
from launcher.processes.rank_logs import MAX_LINE, LineTail


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def test_each_line_comes_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "rank_0.log"
    tail = LineTail(log)
    assert list(tail.read()) == []

    append(log, b"one\ntw")
    assert list(tail.read()) == ["one"]
    append(log, b"o\r\nthree")
    assert list(tail.read()) == ["two"]
    assert list(tail.read(final=True)) == ["three"]
    assert list(tail.read(final=True)) == []


def test_a_letter_cut_in_the_middle_is_whole_again_and_other_bytes_are_replaced(tmp_path: Path) -> None:
    log = tmp_path / "rank_0.log"
    tail = LineTail(log)
    letter = "é".encode()

    append(log, b"caf" + letter[:1])
    assert list(tail.read()) == []
    append(log, letter[1:] + b"\n\xff\xfe\n")

    assert list(tail.read()) == ["café", "\ufffd\ufffd"]


def test_a_line_without_an_end_is_cut_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    log = tmp_path / "rank_0.log"
    append(log, b"x" * (2 * MAX_LINE + 5))

    parts = list(LineTail(log).read(final=True))

    assert [len(part) for part in parts] == [MAX_LINE, MAX_LINE, 5]


def test_only_what_comes_after_the_offset_is_read(tmp_path: Path) -> None:
    log = tmp_path / "rank_0.log"
    append(log, b"old\n")
    offset = rank_logs.size(log)
    append(log, b"a\n\nb\nc\n")

    assert list(LineTail(log, offset).read()) == ["a", "", "b", "c"]
    assert rank_logs.last_lines(log, 2, offset) == ("b", "c")
    assert rank_logs.last_lines(log, 9, offset) == ("a", "b", "c")
    assert rank_logs.last_lines(tmp_path / "absent", 2) == ()


def test_times_are_read_from_our_lines_and_from_those_of_mindspore() -> None:
    ours = "2021-10-25 09:21:16,137:INFO:epoch[0], iter[1774], loss:8.9384, mean_fps:326.40 imgs/sec"
    theirs = "[WARNING] ME(1:2,MainProcess):2021-10-25-09:21:16.137.000 [mindspore/x.py:1] words"
    when = datetime(2021, 10, 25, 9, 21, 16, 137000).timestamp()

    assert rank_logs.stamp(ours) == when
    assert rank_logs.stamp(theirs) == when
    assert rank_logs.stamp("no time here") is None
    assert rank_logs.stamp("2021-99-99 09:21:16,137:INFO:x") is None


def test_a_line_without_a_time_has_that_of_the_line_before() -> None:
    lines = ["first", "2021-10-25 09:21:16,137:INFO:x", "  continued"]

    times = [when for when, _ in rank_logs.timed(lines)]

    assert times[0] == 0.0
    assert times[1] == times[2] > 0
