"""What the pods of one attempt that has several say together: all of them work, or why they do not. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from launcher.backends.kubernetes import observe
from launcher.backends.kubernetes.api import Object
from launcher.executor import Look

_NO_JOB: Object = {"metadata": {}, "spec": {"backoffLimit": 0}}
_TOLD_TO_END = 128 + signal.SIGTERM

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of each pod of an Indexed Job: its number."""


def index_of(pod: Object) -> int:
    """0 for the pod of a Job that is not Indexed."""
    metadata = pod["metadata"]
    text = (metadata.get("annotations") or {}).get(INDEX) or (metadata.get("labels") or {}).get(INDEX) or "0"
    return int(text)


def look(job: Object | None, pods: Sequence[Object], events: Sequence[Object], nodes: int) -> Look:
    """As `observe.look`, of a Job with `nodes` pods; it has `ended` as soon as one has failed, for the others cannot go
    on. `events` are those of `told_by_events`."""
    newest = _newest(pods)
    seen = {index: observe.look(job, [pod], events) for index, pod in newest.items()}
    where = ",".join(dict.fromkeys(seen[index].node for index in sorted(seen) if seen[index].node))
    return replace(_together(job, newest, seen, events, nodes), node=where)


def _together(
    job: Object | None, newest: Mapping[int, Object], seen: Mapping[int, Look], events: Sequence[Object], nodes: int
) -> Look:
    failed = sorted(
        (index for index in seen if seen[index].ended and seen[index].exit_code != 0),
        key=lambda index: _order(newest[index], seen[index]),
    )
    if failed and not _fell_with_others(newest[failed[0]], seen[failed[0]]):
        return _of_pod(failed[0], seen[failed[0]])
    if len(seen) < nodes:
        rest = observe.look(job, [], events)
        absent = next(index for index in range(nodes) if index not in seen)
        return _of_pod(absent, rest) if rest.ended else _waits(seen, nodes, absent, rest)
    if failed:
        end = _finished_at(newest[failed[0]])
        cause = next((index for index in sorted(seen) if _was_leaving(newest[index], seen[index], end)), failed[0])
        return replace(_of_pod(cause, seen[cause]), ended=True)
    if all(one.ended for one in seen.values()):
        return seen[0]
    waiting = next((index for index in sorted(seen) if not seen[index].working and not seen[index].ended), None)
    if waiting is not None:
        return _waits(seen, nodes, waiting, seen[waiting])
    troubled = next((_of_pod(index, one) for index, one in seen.items() if one.reason and not one.ended), None)
    return replace(troubled or seen[min(seen)], ended=False, exit_code=None, working=True)


def living(pods: Sequence[Object]) -> int:
    """How many have not ended, as far as somebody can know."""
    looks = (observe.look(_NO_JOB, [pod], ()) for pod in _newest(pods).values())
    return sum(not one.ended for one in looks)


def told_by_events(job: Object | None, pods: Sequence[Object], nodes: int) -> Object | None:
    """As `observe.told_by_events`: of the first pod that does not work yet, or of the Job that has too few."""
    newest = _newest(pods)
    for index in range(nodes):
        if index not in newest:
            return observe.told_by_events(job, [])
        one = observe.look(job, [newest[index]], ())
        if not one.working and not one.ended:
            return observe.told_by_events(job, [newest[index]])
    return None


def _newest(pods: Sequence[Object]) -> dict[int, Object]:
    by_index: dict[int, list[Object]] = {}
    for pod in pods:
        by_index.setdefault(index_of(pod), []).append(pod)
    newest: Mapping[int, Object | None] = {index: observe.newest(own) for index, own in by_index.items()}
    return {index: pod for index, pod in newest.items() if pod is not None}


def _order(pod: Object, look: Look) -> tuple[bool, bool, str]:
    """The cause first, then by time. Of those that were told to end, one that was deleted is the cause of one that only
    ended: they hear of each other, and the cause may be the last to go."""
    return _fell_with_others(pod, look), not look.reason, _finished_at(pod)


def _finished_at(pod: Object) -> str:
    """Of its container, as the cluster writes it; empty while it runs."""
    ends = [
        container["state"]["terminated"].get("finishedAt") or ""
        for container in pod.get("status", {}).get("containerStatuses") or ()
        if "terminated" in container.get("state", {})
    ]
    return ends[0] if ends else ""


def _was_leaving(pod: Object, look: Look, end: str) -> bool:
    """Whether somebody had the pod deleted before another one's `end`, and it still takes its leave."""
    metadata = pod["metadata"]
    if look.ended or not look.reason or not metadata.get("deletionTimestamp") or not end:
        return False
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return datetime.fromisoformat(metadata["deletionTimestamp"]) - grace <= datetime.fromisoformat(end)


def _fell_with_others(pod: Object, look: Look) -> bool:
    """As far as it shows: a Job tells the pods that are left to end, once one has failed."""
    told = bool(pod["metadata"].get("deletionTimestamp")) or look.exit_code == _TOLD_TO_END
    return told and look.reason in ("", "PodDeleted", "JobDeleted")


def _waits(seen: Mapping[int, Look], nodes: int, index: int, look: Look) -> Look:
    up = sum(one.working or one.ended for one in seen.values())
    if not look.reason:
        return replace(look, working=False)
    message = f"{up} of {nodes} pods run; pod {index}: {look.message}"
    return replace(look, working=False, message=message)


def _of_pod(index: int, look: Look) -> Look:
    return replace(look, message=f"pod {index}: {look.message}" if look.message else "")
