"""`launcher logs RUN`: what the stages and their ranks printed."""

from __future__ import annotations

import argparse
import sys

from launcher.backends import LogQuery
from launcher.spec import STAGES
from launcher.terminal import arguments as shared
from launcher.terminal import follow, lookup, views
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print the logs of a run. Each line begins with its stage and rank, unless one of each is asked for.\n\n"
        "Exit code: 0; with --follow that of the run: 0 it succeeded, 1 it failed or was cancelled.",
        "launcher logs demo --follow",
        "launcher logs demo --stage train --rank 3 --tail 50",
        "launcher logs demo --since 10m --merge",
    )
    shared.add_run(parser)
    parser.add_argument("--stage", choices=STAGES, help="only this stage")
    parser.add_argument("--rank", type=int, metavar="R", help="only this rank (0, 1, …)")
    parser.add_argument("-f", "--follow", action="store_true", help="wait for more lines, until the run has ended")
    parser.add_argument("--tail", type=_count, metavar="N", help="only the last N lines of each rank")
    shared.add_duration(parser, "--since", "only lines of the last 30s, 10m, 1h30m")
    parser.add_argument("--merge", action="store_true", help="interleave the ranks by time")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    query = LogQuery(
        stage=arguments.stage,
        rank=arguments.rank,
        follow=arguments.follow,
        tail=arguments.tail,
        since_s=arguments.since,
        merge=arguments.merge,
    )
    backend = session.backend(arguments)
    status = lookup.find(backend, arguments.run)
    bare = query.stage is not None and query.rank is not None
    empty = True
    for line in backend.logs(arguments.run, query):
        empty = False
        print(line.text if bare else f"{views.log_prefix(line)}{line.text}", flush=query.follow)
    if query.follow:
        status = follow.look(backend, arguments.run, session)
    if empty:
        print(f"No log lines found for run/{arguments.run} ({status.state}).", file=sys.stderr)
    if query.follow:
        # Of the run itself: that its lines have come to an end says nothing of how it ended.
        follow.raise_unless_succeeded(status)
    return 0


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of lines, not '{text}'")
    return int(text)
