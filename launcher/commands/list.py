"""`launcher list`: all runs."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import listing
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser, "List all runs, oldest first.", "launcher list", "launcher list -o wide", "launcher list -o name"
    )
    shared.add_output(parser, "json", "yaml", "wide", "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    return listing.list_runs(arguments, session)
