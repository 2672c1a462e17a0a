"""Where runs run. A backend has five methods; a new one is an afternoon's work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from launcher.plan import Plan
from launcher.resize import Resize
from launcher.status import RunStatus


@dataclass(frozen=True)
class Address:
    """Where runs are looked for: on this machine below `storage`, on a cluster in `context` and `namespace`."""

    backend: str
    storage: Path
    context: str = ""
    """A context of the kubeconfig; empty: its current one, or the service account of the pod that this runs in."""
    namespace: str = ""
    """Empty: the context's own."""


@dataclass(frozen=True)
class Place:
    """What a spec that is made for a backend takes from it."""

    backend: str
    defaults: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    """Values by dotted key, each with its origin, below everything that the user says."""
    base: Path | None = None
    """What relative paths of a spec are relative to; None: the file that holds them."""
    here: bool = True
    """The paths are this machine's, so that a missing one can be told at once."""
    sections: tuple[str, ...] = ()
    """Sections of a spec that are for this backend; those of other backends are passed over with a note."""


@dataclass(frozen=True)
class Submission:
    run: str
    outcome: str
    """"created", "unchanged" (already there with this plan) or "resumed"."""
    state: str
    """The run's state right after."""


@dataclass(frozen=True)
class LogQuery:
    """Which log lines are wanted. `stage` None = all stages in order; `rank` None = all ranks."""

    stage: str | None = None
    rank: int | None = None
    follow: bool = False
    tail: int | None = None
    """Only so many last lines of each file; then, with `follow`, what comes."""
    since_s: float | None = None
    """Only files' lines written in the last so many seconds, judged by each line's own time stamp where it has one."""
    merge: bool = False
    """Interleave the ranks by time; else one rank after the other (while following: as lines come)."""


@dataclass(frozen=True)
class LogLine:
    stage: str
    rank: int | None
    """None: a line of the stage's first process itself."""
    text: str


class Backend(Protocol):
    """Raises NotFound for a run that is not there, Conflict for one with another plan, BackendError otherwise."""

    name: str
    where: str
    """Where its runs are, in words, as `the namespace lab`."""

    def submit(self, plan: Plan | str, *, resume: bool = False, resize: Resize | None = None) -> Submission:
        """Idempotent: the same plan is left as it is, unless its supervisor died or `resume` asks to go on; then
        `resize` gives it other devices. Raises SpecError, UsageError where these cannot be.

        A name instead of a plan: that of a run which is there, with its own plan.
        """

    def observe(self, run: str | None = None) -> tuple[RunStatus, ...]:
        """One run, or all of them, oldest first."""

    def logs(self, run: str, query: LogQuery) -> Iterator[LogLine]:
        """With `query.follow`, waits for the run to begin and ends with it."""

    def cancel(self, run: str) -> bool:
        """Stops the run now and keeps what is written; False where it had already ended."""

    def delete(self, run: str) -> tuple[str, ...]:
        """Stops the run and removes everything it created, and only that; returns what was removed."""
