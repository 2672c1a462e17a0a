"""Our states and reasons, and the one table from the facts of processes and of Kubernetes to them. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from launcher.errors import CONFIGURATION_EXIT, INTERRUPTED_EXIT, STORAGE_EXIT


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
    disruption: bool = False
    """The cluster's doing, not the stage's: another attempt does not count against the stage's retries."""


REASONS: Mapping[str, Reason] = {
    reason.word: reason
    for reason in (
        Reason("ConfigurationError", "The configuration is wrong; mend it and submit under a new name.", retry=False),
        Reason("StageFailed", "The stage's program ended with an error; its last lines say why.", retry=True),
        Reason("RankFailed", "One rank ended with an error and took the others with it.", retry=True),
        Reason("RankHung", "A rank was silent for too long; the stage was ended to free its devices.", retry=True),
        Reason("SchedulerFailed", "The scheduler of the ranks ended; they cannot go on without it.", retry=True),
        Reason("Killed", "The process was killed from outside (SIGKILL); memory may have run out.", retry=True),
        Reason("Terminated", "The process was asked to end from outside (SIGTERM); the machine may stop.", retry=True),
        Reason("Crashed", "The process was ended by a fault in native code; its last lines may say where.", retry=True),
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
        Reason("Interrupted", "The stage was interrupted from the keyboard; `launcher resume` goes on.", retry=False),
        Reason("CancelledByUser", "Cancelled; what was written is kept. `launcher resume` goes on.", retry=False),
        # What a cluster adds: first why something has not started, then how it was ended from outside.
        Reason(
            "Unschedulable", "No node can take the pod; its message says what is missing on which nodes.", retry=True
        ),
        Reason(
            "InsufficientDevices",
            "No node has so many free devices; wait for others to end, or ask for fewer devices.",
            retry=True,
        ),
        Reason("NoMatchingNode", "No node has the labels of the selector; mend kubernetes.node_selector.", retry=True),
        Reason(
            "Tainted",
            "The nodes that could take it are tainted or not ready; add to kubernetes.tolerations, or wait.",
            retry=True,
        ),
        Reason("ImageNotFound", "The registry has no such image; mend kubernetes.image.", retry=True),
        Reason(
            "ImagePullDenied",
            "The registry refuses the pull; set kubernetes.image_pull_secret to a Secret.",
            retry=True,
        ),
        Reason("ImagePullBackOff", "The image cannot be pulled; its message says why.", retry=True),
        Reason("InvalidImageName", "The image's name is not one; mend kubernetes.image.", retry=False),
        Reason("ClaimNotFound", "The namespace has no such claim; create it or mend kubernetes.claim.", retry=True),
        Reason(
            "ClaimNotBound", "The claim has no volume yet; `kubectl describe pvc` says what it waits for.", retry=True
        ),
        Reason("VolumeNotMounted", "A volume of the pod cannot be mounted; its message says which.", retry=True),
        Reason("QuotaExceeded", "The namespace's quota is used up; wait, or ask for less.", retry=True),
        Reason("AdmissionDenied", "The cluster's admission refused the pod; its message says which rule.", retry=False),
        Reason(
            "AdmissionUnavailable",
            "A webhook that must admit the pod does not answer; its owner has to mend it.",
            retry=True,
        ),
        Reason("PodNotCreated", "The cluster does not create the pod; its message says why.", retry=True),
        Reason("Forbidden", "The account may not do this; `launcher doctor` lists what is missing.", retry=False),
        Reason("CommandNotFound", "The image lacks the command; mend kubernetes.image.", retry=False),
        Reason("ContainerNotCreated", "The container cannot be created; its message says why.", retry=True),
        Reason("NotStarted", "The pod did not start within kubernetes.start_deadline_s.", retry=False),
        Reason(
            "OOMKilled", "The pod used more memory than kubernetes.memory; raise it, or use fewer devices.", retry=False
        ),
        Reason("Evicted", "The node evicted the pod; its message says what ran out.", retry=True, disruption=True),
        Reason("Preempted", "A pod of higher priority took the place.", retry=True, disruption=True),
        Reason("NodeLost", "The node of the pod does not answer any more.", retry=True, disruption=True),
        Reason("NodeRefused", "The node refused the pod after it was placed there.", retry=True, disruption=True),
        Reason("JobDeleted", "The stage's Job was deleted by somebody else.", retry=True, disruption=True),
        Reason("PodDeleted", "The stage's pod was deleted by somebody else.", retry=True, disruption=True),
        Reason(
            "QueuedForQuota",
            "Its queue (kubernetes.queue) has no quota free for it; it starts when others there end.",
            retry=True,
        ),
        Reason("Suspended", "The Job is suspended; a queue (Kueue) or a person holds it back.", retry=True),
        Reason("StorageConflict", "The storage holds another run of this name; choose another name.", retry=False),
        Reason(
            "PodSilent",
            "A pod of several told nothing any more: its node may be lost, or its first process stopped.",
            retry=True,
            disruption=True,
        ),
        Reason(
            "GangIncomplete",
            "Not all of its pods started within kubernetes.start_deadline_s, and one alone cannot work; their devices "
            "are free again.",
            retry=False,
        ),
        Reason(
            "OtherOperator",
            "Another operator's job carries it out, from `launcher render --target`; kubectl shows and stops that.",
            retry=False,
        ),
        Reason("Superseded", "A later attempt of the stage had begun.", retry=True, disruption=True),
        Reason("RecordUnreadable", "The run's record cannot be read; `launcher delete` removes the run.", retry=False),
    )
}
"""Every reason that we give. A word that is not here is shown as it is and retried."""

