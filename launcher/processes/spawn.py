"""Starts the ranks of one pod by rank table, one process a rank, and ends them all as soon as one has failed.

    python -m launcher.processes.spawn --ranks N --first R --total T -- ARGV…

Each process gets RANK_ID, RANK_SIZE and DEVICE_ID, and RANK_TABLE_FILE of this process's environment: so MindSpore's
init() finds its place without msrun (`launcher.ascend`). Failures are told in msrun's words. Not run on hardware here.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher import ascend
from launcher.errors import CONFIGURATION_EXIT, LauncherError
from launcher.processes import process_tree
from launcher.processes.process_tree import Process

GRACE_S = 5.0
"""A rank that is told to end has this long; those of a pod are ended by the pod, which gives them what they need."""
TERMINATED_EXIT = 128 + signal.SIGTERM
_POLL_S = 0.05
_OTHERS = ("MS_ROLE", "MS_SCHED_HOST", "MS_SCHED_PORT", "MS_WORKER_NUM", ascend.RANK_TABLE_FILE_OLD)
"""What MindSpore would follow in place of the rank table."""


def command(argv: Sequence[str], *, here: int, first: int, total: int, devices: Sequence[int] = ()) -> list[str]:
    """The command line that runs `argv` once a rank: `here` ranks of `total`, numbered from `first` on.

    `devices`: the DEVICE_ID of each, by default 0, 1, …, as a container numbers those that it was given.
    """
    own = [f"--devices={','.join(map(str, devices))}"] if devices else []
    module = ["-m", "launcher.processes.spawn", f"--ranks={here}", f"--first={first}", f"--total={total}", *own]
    return [sys.executable, *module, "--", *argv]


def rank_environment(environment: Mapping[str, str], rank: int, total: int, device: int) -> dict[str, str]:
    own = {name: value for name, value in environment.items() if name not in _OTHERS}
    return {**own, "RANK_ID": str(rank), "RANK_SIZE": str(total), "DEVICE_ID": str(device)}


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 when all ranks ended well, else that of the first that failed (128 + its signal); 143 when told to
    stop, 42 for a start that cannot work."""
    parser = argparse.ArgumentParser(prog="python -m launcher.processes.spawn", description="Start by rank table.")
    parser.add_argument("--ranks", type=int, required=True, help="processes to start")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--total", type=int, required=True, help="ranks of all pods")
    parser.add_argument("--devices", default="", help="DEVICE_ID of each, as in 0,1,2,3 [0, 1, …]")
    parser.add_argument("argv", nargs="+")
    given = parser.parse_args(arguments)
    try:
        devices = _devices(given.devices, given.ranks)
        _require_table(os.environ)
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return CONFIGURATION_EXIT
    process_tree.die_with_parent(signal.SIGKILL)  # its ranks die with it
    return Ranks(given.argv).run(given.first, given.total, devices)


class Ranks:
    """The processes of this pod's ranks."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = [sys.executable, *argv[1:]] if argv[0] == "python" else list(argv)
        self._started: list[subprocess.Popen[bytes]] = []
        self._told: set[int] = set()
        self._stopped = False

    def run(self, first: int, total: int, devices: Sequence[int]) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            for position, device in enumerate(devices):
                self._start(rank_environment(os.environ, first + position, total, device))
            return self._wait()
        except OSError as error:
            print(f"launcher: cannot start {self._argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
            return 127
        finally:
            process_tree.end(self._left, grace_s=GRACE_S)
            self._tell()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stopped = True

    def _start(self, environment: Mapping[str, str]) -> None:
        starter = os.getpid()

        def tie() -> None:
            process_tree.die_with_parent(signal.SIGKILL)
            if os.getppid() != starter:  # it died before this process was tied to it
                os._exit(127)

        # A session of its own, as msrun gives each rank.
        started = subprocess.Popen(
            self._argv, stdin=subprocess.DEVNULL, env=environment, start_new_session=True, preexec_fn=tie
        )
        self._started.append(started)

    def _wait(self) -> int:
        while not self._stopped:
            failed = self._tell()
            if failed is not None:
                return failed if failed > 0 else 128 - failed
            if all(process.returncode == 0 for process in self._started):
                return 0
            time.sleep(_POLL_S)
        return TERMINATED_EXIT

    def _tell(self) -> int | None:
        """Says of each rank that has failed since the last call how it ended; the exit code of the first of them."""
        first = None
        for process in self._started:
            code = process.poll()
            if code and process.pid not in self._told:
                self._told.add(process.pid)
                print(f"Worker process {process.pid} exit with exception. Error code: {code}.", flush=True)
                first = code if first is None else first
        return first

    def _left(self) -> list[Process]:
        for process in self._started:
            process.poll()
        return [one for one in process_tree.descendants(os.getpid(), process_tree.snapshot()) if one.alive]


def _devices(text: str, ranks: int) -> tuple[int, ...]:
    if not text:
        return tuple(range(ranks))
    parts = text.split(",")
    if len(parts) != ranks or len(set(parts)) < ranks or not all(part.isascii() and part.isdecimal() for part in parts):
        raise LauncherError(f"--devices must be {ranks} different numbers, one a rank, as in 0,1; not '{text}'")
    return tuple(map(int, parts))


def _require_table(environment: Mapping[str, str]) -> None:
    table = environment.get(ascend.RANK_TABLE_FILE, "")
    if not Path(table).is_file():
        raise LauncherError(
            f"{ascend.RANK_TABLE_FILE} is {f'{table}, and no such file is there' if table else 'not set'}; "
            "it must be the path of a rank table (launcher ranktable)"
        )


if __name__ == "__main__":
    sys.exit(main())
