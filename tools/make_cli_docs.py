"""Writes `docs/cli.md`: the help of `launcher` and `sphereface` and of each of their verbs.

Run this after a change of a flag; a test compares the file with what would be written.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import launcher.cli
import sphereface.cli
from launcher.commands import profiles, ranktable
from runfolder import atomic

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
COLUMNS = 100

ACTIONS: Mapping[str, Iterable[str]] = {"ranktable": ranktable.ACTIONS, "profiles": profiles.ACTIONS}
"""Of verbs that have verbs of their own."""

HEAD = """# Commands

What `--help` prints, by `tools/make_cli_docs.py`. Two commands: `launcher` runs chains of stages and watches them,
`sphereface` is what each stage calls, and works on its own as well.
"""


def text() -> str:
    parts = [HEAD]
    for name, main, verbs in (
        ("launcher", launcher.cli.main, launcher.cli.VERBS),
        ("sphereface", sphereface.cli.main, sphereface.cli.VERBS),
    ):
        parts.append(_section(f"## {name}", main, []))
        for verb in verbs:
            parts.append(_section(f"### {name} {verb}", main, [verb]))
            parts += [
                _section(f"#### {name} {verb} {action}", main, [verb, action]) for action in ACTIONS.get(verb, ())
            ]
    return "\n".join(parts)


def help_of(main: Callable[[Sequence[str]], int], words: Sequence[str]) -> str:
    """What `COMMAND WORDS --help` prints on a terminal of COLUMNS columns. Raises RuntimeError where it fails."""
    out = io.StringIO()
    code: object = None
    with _columns(COLUMNS), contextlib.redirect_stdout(out):
        try:
            code = main([*words, "--help"])
        except SystemExit as end:
            code = end.code
    if code:
        raise RuntimeError(f"{' '.join(words)} --help ended with {code}")
    return out.getvalue().rstrip()


def _section(heading: str, main: Callable[[Sequence[str]], int], words: Sequence[str]) -> str:
    return f"{heading}\n\n```text\n{help_of(main, words)}\n```\n"


@contextlib.contextmanager
def _columns(count: int) -> Iterator[None]:
    """argparse wraps by this variable; put back as it was."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


if __name__ == "__main__":
    atomic.write_text(TARGET, text())
