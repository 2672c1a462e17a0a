"""Our states and reasons, and the one table from process facts to them. (Kubernetes facts join here.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"

    @property
    def terminal(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED)


@dataclass(frozen=True)
class Reason:
    """Why something is as it is: a machine word, a sentence with what to do, and whether a retry can help."""

    word: str
    sentence: str
    retry: bool


REASONS: Mapping[str, Reason] = {
    reason.word: reason
    for reason in (
        Reason("ConfigurationError", "The configuration is wrong; mend it and submit under a new name.", retry=False),
        Reason("StageFailed", "The stage's program ended with an error; its last lines say why.", retry=True),
        Reason("RankFailed", "One rank ended with an error and took the others with it.", retry=True),
        Reason("RankHung", "A rank was silent for too long; the stage was ended to free its devices.", retry=True),
        Reason("SchedulerFailed", "The scheduler of the ranks ended; they cannot go on without it.", retry=True),
        Reason("Killed", "The process was killed from outside (SIGKILL); memory may have run out.", retry=True),
        Reason(
            "DeadlineExceeded", "The attempt took longer than its deadline; raise policy.STAGE.deadline_s.", retry=False
        ),
        Reason("NoMarker", "The program ended with 0 but without all of its artifacts.", retry=True),
        Reason("Diverged", "Training met NaN or Inf; a lower learning rate or a warm-up helps.", retry=False),
        Reason(
            "StorageFull", "The storage is full or not writable; free some space, then `launcher resume`.", retry=False
        ),
        Reason(
            "SupervisorLost",
            "The run's supervisor is gone; `launcher resume` goes on from what is finished.",
            retry=True,
        ),
        Reason("StartFailed", "The stage's process could not be started.", retry=True),
        Reason("CancelledByUser", "Cancelled; what was written is kept. `launcher resume` goes on.", retry=False),
    )
}
"""Every reason that we give. A word that is not here is shown as it is and retried."""
