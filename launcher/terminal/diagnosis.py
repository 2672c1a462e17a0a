"""What was found in logs, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from launcher.doctor import Level
from launcher.failures.recognise import Diagnosis, Finding, Log
from launcher.status import RunStatus
from runfolder import layout

_MAX_PLACES = 8
_INDENT = " " * 9


def log_name(stage: str, rank: int | None) -> str:
    """What the lines of a run's rank (None: of the stage's first process) are called."""
    return f"{stage}/pod" if rank is None else f"{stage}/{layout.rank_name(rank)}"


def failed(diagnosis: Diagnosis) -> bool:
    return bool(diagnosis.findings or diagnosis.unknown)


def lines(diagnosis: Diagnosis, logs: Sequence[Log]) -> Iterator[str]:
    for finding in diagnosis.findings:
        yield f"{_level(finding):<8} {finding.failure.name}: {finding.failure.title}"
        for word, text in _told(finding):
            yield f"{_INDENT}{word:<9} {text}"
    if diagnosis.unknown:
        known = "no cause" if diagnosis.findings else "nothing"
        yield f"{Level.ERROR:<8} unknown: {known} that is known; the first lines that look like errors:"
        for line in diagnosis.unknown:
            yield f"{_INDENT}{line.where}: {line.text}"
    if not failed(diagnosis):
        read = _count(sum(log.lines for log in logs), "line")
        yield f"{Level.OK:<8} logs: no known failure in {read} of {_names(logs)}"


def data(diagnosis: Diagnosis, logs: Sequence[Log], run: RunStatus | None = None) -> dict[str, Any]:
    of_run = {"run": {"name": run.run, "state": run.state, "reason": run.reason, "message": run.message}} if run else {}
    return {
        **of_run,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "unknown": [{"log": line.log, "line": line.number, "text": line.text} for line in diagnosis.unknown],
        "logs": [{"name": log.name, "lines": log.lines} for log in logs],
    }


def _told(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "seen", f"{finding.line.where}: {finding.line.text}"
    if finding.also:
        more = len(finding.also) - _MAX_PLACES
        yield "also", ", ".join(finding.also[:_MAX_PLACES]) + (f" and {more} more" if more > 0 else "")
    if finding.comes_of:
        yield "comes of", f"most likely {', '.join(finding.comes_of)} (above)"
    yield "cause", finding.failure.cause
    yield "remedy", finding.failure.remedy
    yield "source", finding.sign.source


def _finding(finding: Finding) -> dict[str, Any]:
    failure, line = finding.failure, finding.line
    return {
        "level": _level(finding),
        "check": failure.name,
        "text": failure.title,
        "advice": failure.remedy,
        "cause": failure.cause,
        "log": line.log,
        "line": line.number,
        "matched": line.text,
        "source": finding.sign.source,
        "also": list(finding.also),
        "comes_of": list(finding.comes_of),
    }


def _level(finding: Finding) -> Level:
    return Level.WARNING if finding.comes_of else Level.ERROR


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _names(logs: Sequence[Log]) -> str:
    return logs[0].name if len(logs) == 1 else _count(len(logs), "log")
