"""Processes as Linux's /proc shows them: who lives, whose child it is, and how to end a whole stage of them.

Ranks run in sessions of their own (msrun starts each with setsid), so a process group does not hold a stage
together. Two things do: the tree of children, and the marker that every process of a run carries in its environment.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_UNKILLABLE_S = 10.0  # a process that outlives SIGKILL this long waits in the kernel; nothing here can end it
_POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    state: str
    """One letter of proc(5): R, S, D, T (stopped), Z (ended, not yet waited for), …"""
    cpu_s: float
    """Processor seconds used, those of ended children with them."""
    birth: int
    """Clock ticks from the machine's start to the process's: with `pid`, an identity that is never used twice."""
    wait_status: int
    """As waitpid(2) would give it, for state Z; 0 before."""

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


def read(pid: int) -> Process | None:
    """The process with this id, or None."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the command's name, in brackets, may hold anything
    ticks = sum(int(value) for value in fields[11:15])
    return Process(pid, int(fields[1]), fields[0], ticks / _TICKS, int(fields[19]), int(fields[49]))


def waited_s(pid: int) -> float:
    """Seconds that the living threads of the process were ready to run and had no processor; 0 where Linux does not
    say (it was built without schedstats)."""
    waited = 0
    for thread in (PROC / str(pid) / "task").glob("*"):
        try:
            waited += int((thread / "schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return waited / 1e9


def snapshot() -> dict[int, Process]:
    """All processes by id."""
    found = (read(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdecimal())
    return {process.pid: process for process in found if process}


def descendants(root: int, processes: Mapping[int, Process]) -> list[Process]:
    """Children of `root`, their children and so on, without `root`."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def marked(marker: Mapping[str, str]) -> list[Process]:
    """Living processes, other than this one, that were started with all of these environment variables."""
    wanted = {f"{name}={value}".encode() for name, value in marker.items()}
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # gone, or another user's
            continue
        if wanted <= set(environment.split(b"\0")):
            process = read(int(entry.name))
            if process and process.alive:
                found.append(process)
    return found


def send(processes: Iterable[Process], number: signal.Signals) -> None:
    """Sends a signal; a process that has just ended is passed over."""
    for process in processes:
        now = read(process.pid)
        if now and now.birth == process.birth:
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue


def end(find: Callable[[], list[Process]], *, grace_s: float) -> list[Process]:
    """Ends all processes that `find` finds, until it finds none: SIGTERM, and after `grace_s` SIGKILL.

    SIGTERM goes to those whose parent is not among them: they are to end their children in order themselves.
    Returns those that could not be ended (waiting in the kernel), normally none.
    """
    told: set[tuple[int, int]] = set()
    start = time.monotonic()
    while left := find():
        waited = time.monotonic() - start
        if waited >= grace_s:
            send(left, signal.SIGKILL)
        else:
            found = {process.pid for process in left}
            new = [p for p in left if p.parent not in found and (p.pid, p.birth) not in told]
            told |= {(process.pid, process.birth) for process in new}
            send(new, signal.SIGTERM)
            send(new, signal.SIGCONT)  # one that was stopped could not even hear it
        if waited > grace_s + _UNKILLABLE_S:
            return left
        time.sleep(_POLL_S)
    return []


def die_with_parent(number: signal.Signals) -> None:
    """Has the kernel send this process a signal when the thread that started it ends. Survives exec."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent ends, so that none gets out of its sight."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
