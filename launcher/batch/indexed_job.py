"""What an Indexed Job's status says of its indexes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ENDS = ("Complete", "Failed")


@dataclass(frozen=True)
class IndexedJob:
    """An Indexed Job as far as its summary needs it."""

    completions: int
    ended: bool
    completed: frozenset[int]
    failed: frozenset[int]
    reason: str = ""
    """Why the Job ended, in Kubernetes' words (`FailedIndexes`, `DeadlineExceeded`)."""
    message: str = ""


def read_job(job: Mapping[str, Any]) -> IndexedJob:
    """From the object as the API server gives it."""
    status = job.get("status", {})
    ends = [
        condition
        for condition in status.get("conditions", ())
        if condition["type"] in _ENDS and condition["status"] == "True"
    ]
    return IndexedJob(
        completions=job["spec"].get("completions", 1),
        ended=bool(ends),
        completed=read_indexes(status.get("completedIndexes", "")),
        failed=read_indexes(status.get("failedIndexes", "")),
        reason=ends[0].get("reason", "") if ends else "",
        message=ends[0].get("message", "") if ends else "",
    )


def read_indexes(text: str) -> frozenset[int]:
    """`1,3-5,7`, as the Job controller writes it."""
    indexes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return frozenset(indexes)
