"""Log lines of a run on this machine, from the files that its ranks write: all of them once, or as they come."""

from __future__ import annotations

import heapq
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.backends import LogLine, LogQuery
from launcher.errors import BackendError
from launcher.processes import pod_output, rank_logs
from launcher.processes.rank_logs import LineTail
from launcher.states import REASONS, State
from launcher.status import RunStatus
from runfolder import layout

POLL_S = 0.25
LOST_AFTER_S = 5.0
"""A run may be Unknown for a moment while a new supervisor starts; for longer, nobody will write any more."""
_RANK = re.compile(r"rank_(\d+)")


@dataclass(frozen=True)
class _Source:
    stage: str
    rank: int | None
    path: Path


def read(folder: Path, stages: Sequence[str], query: LogQuery, now: float) -> Iterator[LogLine]:
    """What is there: stage by stage, in each one rank after the other or, with `query.merge`, by time."""
    for stage in stages:
        sources = _sources(folder, stage, query.rank)
        parts = [_timed(source, LineTail(source.path), query, now, final=True) for source in sources]
        if query.merge:
            for _, _, line in heapq.merge(*(_keyed(part, place) for place, part in enumerate(parts))):
                yield line
        else:
            for part in parts:
                yield from (line for _, line in part)


def follow(
    folder: Path,
    stages: Sequence[str],
    query: LogQuery,
    observe: Callable[[], RunStatus],
    clock: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[LogLine]:
    """What is there and then what comes, until the run has ended. Raises BackendError where its supervisor is gone."""
    tails: dict[_Source, LineTail] = {}
    lost_since: float | None = None
    first = True
    while True:
        status = observe()  # before the reading: what was written until the end is still read
        for stage in stages:
            for source in _sources(folder, stage, query.rank):
                new = source not in tails
                tail = tails.setdefault(source, LineTail(source.path))
                narrow = query if new and first else LogQuery()
                ended = status.state.terminal
                yield from (line for _, line in _timed(source, tail, narrow, clock(), final=ended))
        first = False
        if status.state.terminal:
            return
        lost_since = (lost_since or clock()) if status.state is State.UNKNOWN else None
        if lost_since is not None and clock() - lost_since > LOST_AFTER_S:
            raise BackendError(f"run '{status.run}': {status.message or REASONS['SupervisorLost'].sentence}")
        sleep(POLL_S)


def _sources(folder: Path, stage: str, wanted: int | None) -> list[_Source]:
    """Logs of the stage's first process and of its ranks that are there by now, in this order."""
    logs = layout.stage_folder(folder, stage) / layout.LOGS
    own = layout.log_file(logs, pod_output.POD)
    found = [_Source(stage, None, own)] if wanted is None and own.exists() else []
    matched = ((_RANK.fullmatch(path.stem), path) for path in logs.glob("rank_*.log"))
    ranks = sorted((int(match.group(1)), path) for match, path in matched if match)
    return found + [_Source(stage, number, path) for number, path in ranks if wanted in (None, number)]


def _timed(
    source: _Source, tail: LineTail, query: LogQuery, now: float, *, final: bool
) -> Iterator[tuple[float, LogLine]]:
    lines = rank_logs.timed(tail.read(final=final))
    if query.since_s is not None:
        # A line that no stamp has come before counts as old.
        begin = now - query.since_s
        lines = ((when, text) for when, text in lines if when >= begin)
    if query.tail is not None:
        lines = iter(deque(lines, maxlen=query.tail))
    for when, text in lines:
        yield when, LogLine(source.stage, source.rank, text)


def _keyed(part: Iterator[tuple[float, LogLine]], place: int) -> Iterator[tuple[tuple[float, int], int, LogLine]]:
    """Lines of one file keep their order, even where its clock went back."""
    latest = 0.0
    for number, (when, line) in enumerate(part):
        latest = max(latest, when)
        yield (latest, place), number, line