# Kubernetes' words -> ours. Where only its message tells things apart: the first pattern that the message holds.

WAITING: Mapping[str, str] = {
    "ErrImagePull": "ImagePullBackOff",
    "ImagePullBackOff": "ImagePullBackOff",
    "ImageInspectError": "ImagePullBackOff",
    "RegistryUnavailable": "ImagePullBackOff",
    "SignatureValidationFailed": "ImagePullBackOff",
    "ErrImageNeverPull": "ImageNotFound",
    "InvalidImageName": "InvalidImageName",
    "CreateContainerConfigError": "ContainerNotCreated",
    "CreateContainerError": "ContainerNotCreated",
    "RunContainerError": "ContainerNotCreated",
    "PreCreateHookError": "ContainerNotCreated",
    "PreStartHookError": "ContainerNotCreated",
    "PostStartHookError": "ContainerNotCreated",
    "CreatePodSandboxError": "ContainerNotCreated",
}
"""Reasons of a waiting container. `ContainerCreating` and `PodInitializing` are no reasons, but the way to a start."""

START_EVENTS: Mapping[str, str] = {
    "FailedMount": "VolumeNotMounted",
    "FailedAttachVolume": "VolumeNotMounted",
    "FailedCreatePodSandBox": "ContainerNotCreated",
}
"""Events of a pod whose container is still `ContainerCreating`."""

PULL_MESSAGES: tuple[tuple[str, str], ...] = (
    ("denied|unauthorized|authentication required|no basic auth|authorization failed|403 forbidden", "ImagePullDenied"),
    ("not found|manifest unknown|no match for platform", "ImageNotFound"),
)

CONTAINER_MESSAGES: tuple[tuple[str, str], ...] = (
    ("executable file not found|exec format error|no such file or directory: unknown", "CommandNotFound"),
    ("no module named '?launcher", "CommandNotFound"),
)
"""In what a container runtime, or Python, says of a command that it cannot start."""

SCHEDULER_MESSAGES: tuple[tuple[str, str], ...] = (
    ('" not found', "ClaimNotFound"),
    ("unbound immediate|is being deleted|non-existent p|didn't find available persistent volumes", "ClaimNotBound"),
    (r"insufficient [\w.-]+/", "InsufficientDevices"),  # vendor.com/device, unlike cpu and memory
    ("insufficient |too many pods", "Unschedulable"),
    # Nodes without the labels are out for good; a tainted one is judged by its taint before its labels are looked at.
    (r"untolerated taint \{node\.kubernetes\.io/", "Unschedulable"),  # the node is not ready or under pressure
    ("untolerated taint|taints that the pod didn't tolerate", "Tainted"),
    ("node affinity/selector", "NoMatchingNode"),
)

CREATION_MESSAGES: tuple[tuple[str, str], ...] = (
    ("exceeded quota", "QuotaExceeded"),
    ("failed (calling|to call) webhook", "AdmissionUnavailable"),
    ("violates podsecurity|denied the request", "AdmissionDenied"),
    ("error looking up service account|being terminated", "PodNotCreated"),
    ("cannot create resource", "Forbidden"),
    ("is forbidden", "AdmissionDenied"),
)
"""In the refusal to create a pod (event FailedCreate) or a Job."""

