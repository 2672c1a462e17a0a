"""python scripts/start_ranks.py RANKS LOGS PROGRAM ARGUMENTS…: becomes msrun, which starts PROGRAM once a rank."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from launcher.processes import msrun

if __name__ == "__main__":
    ranks, logs, *program = sys.argv[1:]
    team = msrun.Team(int(ranks), int(ranks), port=msrun.free_port())
    command = msrun.command(["python", *program], team, Path(logs))
    os.execv(command[0], command)  # noqa: S606 - an argv, and never a shell string
