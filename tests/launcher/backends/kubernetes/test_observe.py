"""Every word of Kubernetes that the tables of `launcher.states` hold, and words that they do not."""

from __future__ import annotations

from typing import Any

import pytest

from launcher import names, states
from launcher.backends.kubernetes.observe import look, newest, told_by_events
from launcher.executor import Look

IMAGE = "127.0.0.1:5000/sphereface:1"
DIGEST = "127.0.0.1:5000/sphereface@sha256:abc"
Json = dict[str, Any]


def job(*conditions: tuple[str, str], **spec: Any) -> Json:
    return {
        "metadata": {"name": "demo-train-1"},
        "spec": {"backoffLimit": 0, **spec},
        "status": {"conditions": [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]},
    }


def pod(
    phase: str = "Pending",
    *,
    node: str = "node-a",
    state: Json | None = None,
    conditions: tuple[Json, ...] = (),
    deleted: bool = False,
    created: str = "2026-01-01T00:00:00Z",
    **status: Any,
) -> Json:
    metadata = {"name": "demo-train-1-x", "creationTimestamp": created}
    limits = {"huawei.com/Ascend910": "17", "memory": "1Gi"}
    return {
        "metadata": {**metadata, **({"deletionTimestamp": "2026-01-01T00:01:00Z"} if deleted else {})},
        "spec": {
            **({"nodeName": node} if node else {}),
            "containers": [{"name": "stage", "image": IMAGE, "resources": {"limits": limits}}],
        },
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [{"name": "stage", "state": state or {}, "imageID": DIGEST}],
            **status,
        },
    }


def waiting(reason: str, message: str = "") -> Json:
    return pod(state={"waiting": {"reason": reason, "message": message}})


def ended(code: int, reason: str = "Error", message: str = "", **more: Any) -> Json:
    phase = "Failed" if code else "Succeeded"
    return pod(phase, state={"terminated": {"exitCode": code, "reason": reason, "message": message}}, **more)


def unschedulable(message: str, reason: str = "Unschedulable") -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return pod(node="", conditions=(condition,))


def disrupted(reason: str, message: str = "said", ready: Json | None = None) -> tuple[Json, ...]:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return (condition, ready or {"type": "Ready", "status": "True"})


SILENT = {"type": "Ready", "status": "False"}


def event(kind: str, reason: str, message: str, time: str = "2026-01-01T00:00:00Z") -> Json:
    return {"involvedObject": {"kind": kind}, "reason": reason, "message": message, "lastTimestamp": time}


def test_a_pod_on_its_way_has_no_reason() -> None:
    assert look(job(), [], []) == Look(ended=False)
    assert look(job(), [pod(node="")], []) == Look(ended=False, image=DIGEST)
    for reason in ("ContainerCreating", "PodInitializing"):
        assert look(job(), [waiting(reason)], []) == Look(ended=False, node="node-a", image=DIGEST)


def test_a_running_pod_works_on_its_node_with_its_image() -> None:
    seen = look(job(), [pod("Running", state={"running": {}})], [])
    assert seen == Look(ended=False, working=True, node="node-a", image=DIGEST)


def test_a_pod_whose_container_has_just_ended_still_works() -> None:
    ending = pod("Running", state={"terminated": {"exitCode": 0, "reason": "Completed"}})
    assert look(job(), [ending], []) == Look(ended=False, working=True, node="node-a", image=DIGEST)


def test_pulling_is_told() -> None:
    assert look(job(), [waiting("ContainerCreating")], [event("Pod", "Pulling", "x")]).message


@pytest.mark.parametrize("kubernetes", states.WAITING)
def test_every_waiting_reason_has_a_word(kubernetes: str) -> None:
    seen = look(job(), [waiting(kubernetes, "something")], [])
    assert (seen.ended, seen.working, seen.reason) == (False, False, states.WAITING[kubernetes])
    assert "something" in seen.message
    assert seen.reason in states.REASONS


def test_a_waiting_reason_that_we_do_not_know_is_shown_as_it_is() -> None:
    seen = look(job(), [waiting("MartianWeather", "dust\nstorm")], [])
    assert (seen.reason, seen.message) == ("MartianWeather", "dust storm")


PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (f"{IMAGE}: not found", "ImageNotFound"),
        ("manifest unknown", "ImageNotFound"),
        ("pull access denied, repository does not exist or may require authorization", "ImagePullDenied"),
        ("unexpected status from HEAD request: 401 Unauthorized", "ImagePullDenied"),
        ("unexpected status: 403 Forbidden", "ImagePullDenied"),
        ("failed to do request: Head: dial tcp 127.0.0.1:5000: connect: connection refused", "ImagePullBackOff"),
    ],
)
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_why_an_image_cannot_be_pulled(reason: str, said: str, word: str) -> None:
    before = "rpc error: code = NotFound desc = "
    if reason == "ImagePullBackOff":
        before = f'Back-off pulling image "{IMAGE}": ErrImagePull: {before}'
    seen = look(job(), [waiting(reason, before + PULL + said)], [])
    assert seen.reason == word
    assert seen.message == f"{IMAGE}: {said.removeprefix(f'{IMAGE}: ')}"


