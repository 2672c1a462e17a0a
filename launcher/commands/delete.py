"""`launcher delete RUN…`: stops runs and removes everything they created."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import lookup
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Stop runs and remove everything they created (checkpoints, logs, results) without asking, as kubectl does.",
        "launcher delete demo",
    )
    shared.add_run(parser, nargs="+", text="names of the runs")
    shared.add_output(parser, "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    backend = session.backend(arguments)

    def delete(name: str) -> None:
        with lookup.naming_near(backend, name):
            backend.delete(name)
        print(f"run/{name}" if arguments.output == "name" else f"run/{name} deleted", flush=True)

    return lookup.for_each(arguments.run, delete)
