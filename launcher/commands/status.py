"""`launcher status [RUN]`: one run with its stages, or all runs."""

from __future__ import annotations

import argparse

from launcher.status import RunStatus
from launcher.terminal import arguments as shared
from launcher.terminal import listing, lookup, output, views, watch
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Show one run: its stages, how far they are, and why it stands as it does. Without RUN, list all runs.",
        "launcher status demo",
        "launcher status demo --watch",
        "launcher status demo -o json",
    )
    shared.add_run(parser, nargs="?", text="name of the run; without it, all runs")
    parser.add_argument("-w", "--watch", action="store_true", help="show each change, until the run has ended")
    shared.add_output(parser, "json", "yaml", "wide", "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    form = arguments.output
    if arguments.run is None and not arguments.watch:
        return listing.list_runs(arguments, session)
    backend = session.backend(arguments)
    if arguments.run is None:
        return watch.all_runs(backend, session, form)
    status = lookup.find(backend, arguments.run)
    if arguments.watch:
        return watch.one_run(backend, status, session, lambda run: _text(run, session.clock(), form))
    print(_text(status, session.clock(), form))
    return 0


def _text(run: RunStatus, now: float, form: str | None) -> str:
    if form == "name":
        return f"run/{run.run}"
    if form in ("json", "yaml"):
        return output.document(output.run_data(run), form)
    return views.details(run, now, wide=form == "wide")
