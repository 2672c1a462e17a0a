"""The list of all runs in each form of output: what `list` and `status` without a name print."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from launcher import output, views
from launcher.status import RunStatus


def print_runs(runs: Sequence[RunStatus], now: float, form: str | None) -> None:
    if form in ("json", "yaml"):
        print(output.document({"runs": [output.run_data(run) for run in runs]}, form))
    elif form == "name":
        for run in runs:
            print(f"run/{run.run}")
    elif runs:
        print(views.runs_table(runs, now, wide=form == "wide"))
    else:
        print("No runs found.", file=sys.stderr)
