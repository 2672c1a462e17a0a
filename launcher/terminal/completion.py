"""Completion of the command line in a shell, by argcomplete; imported only while a shell asks for it."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any


def complete(make_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Answers the shell and ends the process."""
    import argcomplete

    line = os.environ.get("COMP_LINE", "")
    try:
        words = shlex.split(line)
    except ValueError:  # a quotation that is not closed yet
        words = line.split()
    verb = words[1:2] if len(words) > 2 or line.endswith(" ") else []
    argcomplete.autocomplete(make_parser(*verb), always_complete_options=False)


def run_names(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Names of the runs that the verb could be about; none where they cannot be listed."""
    from launcher.errors import LauncherError
    from launcher.terminal.session import Session

    try:
        runs = Session().backend(parsed_args).observe()
    except (LauncherError, OSError):
        return []
    return [run.run for run in runs if run.run.startswith(prefix)]


def context_names(**_: Any) -> list[str]:
    from launcher.backends.kubernetes import credentials
    from launcher.errors import LauncherError

    try:
        return list(credentials.read_kubeconfig(os.environ, Path.home()).contexts)
    except (LauncherError, OSError):
        return []


def device_names(**_: Any) -> tuple[str, ...]:
    from launcher.profiles import names

    return names()


def shell_code(shell: str) -> str:
    import argcomplete

    return str(argcomplete.shellcode(["launcher"], shell=shell))
