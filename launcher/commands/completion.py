"""`launcher completion SHELL`: the code that makes a shell complete this command."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import completion
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print the code that makes a shell complete commands, flags and names of runs.",
        'eval "$(launcher completion bash)"        # in ~/.bashrc',
        'eval "$(launcher completion zsh)"         # in ~/.zshrc',
        "launcher completion fish | source         # in ~/.config/fish/config.fish",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    print(completion.shell_code(arguments.shell))
    return 0
