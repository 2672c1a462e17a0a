"""Where one goes on in a container's log that is only ever seen through windows. Pure.

The kubelet shows the end of the newest file of a log that it rotates, and a connection may break anywhere. So a log is
read as windows that overlap: `after` finds in a new window the place up to which all is known, by the time stamps that
the container runtime gave each line. Where that place is not in it, lines were rotated away between the two windows.
They are then read from the storage, which keeps the same lines without these stamps, and `find` finds among them the
lines of a window that was seen before, and so in the end the place in the log up to which they go.

A stream (`follow=true`) would not do: when the kubelet changes to the next file, it may leave out the last lines of the
one before (cri-client, `logs.go`), and nothing in the stream shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

CONTEXT = 64
"""Lines by which a place is found where there are no time stamps."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(Z|[+-]\d\d:\d\d)")


class Stamped(NamedTuple):
    stamp: str
    """RFC 3339 with nanoseconds, by the clock of the node; compared as text only."""
    text: str


@dataclass(frozen=True)
class Position:
    """After the last line taken."""

    stamp: str
    count: int
    """How many lines in a row had that stamp."""
    text: str
    first: bool
    """These lines were the first of their file."""


def parse(lines: Iterable[str]) -> list[Stamped]:
    """Lines of a log that was asked for with `timestamps=true`.

    A line without a stamp is not the container's but the kubelet's, which could not go on: it ends the window.
    """
    window = []
    for line in lines:
        stamp, _, text = line.partition(" ")
        if not _STAMP.fullmatch(stamp):
            break
        window.append(Stamped(stamp, text))
    return window


def seconds(stamp: str) -> float:
    """Since 1970."""
    return datetime.fromisoformat(stamp).timestamp()


def end_of(window: Sequence[Stamped]) -> Position:
    """The position after all lines of a window that has some."""
    last, begin = window[-1], _run_begin(window, len(window) - 1)
    return Position(last.stamp, len(window) - begin, last.text, first=begin == 0)


def is_sure(window: Sequence[Stamped], *, clipped: bool) -> bool:
    """Whether the last lines with one stamp are all in the window, so that `end_of` counts them right."""
    return not clipped or (bool(window) and window[0].stamp != window[-1].stamp)


def after(window: Sequence[Stamped], position: Position, *, clipped: bool) -> int | None:
    """How many first lines of the window are known. None: the position is not in it.

    `clipped`: the window does not begin where its file does, so that of its first lines with one stamp some may be
    missing.
    """
    last = next((at for at in reversed(range(len(window))) if window[at].stamp == position.stamp), None)
    if last is None:
        return None
    begin = _run_begin(window, last)
    known = begin + position.count
    cut = begin == 0 and (clipped or not position.first)  # by the window, or by a rotation between equal stamps
    if cut or known > last + 1 or window[known - 1].text != position.text:
        return None
    return known


def find(part: Sequence[str], lines: Sequence[str]) -> int | None:
    """Where `part` ends in `lines`, as the number of lines up to there; None: it is not there, or at several places.

    The last CONTEXT lines of it are looked for: where these are not at one place alone, more would hardly be.
    """
    wanted = list(part[-CONTEXT:])
    if not wanted:
        return None
    ends = (end for end in range(len(wanted), len(lines) + 1) if lines[end - 1] == wanted[-1])
    places = [end for end in ends if list(lines[end - len(wanted) : end]) == wanted]
    return places[0] if len(places) == 1 else None


def _run_begin(window: Sequence[Stamped], at: int) -> int:
    while at and window[at - 1].stamp == window[at].stamp:
        at -= 1
    return at
