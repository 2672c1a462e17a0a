"""What several pods of one Job say together."""

from __future__ import annotations

from typing import Any

from launcher.backends.kubernetes.gang_look import INDEX, index_of, living, look, told_by_events
from launcher.executor import Look

Json = dict[str, Any]


def job(*conditions: str) -> Json:
    return {
        "metadata": {"name": "demo-train-1"},
        "spec": {"backoffLimit": 0, "completions": 2},
        "status": {"conditions": [{"type": kind, "status": "True", "reason": ""} for kind in conditions]},
    }


def pod(index: int, state: str, code: int = 0, *, at: str = "", deleted: bool = False, node: str = "") -> Json:
    """`state` is waiting, running or terminated; on the node of its number unless another one is named."""
    detail: Json = {"exitCode": code, "finishedAt": at} if state == "terminated" else {}
    phase = {"waiting": "Pending", "running": "Running"}.get(state, "Failed" if code else "Succeeded")
    gone = {"deletionTimestamp": "2026-01-01T00:00:09Z"} if deleted else {}
    return {
        "metadata": {"name": f"demo-train-1-{index}-x", "annotations": {INDEX: str(index)}, **gone},
        "spec": {"nodeName": node or f"node-{index}"},
        "status": {"phase": phase, "containerStatuses": [{"name": "stage", "state": {state: detail}}]},
    }


def unscheduled(index: int) -> Json:
    says = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient a/b."}
    return {
        "metadata": {"name": f"demo-train-1-{index}-x", "annotations": {INDEX: str(index)}},
        "spec": {},
        "status": {"phase": "Pending", "conditions": [says]},
    }


def test_pods_work_when_all_of_them_do() -> None:
    seen = look(job(), [pod(1, "running"), pod(0, "running")], (), 2)
    assert (seen.working, seen.ended, seen.node) == (True, False, "node-0,node-1")


def test_two_on_one_node_name_it_once() -> None:
    pods = [pod(0, "running", node="a"), pod(1, "running", node="a")]
    assert look(job(), pods, (), 2).node == "a"


def test_one_that_finds_no_room_is_told_with_how_many_run() -> None:
    seen = look(job(), [pod(0, "running"), unscheduled(1)], (), 2)
    assert (seen.working, seen.ended, seen.reason) == (False, False, "InsufficientDevices")
    assert seen.message.startswith("1 of 2 pods run; pod 1: ")


def test_one_that_has_ended_well_does_not_end_the_others() -> None:
    seen = look(job(), [pod(0, "running"), pod(1, "terminated", 0)], (), 2)
    assert (seen.working, seen.ended, seen.exit_code) == (True, False, None)


def test_all_that_ended_well_have_ended() -> None:
    done = [pod(0, "terminated", 0), pod(1, "terminated", 0)]
    assert look(job("Complete"), done, (), 2) == Look(ended=True, exit_code=0, node="node-0,node-1")


def test_the_first_that_failed_is_told_and_not_those_that_were_told_to_end_for_it() -> None:
    fell = pod(0, "terminated", 143, at="2026-01-01T00:00:01Z", deleted=True)
    cause = pod(1, "terminated", 1, at="2026-01-01T00:00:02Z")
    seen = look(job("Failed"), [fell, cause], (), 2)
    assert (seen.ended, seen.exit_code, seen.reason) == (True, 1, "")
    later = pod(0, "terminated", 1, at="2026-01-01T00:00:03Z")
    assert look(job("Failed"), [later, pod(1, "terminated", 42, at="2026-01-01T00:00:02Z")], (), 2).exit_code == 42


def test_a_pod_that_is_being_deleted_is_named_while_all_still_work() -> None:
    leaving = pod(1, "running", deleted=True)
    seen = look(job(), [pod(0, "running"), leaving], (), 2)
    assert (seen.working, seen.ended, seen.reason) == (True, False, "PodDeleted")
    assert seen.message == "pod 1: its pod was deleted"


def test_a_pod_that_was_deleted_is_the_cause_of_one_that_ended_before_it() -> None:
    cause = pod(1, "terminated", 143, at="2026-01-01T00:00:02Z", deleted=True)
    heard = pod(0, "terminated", 143, at="2026-01-01T00:00:01Z")
    seen = look(job("Failed"), [heard, cause], (), 2)
    assert (seen.ended, seen.reason, seen.message) == (True, "PodDeleted", "pod 1: its pod was deleted")


def test_a_pod_that_takes_its_leave_is_the_cause_of_one_that_ended_before_it() -> None:
    """It hears that it is to go, tells the other, and has more to write than that one."""
    leaving = pod(1, "running", deleted=True)
    leaving["metadata"]["deletionGracePeriodSeconds"] = 8
    ended = pod(0, "terminated", 143, at="2026-01-01T00:00:02Z")
    for conditions in ((), ("FailureTarget",)):
        seen = look(job(*conditions), [ended, leaving], (), 2)
        assert (seen.ended, seen.reason, seen.message) == (True, "PodDeleted", "pod 1: its pod was deleted")


def test_a_pod_that_the_job_deletes_for_another_is_not_its_cause() -> None:
    leaving = pod(1, "running", deleted=True)
    leaving["metadata"]["deletionGracePeriodSeconds"] = 3
    ended = pod(0, "terminated", 143, at="2026-01-01T00:00:02Z")
    seen = look(job("FailureTarget"), [ended, leaving], (), 2)
    assert (seen.ended, seen.exit_code, seen.reason) == (True, 143, "")


def test_a_pod_that_is_gone_is_the_cause_when_the_others_were_told_to_end() -> None:
    fell = pod(0, "terminated", 143, at="2026-01-01T00:00:01Z", deleted=True)
    seen = look(job("Failed"), [fell], (), 2)
    assert (seen.ended, seen.reason) == (True, "PodDeleted")
    assert seen.message.startswith("pod 1: ")


def test_pods_that_are_not_made_yet_are_waited_for() -> None:
    assert look(job(), [], (), 2) == Look(ended=False)
    seen = look(job(), [pod(0, "running")], (), 2)
    assert (seen.ended, seen.working) == (False, False)


def test_a_job_that_is_gone_has_ended() -> None:
    assert look(None, [], (), 2).reason == "JobDeleted"


def test_living_ones_are_counted() -> None:
    assert living([pod(0, "running"), pod(1, "terminated", 1)]) == 1
    assert living([]) == 0


def test_events_are_asked_of_the_first_that_does_not_work() -> None:
    waits = pod(1, "waiting")
    assert told_by_events(job(), [pod(0, "running"), waits], 2) is waits
    assert told_by_events(job(), [pod(0, "running"), pod(1, "running")], 2) is None
    without = job()
    assert told_by_events(without, [pod(0, "running")], 2) is without


def test_the_pod_of_a_plain_job_is_the_first() -> None:
    assert index_of({"metadata": {}}) == 0
