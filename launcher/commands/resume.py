"""`launcher resume RUN`: goes on with a run from its last finished stage and last checkpoint."""

from __future__ import annotations

import argparse

from launcher.errors import UsageError
from launcher.resize import Resize
from launcher.spec import DEVICE_COUNTS
from launcher.terminal import arguments as shared
from launcher.terminal import attend, lookup
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Go on with a run that failed, was cancelled or lost its supervisor, from its last finished stage and its\n"
        "last checkpoint. A run that goes on already, or that succeeded, is left as it is.",
        "launcher resume demo --follow",
        "launcher resume demo --devices 4",
    )
    shared.add_run(parser)
    counts = ", ".join(map(str, DEVICE_COUNTS))
    parser.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help=f"train with so many devices ({counts}) and the same global batch",
    )
    parser.add_argument("--nodes", type=int, metavar="N", help="and in so many pods, at most as many as it began with")
    parser.add_argument(
        "--scale-batch", action="store_true", help="with --devices: let global batch and learning rate change with them"
    )
    shared.add_following(parser)
    shared.add_output(parser, "json", "yaml", "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.devices is None and (arguments.nodes is not None or arguments.scale_batch):
        raise UsageError("--nodes and --scale-batch go with --devices N")
    resize = None
    if arguments.devices is not None:
        resize = Resize(arguments.devices, arguments.nodes, arguments.scale_batch)
    backend = session.backend(arguments)
    with lookup.naming_near(backend, arguments.run):
        submission = backend.submit(arguments.run, resume=True, resize=resize)
    return attend.attend(backend, submission, arguments, session)