def test_an_older_kubelet_says_only_in_an_event_why_it_cannot_pull() -> None:
    failed = event(
        "Pod", "Failed", f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {PULL}not found'
    )
    after = event("Pod", "Failed", "Error: ImagePullBackOff", "2026-01-01T00:00:09Z")
    seen = look(job(), [waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')], [failed, after])
    assert (seen.reason, seen.message) == ("ImageNotFound", f"{IMAGE}: not found")


@pytest.mark.parametrize(
    ("message", "word", "told"),
    [
        (
            "0/2 nodes are available: 2 Insufficient huawei.com/Ascend910. preemption: 0/2 nodes are available: 2 No "
            "preemption victims found for incoming pod.",
            "InsufficientDevices",
            "the pod asks for 17 huawei.com/Ascend910; of 2 node(s): 2 with too few free huawei.com/Ascend910",
        ),
        (
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient "
            "huawei.com/Ascend910. no new claims to deallocate, preemption: none",
            "InsufficientDevices",
            "the pod asks for 17 huawei.com/Ascend910; of 3 node(s): 1 without the labels of the selector, 2 with too "
            "few free huawei.com/Ascend910",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: x",
            "NoMatchingNode",
            "of 2 node(s): 2 without the labels of the selector",
        ),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s).", "Tainted", "of 1 node(s): 1 with a taint"),
        (
            "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated "
            "taint(s). preemption: x",
            "Tainted",
            "of 2 node(s): 1 without the labels of the selector, 1 with a taint",
        ),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {npu: reserved}.",
            "Tainted",
            "of 1 node(s): 1 with the taint npu: reserved",
        ),
        (
            "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
            "Unschedulable",
            "of 1 node(s): 1 with the taint node.kubernetes.io/not-ready",
        ),
        (
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
            "Unschedulable",
            "the pod asks for 17 huawei.com/Ascend910; of 2 node(s): 1 with too few free cpu, 1 with too few free "
            "memory",
        ),
        (
            "0/2 nodes are available: 1 Too many pods, 1 node(s) were unschedulable.",
            "Unschedulable",
            "of 2 node(s): 1 Too many pods, 1 closed to new pods (cordoned)",
        ),
        (
            '0/2 nodes are available: persistentvolumeclaim "faces" not found. not found',
            "ClaimNotFound",
            'persistentvolumeclaim "faces" not found',
        ),
        (
            "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: x",
            "ClaimNotBound",
            "pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.",
            "ClaimNotBound",
            "of 2 node(s): 2 that didn't find available persistent volumes to bind",
        ),
        ("the scheduler speaks another way now", "Unschedulable", "the scheduler speaks another way now"),
    ],
)
def test_why_no_node_takes_the_pod(message: str, word: str, told: str) -> None:
    seen = look(job(), [unschedulable(message)], [])
    assert (seen.ended, seen.node, seen.reason, seen.message) == (False, "", word, told)


def test_a_gate_or_a_suspended_job_hold_back() -> None:
    assert look(job(), [unschedulable("gates", "SchedulingGated")], []).reason == "Suspended"
    assert look(job(suspend=True), [], []).reason == "Suspended"
    queued = job(suspend=True)
    queued["metadata"]["labels"] = {names.LABEL_QUEUE: "team-a"}
    assert look(queued, [], []) == Look(ended=False, reason="QueuedForQuota", message="waits for quota in queue team-a")


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ("exceeded quota: npu, requested: limits.memory=8Gi, used: limits.memory=0, limited: x", "QuotaExceeded"),
        ('violates PodSecurity "restricted:latest": privileged', "AdmissionDenied"),
        ("maximum memory usage per Container is 1Gi, but limit is 8Gi", "AdmissionDenied"),
        ("error looking up service account lab/default", "PodNotCreated"),
    ],
)
def test_why_a_pod_is_refused(rule: str, word: str) -> None:
    refused = event("Job", "FailedCreate", f'Error creating: pods "demo-train-1-x" is forbidden: {rule}')
    seen = look(job(), [], [refused])
    assert (seen.ended, seen.reason, seen.message) == (False, word, rule)


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ('admission webhook "kyverno" denied the request: no latest', "AdmissionDenied"),
        ('Internal error occurred: failed calling webhook "m.kueue": connection refused', "AdmissionUnavailable"),
        ("Timeout: request did not complete", "PodNotCreated"),
    ],
)
def test_other_refusals(message: str, word: str) -> None:
    seen = look(job(), [], [event("Job", "FailedCreate", f"Error creating: {message}")])
    assert (seen.reason, seen.message) == (word, message)


