"""`launcher cancel RUN…`: stops runs and keeps what they have written."""

from __future__ import annotations

import argparse

from launcher.backends import Backend
from launcher.terminal import arguments as shared
from launcher.terminal import lookup
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Stop runs now. What they have written is kept; 'launcher resume' goes on from there.",
        "launcher cancel demo",
    )
    shared.add_run(parser, nargs="+", text="names of the runs")
    shared.add_output(parser, "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    backend = session.backend(arguments)

    def cancel(name: str) -> None:
        outcome = _cancel(backend, name)
        print(f"run/{name}" if arguments.output == "name" else f"run/{name} {outcome}", flush=True)

    return lookup.for_each(arguments.run, cancel)


def _cancel(backend: Backend, name: str) -> str:
    with lookup.naming_near(backend, name):
        if backend.cancel(name):
            return "cancelled"
        return f"unchanged ({lookup.find(backend, name).state})"
