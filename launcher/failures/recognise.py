"""Finding known failures in logs. Pure: logs come as blocks of bytes of any size, whatever is in them.

Every block is searched for the texts of all signs at once, which is as fast as the search of bytes; only a block that
holds one is taken apart into lines. Memory is bounded, however long a line is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from launcher.errors import one_line
from launcher.failures import table
from launcher.failures.table import Failure, Sign
from launcher.processes import rank_logs

MAX_LINE = 1 << 16
"""Bytes of a line that are looked at together; a longer one is looked at in parts that overlap."""
_OVERLAP = 1 << 10
MAX_SHOWN = 400
"""Characters that are shown of a line."""
MAX_ERRORS = 5
"""Lines that are kept of each log where nothing is known: those that look like errors, from the first on."""
MAX_UNKNOWN = 20
_STAMPS_BACK = 200
"""A line without a time has that of the line before, at most so many back."""

_ERRORS = (b"[ERROR]", b"[CRITICAL]", b"[EXCEPTION]", b":ERROR:", b" ERROR ", b"FATAL", b"Error: ", b": error: ",
           b"Exception: ", b"MemoryError", b"Segmentation fault", b"core dumped")  # fmt: skip
"""What CANN, MindSpore, Python and our own logs put into a line of an error."""
_WORD = rb"(?:^|[^A-Za-z0-9_]|\x1b\[[0-9;]*m)(%s)(?![A-Za-z0-9_])"
"""A code as a word; a terminal's colour may stand before it."""
_ANY_CODE = re.compile(rb"E(?<![A-Za-z0-9_]E)(?:[A-Z][0-9]{4}|19999)(?=:|\))")
"""How CANN shows an error code, known or not: `EZ9999: …`, `Bind_Failed(EJ0003): …`."""


@dataclass(frozen=True)
class LogLine:
    log: str
    number: int
    """From 1."""
    text: str
    """What is shown of it: one line of plain text."""
    time: float | None = None
    """Seconds since 1970, by the stamp in it or in a line not far before."""

    @property
    def where(self) -> str:
        return f"{self.log}:{self.number}"


@dataclass(frozen=True)
class Finding:
    failure: Failure
    line: LogLine
    """The first line that showed it."""
    sign: Sign
    also: tuple[str, ...] = ()
    """Where else, first line of each other log."""
    comes_of: tuple[str, ...] = ()
    """Names of other failures that were found, of which this one is most likely a consequence."""


@dataclass(frozen=True)
class Diagnosis:
    findings: tuple[Finding, ...]
    """Causes first, each before its consequences; of equals the earlier."""
    unknown: tuple[LogLine, ...]
    """Lines that look like errors, where no cause is known: as they are, without a guess."""


class _Known(NamedTuple):
    failure: Failure
    sign: Sign
    texts: tuple[bytes, ...]


@dataclass
class Log:
    """One log that is read once from its beginning to its end."""

    name: str
    failures: Sequence[Failure]
    findings: list[Finding] = field(default_factory=list)
    errors: list[LogLine] = field(default_factory=list)
    """Only such as came before the first finding."""
    lines: int = 0

    def __post_init__(self) -> None:
        self._expect([_Known(failure, sign, _bytes(sign)) for failure in self.failures for sign in failure.signs])
        self._rest = b""
        self._inside = False
        """`_rest` is a later part of a line that has been counted."""

    def _expect(self, signs: list[_Known]) -> None:
        """Each failure is looked for until it is found."""
        self._signs = signs
        codes = b"|".join(known.texts[0][1:] for known in signs if known.sign.is_code)
        self._code = re.compile(b"E(?:" + codes + b")") if codes else None

    def feed(self, block: bytes) -> None:
        whole, ended, rest = (self._rest + block).rpartition(b"\n")
        self._rest = rest
        if ended:
            self._look(whole)
            self._inside = False
        if len(self._rest) > MAX_LINE:
            self._look(self._rest)
            self._rest = self._rest[-_OVERLAP:]
            self._inside = True

    def feed_line(self, line: str) -> None:
        self.feed(line.removesuffix("\n").encode(errors="replace") + b"\n")

    def close(self) -> Log:
        """Looks at a last line that has no end; the log may be fed again."""
        if self._rest:
            self._look(self._rest)
            self._rest, self._inside = b"", False
        return self

    def _look(self, text: bytes) -> None:
        """At whole lines, the last one without its end; the first may go on with one that has been counted."""
        first = self.lines + (0 if self._inside else 1)
        self.lines = first + text.count(b"\n")
        likely = self._likely(text)
        if not likely and not self._errs(text):
            return
        lines = text.split(b"\n")
        for place, line in enumerate(lines):
            if found := _match(line, likely):
                known, at = found
                seen = LogLine(self.name, first + place, _shown(line, at), _time(lines, place))
                self.findings.append(Finding(known.failure, seen, known.sign))
                self._expect([other for other in self._signs if other.failure is not known.failure])
                likely = [other for other in likely if other.failure is not known.failure]
            elif self._errs(line):
                at = _error_at(line)
                self.errors.append(LogLine(self.name, first + place, _shown(line, at), _time(lines, place)))

    def _likely(self, text: bytes) -> list[_Known]:
        """Signs that a line of this text may be. Codes are looked for together: short words cost most."""
        coded = self._code is not None and self._code.search(text) is not None
        return [known for known in self._signs if (coded if known.sign.is_code else known.texts[0] in text)]

    def _errs(self, text: bytes) -> bool:
        return not self.findings and len(self.errors) < MAX_ERRORS and _error_at(text) >= 0


