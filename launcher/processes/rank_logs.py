"""Reading logs while others write them: whole lines, whatever bytes they hold, each exactly once."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

MAX_LINE = 1 << 16
"""A "line" without an end (a progress bar, binary noise) is cut at so many bytes."""
_BLOCK = 1 << 20
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T-](\d\d:\d\d:\d\d)[.,](\d{3})")


class LineTail:
    """The lines that are appended to one file from byte `offset` on; the file need not be there yet."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self._offset = offset
        self._rest = b""

    def read(self, *, final: bool = False) -> Iterator[str]:
        """New whole lines, without their ends; with `final`, a last line that has no end too."""
        while True:
            block = self._block()
            lines = (self._rest + block).split(b"\n")
            self._rest = lines.pop()
            for line in lines:
                yield _text(line)
            while len(self._rest) > MAX_LINE:
                yield _text(self._rest[:MAX_LINE])
                self._rest = self._rest[MAX_LINE:]
            if not block:
                break
        if final and self._rest:
            yield _text(self._rest)
            self._rest = b""

    def _block(self) -> bytes:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                block = stream.read(_BLOCK)
        except OSError:
            return b""
        self._offset += len(block)
        return block


def size(path: Path) -> int:
    """Bytes that the file has now; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def last_lines(path: Path, count: int, offset: int = 0) -> tuple[str, ...]:
    """At most `count` last non-empty lines after byte `offset`."""
    lines = (line for line in LineTail(path, offset).read(final=True) if line.strip())
    return tuple(deque(lines, maxlen=count))


def timed(lines: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Each line with the time of its stamp in seconds since 1970; without one, that of the line before (first: 0)."""
    when = 0.0
    for line in lines:
        when = stamp(line) or when
        yield when, line


def stamp(line: str) -> float | None:
    """Time that a line of our training log or of MindSpore's begins with; local time, as both write it."""
    found = _STAMP.search(line, 0, 120)
    if found is None:
        return None
    day, clock, milliseconds = found.groups()
    try:
        return time.mktime(time.strptime(f"{day} {clock}", "%Y-%m-%d %H:%M:%S")) + int(milliseconds) / 1000
    except (ValueError, OverflowError):
        return None


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
