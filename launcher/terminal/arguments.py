"""The parser of the command line, and the arguments that several verbs share. Standard library only."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from launcher.errors import UsageError
from launcher.names import BACKENDS, ENV_BACKEND, ENV_STORAGE


class Parser(argparse.ArgumentParser):
    """Refuses with one UsageError instead of printing its usage, and names the nearest known flag."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\nSee '{self.prog} --help'.")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            verb: Parser = getattr(arguments, "parser", self)
            verb.refuse(unknown)
        return arguments

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """For words that are neither a flag nor an argument of this parser."""
        from runfolder.strict_yaml import did_you_mean

        word = unknown[0].partition("=")[0]
        if word.startswith("-"):
            self.error(f"unknown flag {word}{did_you_mean(word, self._option_string_actions)}")
        self.error(f"unexpected argument '{word}'")


def document(parser: argparse.ArgumentParser, text: str, *examples: str) -> None:
    """Gives a verb's help its description and, as kubectl does, examples."""
    parser.description = text
    parser.epilog = "examples:\n" + "\n".join(f"  {example}" for example in examples)


def add_actions(parser: argparse.ArgumentParser, texts: Mapping[str, str]) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of a verb's actions by name, to be given their own arguments; `texts` say what each does."""
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", parser_class=Parser, required=True
    )
    parsers = {name: actions.add_parser(name, help=text) for name, text in texts.items()}
    for action in parsers.values():
        action.set_defaults(parser=action)
    return parsers


def add_run(parser: argparse.ArgumentParser, *, nargs: str | None = None, text: str = "name of the run") -> None:
    from launcher.terminal.completion import run_names

    options: dict[str, Any] = {} if nargs is None else {"nargs": nargs}
    parser.add_argument("run", metavar="RUN", help=text, **options).completer = run_names  # type: ignore[attr-defined]


def add_place(parser: argparse.ArgumentParser) -> None:
    """`--storage`, `--backend`, `--namespace` and `--context`: where a run is looked for."""
    parser.add_argument(
        "--storage",
        metavar="DIR",
        help=f"local: folder that holds runs/ [{ENV_STORAGE}, then launcher.yaml, then the current folder]",
    )
    add_backend(parser)


def add_backend(parser: argparse._ActionsContainer) -> None:
    from launcher.terminal.completion import context_names

    parser.add_argument(
        "--backend", choices=BACKENDS, help=f"where runs run [{ENV_BACKEND}, then what is found on this machine]"
    )
    parser.add_argument("-n", "--namespace", metavar="NAME", help="kubernetes: namespace [the context's]")
    context = parser.add_argument("--context", metavar="NAME", help="kubernetes: context of the kubeconfig [current]")
    context.completer = context_names  # type: ignore[attr-defined]


def add_output(parser: argparse.ArgumentParser, *formats: str) -> None:
    parser.add_argument("-o", "--output", choices=formats, help="print this instead of text for people")


def add_following(parser: argparse.ArgumentParser) -> None:
    """`--wait` and `--follow` of the verbs that start a run."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--wait", action="store_true", help="return when the run has ended, with its exit code")
    group.add_argument("--follow", action="store_true", help="the same, and show its progress on the way")
    add_duration(parser, "--timeout", "with --wait or --follow: give up after 30s, 10m, 1h30m")


def add_duration(parser: argparse.ArgumentParser, flag: str, text: str) -> None:
    """A flag whose value is in seconds (float), and None where it is not given."""
    parser.add_argument(flag, metavar="TIME", type=_duration, help=text)


def _duration(text: str) -> float:
    from launcher.terminal import durations

    try:
        return durations.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
