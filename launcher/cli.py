"""The `launcher` command: finds the verb, imports that one alone, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from launcher import __version__
from launcher.terminal.arguments import Parser

if TYPE_CHECKING:
    from launcher.terminal.session import Session

VERBS = {
    "submit": "start a run, or say how the run of that name stands",
    "resume": "go on with a run that failed, was cancelled or lost its supervisor",
    "list": "list all runs",
    "status": "show one run with its stages, or all runs",
    "logs": "print the logs of a run's stages and ranks",
    "wait": "wait until a run has ended; exits with its exit code",
    "cancel": "stop runs and keep what they have written",
    "delete": "stop runs and remove everything they created",
    "render": "print the plan of a run without creating anything",
    "evaluate": "print a batch evaluation of many checkpoints for kubectl",
    "ranktable": "make, check and explain HCCL rank tables",
    "profiles": "list, show and check the kinds of devices",
    "doctor": "say what stands in the way of a run",
    "completion": "print the completion code of a shell",
}


def make_parser(*verbs: str) -> Parser:
    """The whole parser, but only the named verbs have their arguments: the others are not imported."""
    parser = Parser(prog="launcher", description="Runs training chains (train, evaluate, export) and watches them.")
    parser.add_argument("--version", action="version", version=f"launcher {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="verb", parser_class=Parser)
    for verb, text in VERBS.items():
        command = commands.add_parser(verb, help=text)
        if verb in verbs:
            module = importlib.import_module(f"launcher.commands.{verb}")
            module.add_arguments(command)
            command.set_defaults(run_verb=module.run, parser=command)
    return parser


def main(argv: Sequence[str] | None = None, session: Session | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        if "_ARGCOMPLETE" in os.environ:
            from launcher.terminal.completion import complete

            complete(make_parser)
        parser = make_parser(*(word for word in words[:1] if word in VERBS))
        if not words:
            parser.print_help()
            return 0
        code = _run(parser, words, session)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        from launcher.terminal import failure

        return failure.report(error, traceback=bool(os.environ.get("LAUNCHER_TRACEBACK")))
    return code


def _run(parser: Parser, words: Sequence[str], session: Session | None) -> int:
    if not words[0].startswith("-") and words[0] not in VERBS:
        from runfolder.strict_yaml import did_you_mean

        parser.error(f"unknown command '{words[0]}'{did_you_mean(words[0], VERBS)}")
    arguments = parser.parse_args(words)
    if arguments.verb is None:
        parser.error("a command is missing")
    from launcher.terminal.session import Session

    return int(arguments.run_verb(arguments, session or Session()))
