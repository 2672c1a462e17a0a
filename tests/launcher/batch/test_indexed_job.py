from __future__ import annotations

from typing import Any

import pytest

from launcher.batch import indexed_job


@pytest.mark.parametrize(("text", "indexes"), [("", set()), ("3", {3}), ("0-2,5,7-8", {0, 1, 2, 5, 7, 8})])
def test_indexes_are_read_as_the_controller_writes_them(text: str, indexes: set[int]) -> None:
    assert indexed_job.read_indexes(text) == indexes


def job(*conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {"spec": {"completions": 3}, "status": {**status, "conditions": list(conditions)}}


def test_a_job_that_has_not_begun_has_no_status() -> None:
    assert not indexed_job.read_job({"spec": {"completions": 3}}).ended


def test_a_job_is_not_over_while_it_only_will_be() -> None:
    """FailureTarget comes before the last pods have gone, Failed after."""
    assert not indexed_job.read_job(job({"type": "FailureTarget", "status": "True"})).ended
    assert not indexed_job.read_job(job({"type": "Failed", "status": "False"})).ended


def test_a_job_with_failed_indexes() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "Job has failed indexes"}
    read = indexed_job.read_job(job(condition, completedIndexes="0,2", failedIndexes="1"))
    assert (read.completions, read.ended, read.completed, read.failed) == (3, True, frozenset({0, 2}), frozenset({1}))
    assert read.reason == "FailedIndexes"
