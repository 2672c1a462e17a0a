"""The one supervisor of a run on this machine: the lock that it holds, starting it, and stopping it.

Holding `supervisor.lock` is what being alive means: the kernel lets it go with the process, whatever ended that.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from launcher import names
from launcher.errors import BackendError
from launcher.processes import process_tree, rank_logs
from launcher.processes.process_tree import Process
from runfolder import layout

START_S = 30.0
"""How long a supervisor may take to begin, which it does within one second on an idle machine."""
STOP_S = 40.0
"""How long a supervisor that was told to stop may take: its stage saves a checkpoint first."""
LEFTOVERS_GRACE_S = 25.0
"""How long a stage may take whose supervisor is gone."""
FREE_S = 5.0
"""How long a supervisor may take to end itself once it has written the end of the run."""
_LOCK_S = 1.0  # others take the lock for a moment, only to see whether it is free
_POLL_S = 0.05


@dataclass(frozen=True)
class Holder:
    """Whoever holds the lock; `pid` is None until it has begun its work."""

    pid: int | None
    host: str

    @property
    def process(self) -> Process | None:
        """None where it has not begun, or runs on another machine."""
        return process_tree.read(self.pid) if self.pid is not None and self.host == socket.gethostname() else None


class Lock:
    """The lock, held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def announce(self) -> None:
        """Says who holds it, and that the work has begun."""
        content = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        os.pwrite(self._descriptor, content.encode(), 0)


@contextmanager
def lock(folder: Path, *, wait_s: float = _LOCK_S) -> Iterator[Lock | None]:
    """Holds the run's lock; None where another process does, and goes on doing so for `wait_s`."""
    descriptor = os.open(folder / layout.SUPERVISOR_LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        until = time.monotonic() + wait_s
        while not (held := _try_lock(descriptor, fcntl.LOCK_EX)) and time.monotonic() < until:
            time.sleep(_POLL_S)
        if held:
            os.ftruncate(descriptor, 0)
        yield Lock(descriptor) if held else None
    finally:
        os.close(descriptor)


def holder(folder: Path) -> Holder | None:
    """None where nobody holds the lock: the run has no supervisor."""
    try:
        descriptor = os.open(folder / layout.SUPERVISOR_LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        content = os.pread(descriptor, 4096, 0)
    finally:
        os.close(descriptor)
    try:
        value = json.loads(content)
        return Holder(int(value["pid"]), str(value["host"]))
    except (ValueError, KeyError, TypeError):
        return Holder(None, "")


def start(folder: Path, *options: str) -> None:
    """Starts a supervisor that outlives this process and its terminal; returns when one has begun its work.

    `options` are those of `local_runner`. With another one there already, it ends at once and that one is left alone.
    Raises BackendError.
    """
    log = folder / layout.SUPERVISOR_LOG
    offset = rank_logs.size(log)
    argv = [sys.executable, "-P", "-m", "launcher.backends.local_runner", "--folder", str(folder)]
    pid = os.posix_spawn(
        sys.executable,
        [*argv, *options],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        ended, _ = os.waitpid(pid, os.WNOHANG)
        now = holder(folder)
        if now and now.pid is not None:
            return
        if ended:
            if now is None and not _began(log, offset):
                said = "; ".join(rank_logs.last_lines(log, 3, offset))
                raise BackendError(f"the supervisor of run '{folder.name}' ended at once: {said or 'see'} ({log})")
            return
        time.sleep(_POLL_S)
    raise BackendError(f"the supervisor of run '{folder.name}' has not begun after {START_S:.0f} s; see {log}")


BEGUN = "supervisor begins"
"""First words in its log: a run that is finished is over before anybody can look at the lock."""


def stop(folder: Path) -> bool:
    """Tells the supervisor, if there is one, to stop its run, and waits for its end; False where there was none.

    One that does not listen is killed. Raises BackendError for one on another machine that goes on.
    """
    if holder(folder) is None:
        return False
    told = False
    until = time.monotonic() + STOP_S
    while now := holder(folder):
        process = now.process
        if process and not told:
            process_tree.send([process], signal.SIGTERM)
            process_tree.send([process], signal.SIGCONT)
            told = True
        if time.monotonic() > until:
            if process is None:
                raise BackendError(f"the supervisor of run '{folder.name}' on machine {now.host} does not answer")
            process_tree.send([process], signal.SIGKILL)
        time.sleep(_POLL_S)
    return True


def wait_free(folder: Path) -> None:
    """Waits, for a moment at most, until nobody holds the lock."""
    until = time.monotonic() + FREE_S
    while holder(folder) is not None and time.monotonic() < until:
        time.sleep(_POLL_S)


def wake(now: Holder) -> bool:
    """Continues a supervisor that was stopped (SIGSTOP)."""
    process = now.process
    if process is None or process.state != "T":
        return False
    process_tree.send([process], signal.SIGCONT)
    return True


def sweep(folder: Path, *, grace_s: float = LEFTOVERS_GRACE_S) -> None:
    """Ends what a supervisor that is gone has left behind. For the holder of the lock only. Raises BackendError."""
    left = process_tree.end(lambda: process_tree.marked({names.ENV_FOLDER: str(folder)}), grace_s=grace_s)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise BackendError(f"run '{folder.name}': process {pids} cannot be ended; it waits for its device or storage")


def _began(log: Path, offset: int) -> bool:
    return any(BEGUN in line for line in rank_logs.LineTail(log, offset).read(final=True))


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
