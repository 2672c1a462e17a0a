from __future__ import annotations

import random

import pytest

from launcher.backends.kubernetes import log_window
from launcher.backends.kubernetes.log_window import Position, Stamped


def stamped(*pairs: tuple[int, str]) -> list[Stamped]:
    return [Stamped(f"2026-11-24T12:00:00.{nanoseconds:09d}Z", text) for nanoseconds, text in pairs]


def test_a_line_without_a_stamp_is_the_kubelets_and_ends_the_window() -> None:
    lines = [
        "2026-11-24T12:00:00.000000001Z one  two ",
        "2026-11-24T12:00:00.000000002Z ",
        "unable to retrieve container logs for containerd://1",
        "2026-11-24T12:00:00.000000003Z three",
    ]

    assert log_window.parse(lines) == stamped((1, "one  two "), (2, ""))
    assert log_window.seconds("2026-11-24T12:00:00.500000001Z") == pytest.approx(1795521600.5)


def test_one_goes_on_after_the_last_line_with_the_known_stamp() -> None:
    window = stamped((1, "a"), (2, "b"), (2, "b"), (2, "b"), (3, "c"))
    stamp = window[1].stamp

    assert log_window.after(window, Position(stamp, 2, "b", first=False), clipped=True) == 3
    assert log_window.after(window, log_window.end_of(window), clipped=False) == 5
    assert log_window.end_of(window[:4]) == Position(stamp, 3, "b", first=False)


def test_a_place_that_is_not_in_the_window_is_not_made_up() -> None:
    window = stamped((2, "b"), (2, "b"), (3, "c"))
    stamp = window[0].stamp

    assert (
        log_window.after(window, Position(stamp, 1, "b", first=True), clipped=True) is None
    )  # more of them may come before
    assert log_window.after(window, Position(stamp, 1, "b", first=True), clipped=False) == 1
    assert log_window.after(window, Position(stamp, 3, "b", first=True), clipped=False) is None
    assert log_window.after(window, Position(stamp, 2, "x", first=True), clipped=False) is None
    assert log_window.after(window, Position(stamp, 1, "b", first=False), clipped=False) is None  # rotated between
    assert log_window.after([], Position(stamp, 1, "b", first=True), clipped=False) is None


def test_where_the_last_stamp_may_have_begun_before_the_window_nothing_is_sure() -> None:
    assert not log_window.is_sure(stamped((2, "b"), (2, "b")), clipped=True)
    assert not log_window.is_sure([], clipped=True)
    assert log_window.is_sure(stamped((2, "b"), (2, "b")), clipped=False)
    assert log_window.is_sure(stamped((1, "b"), (2, "b")), clipped=True)


def test_lines_are_found_by_their_text_where_they_are_at_one_place_alone() -> None:
    lines = ["a", "b", "a", "b", "c"]

    assert log_window.find(["a", "b", "c"], lines) == 5
    assert log_window.find(["b", "a"], lines) == 3
    assert log_window.find(["a", "b"], lines) is None
    assert log_window.find(["x"], lines) is None
    assert log_window.find([], lines) is None
    assert log_window.find(["b"] * 99, lines) is None


@pytest.mark.parametrize("seed", range(200))
def test_any_two_windows_that_overlap_are_put_together(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311
    clock = 0
    log = []
    for _ in range(draw.randint(2, 60)):
        clock += draw.choice((0, 0, 1, -3, 7))  # clocks are coarse, and may be set back
        log.append((clock, draw.choice("xy")))
    lines = stamped(*log)
    first_end = draw.randint(1, len(lines))
    second_begin = draw.randint(0, len(lines) - 1)
    position = log_window.end_of(lines[:first_end])

    known = log_window.after(lines[second_begin:], position, clipped=second_begin > 0)

    stamps = [line.stamp for line in lines]
    if stamps.count(position.stamp) == position.count:  # else the clock was set back to the very same nanosecond
        begins_before = second_begin == 0 or stamps[second_begin] != position.stamp
        inside = second_begin < first_end and begins_before
        assert known == (first_end - second_begin if inside else None)
