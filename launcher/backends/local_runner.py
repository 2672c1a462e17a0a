"""The supervisor of a run on this machine: drives it to its end, detached from whoever submitted it.

    python -m launcher.backends.local_runner --folder RUN_FOLDER [--resume]

A second one for the same run ends at once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from launcher import record, resize
from launcher.backends import supervisor
from launcher.backends.local_executor import LocalExecutor
from launcher.errors import LauncherError
from launcher.resize import Resize
from launcher.runner import Runner
from launcher.states import State
from runfolder import layout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m launcher.backends.local_runner", description="Drives one run to its end."
    )
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with a run that ended or lost its supervisor")
    parser.add_argument("--resize", type=json.loads, metavar="JSON", help="and with these devices (launcher.resize)")
    given = parser.parse_args(arguments)
    try:
        folder = given.folder.resolve()
        with supervisor.lock(folder) as held:
            if held is None:
                print("already supervised", flush=True)
                return 0
            return 0 if _supervise(folder, held, given.resume, resize.from_json(given.resize)) is State.SUCCEEDED else 1
    except (LauncherError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code if isinstance(error, LauncherError) else 1


def _supervise(folder: Path, held: supervisor.Lock, resume: bool, asked: Resize | None) -> State:
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: told.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir(folder)
    cancel = folder / layout.CANCEL
    if resume:
        cancel.unlink(missing_ok=True)
    plan = resize.resized(record.read_plan(folder), asked) if asked else record.effective_plan(folder)
    runner = Runner(
        plan,
        folder,
        LocalExecutor(folder),
        backend="local",
        cancelled=lambda: bool(told) or cancel.exists(),
    )
    runner.begin(resume=resume, resize=asked)
    print(f"{supervisor.BEGUN}, process {os.getpid()}", flush=True)
    held.announce()
    supervisor.sweep(folder)
    state = runner.run()
    cancel.unlink(missing_ok=True)
    print(f"run {state}", flush=True)
    return state


if __name__ == "__main__":
    sys.exit(main())