def test_the_newest_event_counts() -> None:
    older = event("Job", "FailedCreate", "exceeded quota", "2026-01-01T00:00:09Z")
    newer = event("Job", "FailedCreate", "failed calling webhook", "2026-01-01T00:00:10Z")
    assert look(job(), [], [newer, older]).reason == "AdmissionUnavailable"


@pytest.mark.parametrize("kubernetes", states.START_EVENTS)
def test_a_container_that_is_never_made_is_explained_by_events(kubernetes: str) -> None:
    events = [event("Pod", kubernetes, 'MountVolume.SetUp failed for volume "x" : no such host')]
    seen = look(job(), [waiting("ContainerCreating")], events)
    assert seen.reason == states.START_EVENTS[kubernetes]
    assert "no such host" in seen.message


def test_an_end_by_exit_code_needs_no_reason() -> None:
    assert look(job(), [ended(0, "Completed")], []) == Look(True, exit_code=0, node="node-a", image=DIGEST)
    seen = look(job(("Failed", "BackoffLimitExceeded")), [ended(42, message="a\nerror: lr is wrong\n")], [])
    assert (seen.ended, seen.exit_code, seen.reason, seen.message) == (True, 42, "", "error: lr is wrong")


@pytest.mark.parametrize("kubernetes", states.CONTAINER_ENDS)
def test_every_end_of_a_container_has_a_word(kubernetes: str) -> None:
    seen = look(job(), [ended(137, kubernetes, "said")], [])
    assert (seen.ended, seen.exit_code, seen.reason) == (True, 137, states.CONTAINER_ENDS[kubernetes])
    assert seen.message


def test_memory_that_ran_out_is_told_with_its_limit() -> None:
    """The code is not 137 where the container's first process lived on and only its child was killed."""
    seen = look(job(), [ended(1, "OOMKilled")], [])
    assert (seen.reason, seen.exit_code) == ("OOMKilled", 1)
    assert "1Gi" in seen.message


def test_a_command_that_the_image_lacks() -> None:
    runc = 'OCI runtime create failed: exec: "nosuch": executable file not found in $PATH: unknown'
    for seen in (
        look(job(), [ended(128, "StartError", f"failed to create containerd task: {runc}")], []),
        look(job(), [waiting("CreateContainerError", runc)], []),
    ):
        assert (seen.reason, seen.message) == ("CommandNotFound", f"{IMAGE} has no command 'nosuch'")
    python = look(job(), [ended(1, message="/usr/bin/python: No module named launcher\n")], [])
    assert python.reason == "CommandNotFound"
    program = look(job(), [ended(1, message="x: executable file not found\nthe stage says more\n")], [])
    assert program.reason == ""


@pytest.mark.parametrize("kubernetes", [*states.POD_ENDS, "OutOfcpu", "OutOfhuawei.com/Ascend910"])
def test_every_end_of_a_pod_has_a_word(kubernetes: str) -> None:
    gone = pod("Failed", reason=kubernetes, message="The node was low on resource: memory.")
    seen = look(job(), [gone], [])
    assert seen == Look(
        ended=True,
        reason=states.POD_ENDS.get(kubernetes, "NodeRefused"),
        message="The node was low on resource: memory.",
        node="node-a",
        image=DIGEST,
    )


@pytest.mark.parametrize("kubernetes", [*states.DISRUPTIONS, "MartianWeather"])
def test_every_disruption_has_a_word_before_and_after_the_end(kubernetes: str) -> None:
    conditions = disrupted(kubernetes, ready=SILENT)
    word = states.DISRUPTIONS.get(kubernetes, "Evicted")
    going = look(job(), [pod("Running", state={"running": {}}, conditions=conditions, deleted=True)], [])
    gone = look(job(), [ended(143, conditions=conditions)], [])
    assert (going.ended, going.reason) == (word == "NodeLost", word)
    assert (gone.ended, gone.reason, gone.exit_code) == (True, word, 143)
    assert going.message
    assert states.REASONS[word].disruption


def test_a_pod_that_ended_well_before_it_was_disturbed_ended_well() -> None:
    assert look(job(), [ended(0, conditions=disrupted("EvictionByEvictionAPI"))], []).reason == ""


