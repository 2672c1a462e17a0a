"""How a call that could not be carried out is told: one line on stderr, and its exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback as python_traceback

from launcher.errors import INTERRUPTED_EXIT, LauncherError

BROKEN_PIPE_EXIT = 141
"""As a shell counts a death by SIGPIPE: the reader of our output has gone, as in `launcher list | head -1`."""

_STORAGE_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def report(error: BaseException, *, traceback: bool) -> int:
    """Tells `error` on stderr and returns the exit code; with `traceback`, where it was raised too."""
    if traceback:
        python_traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED_EXIT
    if isinstance(error, BrokenPipeError):
        # What is still buffered must not fail once more when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE_EXIT
    line, code = explain(error)
    print(f"error: {line}", file=sys.stderr)
    return code


def explain(error: BaseException) -> tuple[str, int]:
    if isinstance(error, LauncherError):
        return str(error), error.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", 2 if error.errno in _STORAGE_ERRORS else 1
    return f"unexpected {type(error).__name__}: {error} (LAUNCHER_TRACEBACK=1 shows where; please report it)", 1