DISRUPTIONS: Mapping[str, str] = {
    "PreemptionByScheduler": "Preempted",
    "EvictionByEvictionAPI": "Evicted",
    "TerminationByKubelet": "Evicted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByDeviceTaintManager": "Evicted",
    "DeletionByPodGC": "NodeLost",
}
"""Reasons of a pod's condition DisruptionTarget."""

POD_ENDS: Mapping[str, str] = {
    "Evicted": "Evicted",
    "Terminated": "NodeLost",
    "NodeShutdown": "NodeLost",
    "Shutdown": "NodeLost",
    "NodeLost": "NodeLost",
    "Preempting": "Preempted",
    "DeadlineExceeded": "DeadlineExceeded",
    "UnexpectedAdmissionError": "NodeRefused",
    "NodeAffinity": "NodeRefused",
    "NodePorts": "NodeRefused",
    "TopologyAffinityError": "NodeRefused",
}
"""`status.reason` of a failed pod; also `OutOf…`: NodeRefused."""

CONTAINER_ENDS: Mapping[str, str] = {
    "Completed": "",
    "Error": "",
    "OOMKilled": "OOMKilled",
    "StartError": "ContainerNotCreated",
    "ContainerCannotRun": "ContainerNotCreated",
    "ContainerStatusUnknown": "NodeLost",
    "Unknown": "NodeLost",
}
"""Reasons of a terminated container; empty: the exit code says it all."""

JOB_ENDS: Mapping[str, str] = {"DeadlineExceeded": "DeadlineExceeded"}
"""Reasons of a Job's condition Failed; of all others its pod tells more."""

_FOLLOWS_A_DEATH = (
    *("Crashed", "StageFailed", "RankFailed", "RankHung", "SchedulerFailed", "StartFailed"),
    *("Killed", "Terminated", "SupervisorLost", ""),
)

_SIGNAL_WORDS = {
    signal.SIGKILL: "Killed",
    signal.SIGTERM: "Terminated",
    signal.SIGHUP: "Terminated",
    signal.SIGINT: "Interrupted",
}

_EXIT_WORDS: Mapping[int, str] = {
    1: "StageFailed",
    2: "ConfigurationError",
    CONFIGURATION_EXIT: "ConfigurationError",
    STORAGE_EXIT: "StorageFull",
    126: "StartFailed",
    127: "StartFailed",
    INTERRUPTED_EXIT: "Interrupted",
}

_CANCELLED = ("CancelledByUser", "Interrupted")


def reason_of(word: str) -> Reason:
    """The reason called `word`; one that we do not know is kept as it is and retried."""
    return REASONS.get(word) or Reason(word, f"Ended with the reason {word}.", retry=True)


def reason_for(exit_code: int | None, word: str = "") -> Reason:
    """Why an attempt that is over did not complete its stage.

    `exit_code` is negative for a signal (128 + n is read as one too) and None where nobody saw the end; `word` is the
    reason that the stage's first process gave, if it gave one, and outweighs the code: but 42 is never retried.
    """
    reason = reason_of(word or _word(exit_code))
    if exit_code == CONFIGURATION_EXIT and reason.retry:
        return REASONS["ConfigurationError"]
    return reason


def outweighs(seen: str, told: str) -> bool:
    """Whether the reason `seen` by the cluster is truer than the one that the stage's own first process told.

    That one knows what failed inside of it; but of an end that came from outside it sees the signal at most, and of
    memory that ran out only what fell with the process that was killed for it.
    """
    if seen == "OOMKilled":
        return told in _FOLLOWS_A_DEATH
    return bool(seen) and told in ("Terminated", "Killed", "SupervisorLost", "")


def judge(exit_code: int | None, word: str = "", *, complete: bool = False) -> tuple[State, Reason | None]:
    """State and reason of an attempt that is over; a valid marker (`complete`) outweighs all else."""
    if complete:
        return State.SUCCEEDED, None
    reason = reason_for(exit_code, word)
    return (State.CANCELLED if reason.word in _CANCELLED else State.FAILED), reason


def by_message(message: str, table: Sequence[tuple[str, str]], otherwise: str) -> str:
    """Our word for the first pattern of `table` that the message holds, whatever its case."""
    return next((word for pattern, word in table if re.search(pattern, message, re.IGNORECASE)), otherwise)


def _word(exit_code: int | None) -> str:
    if exit_code is None:
        return "Killed"
    if exit_code == 0:
        return "NoMarker"
    if exit_code in _EXIT_WORDS:
        return _EXIT_WORDS[exit_code]
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number in set(signal.Signals):
        return _SIGNAL_WORDS.get(signal.Signals(number), "Crashed")
    return "StageFailed"
