"""Becomes one process of a stage: a rank, the scheduler of the ranks, or msrun itself.

    python -m launcher.processes.rank POD STATUS LOGS ARGV…

Ties its life to its parent's, so that a killed pod leaves no orphan (pod -> msrun -> ranks), sends its output to a
log of its own in LOGS, leaves its process id in STATUS, and then is replaced by ARGV. POD is the process id of the
stage's first process. The log is written by the rank itself: no line is lost with whoever reads it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from launcher import names, profiles
from launcher.errors import STORAGE_EXIT
from launcher.processes import mpirun, process_tree, starter
from runfolder import atomic, layout

SCHEDULER = "scheduler"
NOT_STARTED_EXIT = 127
NO_LOG_EXIT = STORAGE_EXIT
"""The storage is full or not writable, so that not even a log can be begun."""


def role(environment: Mapping[str, str]) -> str:
    """By the variables that the starter (or, for one process, the pod) sets: `rank_R`, `scheduler`, or itself."""
    if environment.get("MS_ROLE") == "MS_SCHED":
        return SCHEDULER
    if "RANK_ID" in environment:
        return layout.rank_name(environment["RANK_ID"])
    return starter.name_of(environment.get(names.ENV_START, profiles.MSRUN), int(environment.get(names.ENV_POD, "0")))


def read_pid(status: Path, name: str) -> int | None:
    """None where it has not begun."""
    try:
        return int(layout.pid_file(status, name).read_text())
    except (OSError, ValueError):
        return None


def living(status: Path, ranks: int) -> int:
    """How many ranks live as processes of this machine."""
    pids = (read_pid(status, layout.rank_name(number)) for number in range(ranks))
    processes = (process_tree.read(pid) for pid in pids if pid is not None)
    return sum(process is not None and process.alive for process in processes)


def opening_line(environment: Mapping[str, str], now: datetime) -> str:
    """What parts the attempts in a log that all of them append to; the form is the training log's own."""
    stamp = now.isoformat(sep=" ", timespec="milliseconds").replace(".", ",")
    attempt, stage = environment.get(names.ENV_ATTEMPT, "?"), environment.get(names.ENV_STAGE, "?")
    return f"{stamp}:INFO:--- attempt {attempt} of {stage} ---"


def main(arguments: list[str]) -> int:
    pod, status, logs, argv = int(arguments[0]), Path(arguments[1]), Path(arguments[2]), arguments[3:]
    process_tree.die_with_parent(signal.SIGKILL)
    if not _descends_from(pod):  # the parent died before this process was tied to it
        return NOT_STARTED_EXIT
    os.environ.update(mpirun.rank_environment(os.environ))
    name = role(os.environ)
    try:
        atomic.append_line(layout.log_file(logs, name), opening_line(os.environ, datetime.now()))
        log = os.open(layout.log_file(logs, name), os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        atomic.write_text(layout.pid_file(status, name), str(os.getpid()))
    except OSError as error:
        print(f"launcher: {name} cannot write into {logs} and {status}: {error.strerror}", file=sys.stderr, flush=True)
        return NO_LOG_EXIT
    if argv[0] == "python":
        argv = [sys.executable, *argv[1:]]
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - an argv, and never a shell string
    except OSError as error:
        print(f"launcher: cannot start {argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
    return NOT_STARTED_EXIT


def _descends_from(pod: int) -> bool:
    pid = os.getppid()
    while pid > 1 and pid != pod:
        process = process_tree.read(pid)
        pid = process.parent if process else 0
    return pid == pod


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
