"""`status --watch`: drawn anew in place on a terminal; elsewhere one more row or document for each change."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from launcher.backends import Backend
from launcher.status import RunStatus
from launcher.terminal import follow, listing, output, views
from launcher.terminal.follow import LOOK_EVERY_S
from launcher.terminal.session import Session


def all_runs(backend: Backend, session: Session, form: str | None) -> int:
    """Ends only by Ctrl-C: new runs may come at any time."""
    table = form in (None, "wide")
    headers = views.RUN_HEADERS_WIDE if form == "wide" else views.RUN_HEADERS
    screen = Screen()
    known: dict[str, RunStatus] = {}
    while True:
        runs = backend.observe()
        if table and screen.redraws:
            screen.show(views.runs_table(runs, session.clock(), wide=form == "wide") if runs else "No runs found.")
        else:
            changed = [run for run in runs if _shape(known.get(run.run)) != _shape(run)]
            if changed and not table:
                listing.print_runs(changed, session.clock(), form)
            elif changed:
                rows = [views.run_row(run, session.clock(), wide=form == "wide") for run in changed]
                print(output.table(headers, rows) if not known else output.table(rows[0], rows[1:]), flush=True)
            known = {run.run: run for run in runs}
        session.sleep(LOOK_EVERY_S)


def one_run(backend: Backend, run: RunStatus, session: Session, text: Callable[[RunStatus], str]) -> int:
    """Ends with the run, with 0 however that ended: `launcher wait` is there for its exit code."""
    screen = Screen()
    before: RunStatus | None = None
    while True:
        if screen.redraws or _shape(before) != _shape(run):
            screen.show(text(run))
        if run.state.terminal:
            return 0
        session.sleep(LOOK_EVERY_S)
        before, run = run, follow.look(backend, run.run, session)


class Screen:
    """Text on stdout that is replaced by the next one, where stdout is a terminal."""

    def __init__(self) -> None:
        self.redraws = sys.stdout.isatty()
        self._height = 0

    def show(self, text: str) -> None:
        if not self.redraws:
            print(text, flush=True)
            return
        # A line that the terminal wrapped would spoil the count of lines to go back.
        width = shutil.get_terminal_size().columns
        lines = [line[: width - 1] for line in text.splitlines()]
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        print(back + "\n".join(lines), flush=True)
        self._height = len(lines)


def _shape(run: RunStatus | None) -> object:
    """What counts as a change worth another row: states, reasons and epochs, but not every step."""
    if run is None:
        return None
    return (
        run.state,
        run.reason,
        [
            (stage.state, stage.reason, stage.attempts, stage.progress.epoch if stage.progress else 0)
            for stage in run.stages
        ],
    )
