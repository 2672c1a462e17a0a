"""The seam between a run's driver and whatever carries out its attempts: processes here, Jobs on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from launcher.plan import Stage


@dataclass(frozen=True)
class Look:
    """What is seen of one attempt."""

    ended: bool
    working: bool = False
    """All its ranks have been started."""
    exit_code: int | None = None
    """Of its first process, negative for a signal; None where nobody saw the end."""
    node: str = ""
    reason: str = ""
    """A word of `states.REASONS`: why it does not work yet or, at its end, what is known of that beyond the code."""
    message: str = ""
    image: str = ""
    """The image that really runs, by digest."""


class StageExecutor(Protocol):
    """Carries out one attempt at a time."""

    def start(self, stage: Stage, attempt: int) -> None:
        """Raises BackendError where it cannot be started."""

    def look(self, stage: Stage, attempt: int) -> Look:
        """An attempt that this executor knows nothing of has ended, without an exit code."""

    def stop(self, stage: Stage, attempt: int) -> None:
        """Tells the attempt to end, and returns at once; `look` shows when it has."""
