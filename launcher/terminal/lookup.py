"""Finding the run that a user names; where there is none, the names that are near."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from launcher.backends import Backend
from launcher.errors import LauncherError, NotFound
from launcher.status import RunStatus


def find(backend: Backend, run: str) -> RunStatus:
    with naming_near(backend, run):
        (status,) = backend.observe(run)
        return status


@contextmanager
def naming_near(backend: Backend, run: str) -> Iterator[None]:
    """Adds up to three near names to the NotFound of what is done inside."""
    try:
        yield
    except NotFound as error:
        names = [status.run for status in backend.observe()]
        near = difflib.get_close_matches(run, names, n=3, cutoff=0.4)
        hint = f" (did you mean {' or '.join(repr(name) for name in near)}?)" if near else ""
        raise NotFound(f"{error}{hint}") from None


def for_each(names: Sequence[str], act: Callable[[str], None]) -> int:
    """Does `act` for each name; one that cannot be done is told and does not stop the others, as in kubectl.

    Returns the exit code of the first that failed, or 0.
    """
    code = 0
    for name in dict.fromkeys(names):
        try:
            act(name)
        except LauncherError as error:
            print(f"error: {error}", file=sys.stderr)
            code = code or error.exit_code
    return code
