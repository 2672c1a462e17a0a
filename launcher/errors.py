"""Every error that `launcher` raises on purpose, each with the exit code that people and scripts see.

    LauncherError            exit 1
    ├── RunFailed            exit 1    the run itself ended Failed or Cancelled
    ├── UsageError           exit 2    flags or a value are wrong
    │   ├── SpecError                  a spec file or a key in it
    │   └── StorageError               the storage is full or not writable
    ├── NotFound             exit 3    no such run, stage or file
    ├── BackendError         exit 4    the cluster or the local supervisor cannot be reached, or refused
    │   ├── Unreachable                no answer: to ask again later may help
    │   └── ApiError                   an answer of the Kubernetes API other than success, with its status
    ├── WaitTimeout          exit 5    still not finished when the time was up
    └── Conflict             exit 6    the name is taken by a run with another plan

Exit 42 is a configuration error inside a pod (never retried), 74 a storage that takes nothing any more (full, not
writable); 130 is an interruption by the user.
"""

from __future__ import annotations

CONFIGURATION_EXIT = 42
STORAGE_EXIT = 74
INTERRUPTED_EXIT = 130


MAX_LINE = 900
"""Characters of a message that quotes what a user wrote."""


def one_line(text: str) -> str:
    """A message that quotes what a user wrote: control characters escaped, and of a very long one both ends."""
    plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
    return plain if len(plain) <= MAX_LINE else f"{plain[: MAX_LINE // 2]} … {plain[-MAX_LINE // 2 + 3 :]}"


class LauncherError(Exception):
    exit_code = 1


class RunFailed(LauncherError):
    pass


class UsageError(LauncherError):
    exit_code = 2


class SpecError(UsageError):
    pass


class StorageError(UsageError):
    pass


class NotFound(LauncherError):
    exit_code = 3


class BackendError(LauncherError):
    exit_code = 4

    @property
    def temporary(self) -> bool:
        """To ask again later may help."""
        return False


class Unreachable(BackendError):
    @property
    def temporary(self) -> bool:
        return True


class ApiError(BackendError):
    """`status` is the HTTP status and `reason` Kubernetes' word for it (`NotFound`, `AlreadyExists`, `Forbidden`)."""

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def temporary(self) -> bool:
        return self.status in (429, 500, 502, 503, 504)


class WaitTimeout(LauncherError):
    exit_code = 5


class Conflict(LauncherError):
    exit_code = 6
