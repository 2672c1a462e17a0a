"""`launcher render [SPEC]`: prints the plan of a run, and creates nothing."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import request
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print what 'submit' would carry out: every stage with its command, environment and artifacts.",
        "launcher render --name demo --devices 8",
        "launcher render run.yaml -o json",
    )
    request.add_arguments(parser)
    shared.add_output(parser, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    resolved, plan = request.resolve(arguments)
    print(request.as_document(plan, resolved, arguments.output or "yaml"))
    return 0
