"""What starts several ranks, as the device's profile says: msrun, a rank table, or mpirun. One shape for all three."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launcher.processes import mpirun, msrun, spawn
from launcher.processes.msrun import Team
from launcher.profiles import MPIRUN, MSRUN, RANK_TABLE
from runfolder import layout

_NAMES = {MSRUN: "msrun", RANK_TABLE: "spawn", MPIRUN: "mpirun"}
"""What the process that starts them is called, in the names of its files and in messages."""
_NAMED = re.compile(rf"(?:{'|'.join(_NAMES.values())})(?:_\d+)?")


def name_of(start: str, pod: int = 0) -> str:
    """Of the starter of pod `pod`: their logs lie in one folder."""
    return f"{_NAMES[start]}_{pod}" if pod else _NAMES[start]


def is_starter(name: str) -> bool:
    return _NAMED.fullmatch(name) is not None


def has_scheduler(start: str) -> bool:
    """Whether pod 0 has one process more, which the ranks find each other by."""
    return start == MSRUN


def command(start: str, argv: Sequence[str], team: Team, log_dir: Path) -> list[str]:
    """The command line that runs `argv`, which begins with "python", once a rank. Raises UsageError for several pods
    where mpirun would have to reach them."""
    if start == RANK_TABLE:
        return spawn.command(argv, here=team.here, first=team.pod * team.here, total=team.ranks)
    if start == MPIRUN:
        return mpirun.command(argv, here=team.here, pods=team.ranks // team.here)
    return msrun.command(argv, team, log_dir)


def exits(start: str, log: str, rank_of: Callable[[int], str | None]) -> Mapping[str, int]:
    """Exit codes (negative: a signal) that the starter reported, by the rank's name, first failure first.

    `rank_of` gives the name of the rank with a process id.
    """
    if start == MPIRUN:
        return {layout.rank_name(rank): code for rank, code in mpirun.rank_exits(log).items()}
    told = ((rank_of(pid), code) for pid, code in msrun.worker_exits(log).items())
    return {name: code for name, code in told if name is not None}
