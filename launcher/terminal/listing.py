"""The list of all runs in each form of output: what `list` and `status` without a name print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from launcher.status import RunStatus
from launcher.terminal import output, views
from launcher.terminal.session import Session


def list_runs(arguments: argparse.Namespace, session: Session) -> int:
    backend = session.backend(arguments)
    runs = backend.observe()
    if not runs and arguments.output in (None, "wide"):
        print(f"No runs found in {backend.where}.", file=sys.stderr)
    else:
        print_runs(runs, session.clock(), arguments.output)
    return 0


def print_runs(runs: Sequence[RunStatus], now: float, form: str | None) -> None:
    if form in ("json", "yaml"):
        print(output.document({"runs": [output.run_data(run) for run in runs]}, form), flush=True)
    elif form == "name":
        for run in runs:
            print(f"run/{run.run}", flush=True)
    else:
        print(views.runs_table(runs, now, wide=form == "wide"), flush=True)