def test_a_taint_that_somebody_set_is_no_lost_node() -> None:
    tainted = pod("Running", state={"running": {}}, conditions=disrupted("DeletionByTaintManager"), deleted=True)
    seen = look(job(), [tainted], [])
    assert (seen.ended, seen.reason) == (False, "Evicted")
    assert "taint" in seen.message


def test_a_silent_node_is_told_before_it_is_given_up() -> None:
    seen = look(job(), [pod("Running", state={"running": {}}, conditions=(SILENT,))], [])
    assert (seen.ended, seen.working, seen.reason) == (False, True, "NodeLost")
    assert look(job(), [pod("Unknown")], []).reason == "NodeLost"


def test_a_pod_that_somebody_deleted() -> None:
    going = look(job(), [pod("Running", state={"running": {}}, deleted=True)], [])
    assert (going.ended, going.working, going.reason) == (False, True, "PodDeleted")
    for code in (137, 143):
        assert look(job(), [ended(code, deleted=True)], []).reason == "PodDeleted"
    assert look(job(), [ended(42, deleted=True)], []).reason == ""
    assert look(job(("Failed", "BackoffLimitExceeded")), [], []).reason == "PodDeleted"


def test_a_job_that_somebody_deleted() -> None:
    assert look(None, [], []).reason == "JobDeleted"
    assert look(None, [], []).ended
    running = look(None, [pod("Running", state={"running": {}}, deleted=True)], [])
    assert (running.ended, running.working, running.reason) == (False, True, "JobDeleted")
    going = job()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    assert look(going, [ended(143, deleted=True)], []).reason == "JobDeleted"
    assert look(None, [ended(42)], []) == look(job(), [ended(42)], [])


def test_a_deadline_of_the_job() -> None:
    over = job(("FailureTarget", "DeadlineExceeded"), activeDeadlineSeconds=60)
    running = look(over, [pod("Running", state={"running": {}}, deleted=True)], [])
    assert (running.ended, running.reason) == (False, "DeadlineExceeded")
    over["status"]["conditions"][0]["type"] = "Failed"
    gone = look(over, [], [])
    assert (gone.ended, gone.reason, gone.message) == (True, "DeadlineExceeded", "its pod took longer than 60 s")


def test_a_finished_job_whose_pods_are_gone() -> None:
    assert look(job(("Complete", "CompletionsReached")), [], []) == Look(ended=True, exit_code=0)


def test_a_runner_that_ended_is_followed_by_another_until_its_job_has_failed() -> None:
    runner = job(backoffLimit=30)
    first = ended(70, message="error: unexpected", created="2026-01-01T00:00:00Z")
    between = look(runner, [first], [])
    assert (between.ended, between.reason) == (False, "StageFailed")
    assert "error: unexpected" in between.message
    second = pod("Running", state={"running": {}}, created="2026-01-01T00:00:30Z")
    assert look(runner, [first, second], []).working
    failed = look(job(("Failed", "BackoffLimitExceeded"), backoffLimit=30), [first], [])
    assert (failed.ended, failed.exit_code, failed.message) == (True, 70, "error: unexpected")


def test_the_living_pod_counts_then_the_last_one() -> None:
    old, new = ended(1, created="2026-01-01T00:00:01Z"), ended(1, created="2026-01-01T00:00:02Z")
    living = pod("Running", created="2026-01-01T00:00:00Z")
    assert newest([old, new]) is new
    assert newest([new, living, old]) is living
    assert newest([]) is None


def test_long_messages_are_cut_to_one_line() -> None:
    seen = look(job(), [waiting("CreateContainerConfigError", "word \n" * 1000)], [])
    assert "\n" not in seen.message
    assert len(seen.message) <= 400


def test_every_word_of_the_tables_is_a_reason() -> None:
    tables: list[Any] = [
        *(states.WAITING, states.START_EVENTS, states.DISRUPTIONS),
        *(states.POD_ENDS, states.CONTAINER_ENDS, states.JOB_ENDS),
    ]
    words = {word for table in tables for word in table.values()} - {""}
    for table in (
        *(states.PULL_MESSAGES, states.CONTAINER_MESSAGES),
        *(states.SCHEDULER_MESSAGES, states.CREATION_MESSAGES),
    ):
        words |= {word for _, word in table}
    assert words <= states.REASONS.keys()


def test_events_are_asked_for_only_where_they_say_more() -> None:
    suspended, waiting, unscheduled = job(suspend=True), pod(), pod(node="")
    assert told_by_events(None, []) is None
    assert told_by_events(suspended, []) is None
    without_pod = job()
    assert told_by_events(without_pod, []) is without_pod
    assert told_by_events(without_pod, [waiting]) is waiting
    assert told_by_events(without_pod, [unscheduled]) is None
