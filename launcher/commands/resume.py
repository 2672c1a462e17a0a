"""`launcher resume RUN`: goes on with a run from its last finished stage and last checkpoint."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import attend, lookup
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Go on with a run that failed, was cancelled or lost its supervisor, from its last finished stage and its\n"
        "last checkpoint. A run that goes on already, or that succeeded, is left as it is.",
        "launcher resume demo --follow",
    )
    shared.add_run(parser)
    shared.add_following(parser)
    shared.add_output(parser, "json", "yaml", "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    backend = session.backend(arguments)
    with lookup.naming_near(backend, arguments.run):
        submission = backend.submit(arguments.run, resume=True)
    return attend.attend(backend, submission, arguments, session)
