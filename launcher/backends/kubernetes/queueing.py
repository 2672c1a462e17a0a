"""The queue of Kueue that holds a Job back: at which place it waits for quota there, and why.

Kueue (https://kueue.sigs.k8s.io) suspends a Job with the queue's label when it is created, makes a Workload for it and
lets it go once that has quota. The place comes from its visibility API, which a cluster may have left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from launcher import names
from launcher.backends.kubernetes import wording
from launcher.backends.kubernetes.api import Api, Object, pages
from launcher.errors import ApiError

KUEUE = "kueue.x-k8s.io"
VISIBILITY = "visibility.kueue.x-k8s.io"
LABEL_JOB_UID = "kueue.x-k8s.io/job-uid"
"""On a Workload: the Job that it stands for."""

TAKEN_BACK = "its queue took the quota back and suspended the Job"

MAX_PAUSE_S = 30.0
PAUSE_PART = 0.1
"""What was told of a place holds for this part of the time that the Job waits, at most MAX_PAUSE_S."""


def waits(queue: str, workload: Object | None = None, pending: Iterable[Object] = ()) -> str:
    """`pending` are those of the queue, as the visibility API tells them (from 0; for people from 1). Pure."""
    if workload is None:
        return f"waits for quota in queue {queue}"
    if _condition(workload, "QuotaReserved").get("status") == "True":
        return f"has quota in queue {queue} and waits for its admission checks"
    text = f"waits for quota in queue {queue}{_place(workload['metadata']['name'], pending)}"
    why = str(_condition(workload, "QuotaReserved").get("message") or "")
    return f"{text}: {wording.clip(why)}" if why else text


def is_held(job: Object) -> bool:
    """Whether a queue holds the Job back."""
    return bool(job["spec"].get("suspend")) and names.LABEL_QUEUE in (job["metadata"].get("labels") or {})


def is_suspended(job: Object) -> bool:
    """Also one that was let go a moment ago, and that the Job controller has not begun with yet."""
    told = _condition(job, "Suspended").get("status") == "True" and not job.get("status", {}).get("startTime")
    return bool(job["spec"].get("suspend")) or told


def preferred_version(api: Api, group: str) -> str:
    """Of an API group. Raises ApiError: 404 where the cluster does not have the group."""
    return str(api.request("GET", f"/apis/{group}")["preferredVersion"]["version"])


class Queue:
    """Looks at the queue of one Job at a time."""

    def __init__(self, api: Api, steady: Callable[[], float]) -> None:
        self._api = api
        self._steady = steady
        self._versions: dict[str, str] = {}
        self._of = ""
        self._since = self._asked = 0.0
        self._told = ""

    def tell(self, job: Object) -> str:
        """Why the Job waits, as of a short while ago. What may not be read, or is not there, is left out.

        Raises BackendError where the cluster does not answer.
        """
        uid, now = str(job["metadata"]["uid"]), self._steady()
        if uid != self._of:
            self._of, self._since, self._told = uid, now, ""
        if not self._told or now - self._asked > min(PAUSE_PART * (now - self._since), MAX_PAUSE_S):
            name, workload = job["metadata"]["labels"][names.LABEL_QUEUE], self._workload(uid)
            self._told = waits(name, workload, self._pending(name) if workload else ())
            self._asked = now
        return self._told

    def _workload(self, uid: str) -> Object | None:
        try:
            found = pages(self._api, self._path(KUEUE, "workloads"), {"labelSelector": f"{LABEL_JOB_UID}={uid}"})
            return next(found, None)
        except ApiError:
            return None

    def _pending(self, queue: str) -> list[Object]:
        try:
            answer: Any = self._api.request("GET", self._path(VISIBILITY, f"localqueues/{queue}/pendingworkloads"))
        except ApiError:
            return []
        return list(answer.get("items") or ())

    def _path(self, group: str, rest: str) -> str:
        if group not in self._versions:
            self._versions[group] = preferred_version(self._api, group)
        return f"/apis/{group}/{self._versions[group]}/namespaces/{self._api.namespace}/{rest}"


def _place(workload: str, pending: Iterable[Object]) -> str:
    """`, at place 2`; where other queues share the quota and some of theirs come first, that too."""
    row = next((one for one in pending if one["metadata"]["name"] == workload), None)
    if row is None:
        return ""
    own, whole = int(row.get("positionInLocalQueue", 0)) + 1, int(row.get("positionInClusterQueue", 0)) + 1
    return f", at place {own}" + (f" (place {whole} with the other queues of its quota)" if whole > own else "")


def _condition(thing: Object, kind: str) -> Object:
    conditions = thing.get("status", {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind), {})
