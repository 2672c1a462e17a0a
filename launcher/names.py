"""Every name, label and address that the launcher gives. (Names inside a run folder: `runfolder.layout`.)"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

MAX_RUN_NAME = 40
"""A Kubernetes label holds 63 characters; a stage's pod adds `-evaluate-99-9-xxxxx`."""

SPEC_FILE = "launcher.yaml"

BACKENDS = ("kubernetes", "local")

ENV_STORAGE = "LAUNCHER_STORAGE"
ENV_BACKEND = "LAUNCHER_BACKEND"
ENV_RUN = "LAUNCHER_RUN"
ENV_FOLDER = "LAUNCHER_FOLDER"
"""Run and run folder: set for every process of a run's stages, so that what is left of one can be found."""
ENV_STAGE = "LAUNCHER_STAGE"
ENV_ATTEMPT = "LAUNCHER_ATTEMPT"

ENV_POD = "LAUNCHER_POD_INDEX"
"""Which pod of its attempt a process is in (0, 1, …); in an Indexed Job Kubernetes says it itself:"""
ENV_COMPLETION_INDEX = "JOB_COMPLETION_INDEX"
ENV_INDEXES = (ENV_POD, ENV_COMPLETION_INDEX, "VC_TASK_INDEX", "MS_NODE_RANK")
"""That, or what Volcano and Ascend Operator call it: the first that is set counts."""
ENV_START = "LAUNCHER_START"
"""What starts the ranks: `msrun`, `rank-table` or `mpirun` (`profiles.STARTS`)."""
ENV_SERVICE = "LAUNCHER_SERVICE"
"""The headless Service under whose name the pods of an attempt find each other: `<host>.<service>`."""

ENV_IMAGE = "LAUNCHER_IMAGE"
"""Image of a stage's container, as the spec names it; the marker keeps it."""

# On a cluster: everything of a run is named after it and carries its labels.
CLUSTER_STORAGE = "/storage"
"""Where a pod sees the claim, unless the spec's `storage` says otherwise."""
PLAN_MOUNT = "/etc/launcher"
"""Where the runner sees the plan ConfigMap."""
CONTAINER = "stage"
"""The one container of every pod that we make."""
DEFAULT_CLAIM = "sphereface"

PREFIX = "launcher.seed/"
LABEL_RUN = f"{PREFIX}run"
LABEL_STAGE = f"{PREFIX}stage"
LABEL_ATTEMPT = f"{PREFIX}attempt"
LABEL_ROLE = f"{PREFIX}role"
"""plan, status, runner, stage, reader or cleaner: what an object is for."""
LABEL_BATCH = f"{PREFIX}batch"
"""In place of LABEL_RUN on what belongs to a batch evaluation, so that no verb on runs finds it."""
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""Kueue's: on a stage's Job, the LocalQueue that it waits in."""
LABEL_NAME = "app.kubernetes.io/name"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_PART_OF = "app.kubernetes.io/part-of"
APP = "sphereface"
MANAGER = "launcher"

ANNOTATION_PLAN_HASH = f"{PREFIX}plan-hash"
ANNOTATION_DEVICE = f"{PREFIX}device"
ANNOTATION_DEVICES = f"{PREFIX}devices"
ANNOTATION_NODES = f"{PREFIX}nodes"
ANNOTATION_STAGES = f"{PREFIX}stages"
ANNOTATION_FOLDER = f"{PREFIX}folder"
ANNOTATION_SUMMARY = f"{PREFIX}summary"
"""On the status ConfigMap, by the runner: what `list` shows, so that it need not read the data."""
ANNOTATION_CANCEL = f"{PREFIX}cancel"
"""On the status ConfigMap, by a client: the time when somebody asked to stop the run."""
ANNOTATION_RESUME = f"{PREFIX}resume"
"""On the status ConfigMap, by a client: how often the run was told to go on; the runner compares it with its record."""

ANNOTATION_RESIZE = f"{PREFIX}resize"
"""On the status ConfigMap, by a client: the devices with which the run is to go on, as JSON (`resize.Resize`)."""
ANNOTATION_DELETE = f"{PREFIX}delete"
"""On the plan ConfigMap, by a client: the time when somebody began to delete the run."""
ANNOTATION_TARGET = f"{PREFIX}target"
"""On a plan ConfigMap that `render --target` printed: the other operator's job, as kubectl names it."""

PLAN_KEY = "plan.json"
STAGES_KEY = "stages.json"
"""In the plan ConfigMap: the Job of each stage by its name, as rendered, for attempt 1."""
STATUS_KEY = "status.json"
"""In the status ConfigMap: what `launcher status -o json` prints, kept by the runner."""

PODS = "pods"
"""The headless Service of a run that has several pods at a time."""
PLAN, STATUS, RUNNER, READER, CLEANER = "plan", "status", "runner", "reader", "cleaner"
STAGE = "stage"
CHECKPOINTS, JUDGE, SUMMARY = "checkpoints", "judge", "summary"
"""Roles in a batch evaluation."""

_OF_JOBS = ("job-name", "controller-uid")
"""Also below batch.kubernetes.io/."""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def user_folder(environment: Mapping[str, str]) -> Path:
    """The user's own settings, by the XDG base directory specification."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    return Path(base) / MANAGER


def is_run_name(name: str) -> bool:
    """A DNS label (RFC 1123) that is short enough to begin the names of the run's pods."""
    return len(name) <= MAX_RUN_NAME and _DNS_LABEL.fullmatch(name) is not None


def object_name(run: str, role: str) -> str:
    """Of the run's one object in that role: `<run>-plan`, `<run>-status`, `<run>-runner`."""
    return f"{run}-{role}"


def stage_job(run: str, stage: str, attempt: int) -> str:
    return f"{run}-{stage}-{attempt}"


def labels(run: str, role: str, stage: str = "", attempt: int | None = None) -> dict[str, str]:
    """Labels of an object of the run; those of a stage's Job and pods name it and its attempt too."""
    own = {
        LABEL_NAME: APP,
        LABEL_MANAGED_BY: MANAGER,
        LABEL_PART_OF: run,
        LABEL_RUN: run,
        LABEL_ROLE: role,
    }
    if stage:
        own[LABEL_STAGE] = stage
    if attempt is not None:
        own[LABEL_ATTEMPT] = str(attempt)
    return own


def is_taken_label(key: str) -> bool:
    """Whether we give objects of a run a label of that key, or the Job controller finds its pods by it."""
    ours = key.startswith(PREFIX) or key in (LABEL_NAME, LABEL_MANAGED_BY, LABEL_PART_OF, LABEL_QUEUE)
    return ours or key.removeprefix("batch.kubernetes.io/") in _OF_JOBS


def batch_labels(batch: str, role: str) -> dict[str, str]:
    return {
        LABEL_NAME: APP,
        LABEL_MANAGED_BY: MANAGER,
        LABEL_PART_OF: batch,
        LABEL_BATCH: batch,
        LABEL_ROLE: role,
    }