def first(lines: Iterable[str], failures: Sequence[Failure] | None = None) -> Finding | None:
    """The failure that most likely caused the others in these lines of one log; None where none is known."""
    log = Log("", table.ascend().failures if failures is None else failures)
    for line in lines:
        log.feed_line(line)
    return next(iter(diagnose([log.close()]).findings), None)


def diagnose(logs: Iterable[Log]) -> Diagnosis:
    """What all logs together show; those that come first win where no time says otherwise."""
    read = list(logs)
    seen: dict[str, list[Finding]] = {}
    for finding in sorted((finding for log in read for finding in log.findings), key=lambda found: _when(found.line)):
        seen.setdefault(finding.failure.name, []).append(finding)
    found = [_together(same, seen) for same in seen.values()]
    found.sort(key=lambda finding: (bool(finding.comes_of), finding.failure.follows == (table.ANY,)))
    if any(not _is_consequence(finding.failure) for finding in found):
        return Diagnosis(tuple(found), ())
    errors = sorted((line for log in read for line in log.errors), key=_when)
    return Diagnosis(tuple(found), tuple(errors[:MAX_UNKNOWN]))


def _match(line: bytes, signs: Iterable[_Known]) -> tuple[_Known, int] | None:
    """The first sign that the line is, and where in it."""
    for known in signs:
        if not all(text in line for text in known.texts):
            continue
        if not known.sign.is_code:
            return known, line.find(known.texts[0])
        if found := re.search(_WORD % known.texts[0], line):
            return known, found.start(1)
    return None


def _together(same: Sequence[Finding], seen: Iterable[str]) -> Finding:
    head, *others = same
    comes_of = tuple(name for name in seen if head.failure.comes_of(name))
    return Finding(head.failure, head.line, head.sign, tuple(other.line.where for other in others), comes_of)


def _error_at(text: bytes) -> int:
    """Where the first word of an error stands; -1: nowhere."""
    found = [at for at in map(text.find, _ERRORS) if at >= 0]
    code = None if found else _ANY_CODE.search(text)
    return min(found) if found else code.start() if code else -1


def _is_consequence(failure: Failure) -> bool:
    return failure.follows == (table.ANY,)


def _when(line: LogLine) -> float:
    """To sort by, without changing the order of what has no time."""
    return float("inf") if line.time is None else line.time


def _bytes(sign: Sign) -> tuple[bytes, ...]:
    """The longest text first: it is the rarest."""
    return tuple(sorted((text.encode() for text in sign.texts), key=len, reverse=True))


def _time(lines: Sequence[bytes], place: int) -> float | None:
    for line in reversed(lines[max(0, place - _STAMPS_BACK) : place + 1]):
        if when := rank_logs.stamp(line[:MAX_SHOWN].decode(errors="replace")):
            return when
    return None


def _shown(line: bytes, at: int) -> str:
    """What is around byte `at`; of a line that a progress bar wrote over and over, that one writing."""
    start, end = line.rfind(b"\r", 0, at) + 1, line.find(b"\r", at)
    part, at = line[start : len(line) if end < 0 else end], at - start
    begin = max(0, at - MAX_SHOWN // 2) if len(part) > MAX_SHOWN else 0
    cut = part[begin : begin + MAX_SHOWN]
    text = one_line(cut.decode(errors="replace").strip())
    return f"{'… ' if begin else ''}{text}{' …' if begin + MAX_SHOWN < len(part) else ''}"
