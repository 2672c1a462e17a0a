"""What a cluster or a person does to a stage that works: it goes on from its checkpoint, and the record says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from launcher import names
from launcher.states import State
from runfolder import layout as files
from tests.cluster.control import Control
from tests.cluster.runs import LONG, Lab, until

pytestmark = [pytest.mark.cluster, pytest.mark.blows]

RUN = "going"


@pytest.fixture(scope="module")
def going(lab: Lab) -> Iterator[str]:
    """One training for all that can be done to it; each test takes the attempt that it finds."""
    lab.submit(RUN, train=LONG)
    lab.await_step(RUN)
    yield RUN
    lab.remove(RUN)


def steps(lab: Lab, run: str) -> list[int]:
    lines = lab.read(f"runs/{run}/train/{files.METRICS}").splitlines()
    return [json.loads(line)["step"] for line in lines]


def goes_on(lab: Lab, run: str, attempt: int, reason: str) -> None:
    """The next attempt works, and the end of this one is told truly."""
    lab.await_attempt(run, attempt + 1)
    ended = lab.attempts(run)[attempt - 1]
    assert (ended["attempt"], ended["reason"]) == (attempt, reason)
    assert ended["message"]
    assert ended["ended"] is not None


def test_an_evicted_pod(lab: Lab, going: str) -> None:
    attempt = lab.await_attempt(going, 1).attempts
    pod = lab.pod(going)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{lab.namespace}/pods/{pod}/eviction"

    lab.kubectl("create", "--raw", path, "-f", "-", input=json.dumps(eviction))

    goes_on(lab, going, attempt, "Evicted")


def test_a_stage_job_that_was_deleted_by_hand(lab: Lab, going: str) -> None:
    attempt = lab.await_attempt(going, 1).attempts

    lab.kubectl("-n", str(lab.namespace), "delete", "job", names.stage_job(going, "train", attempt), "--wait=false")

    goes_on(lab, going, attempt, "JobDeleted")


def test_a_stage_pod_that_was_deleted_by_hand(lab: Lab, going: str) -> None:
    attempt = lab.await_attempt(going, 1).attempts

    lab.kubectl("-n", str(lab.namespace), "delete", "pod", lab.pod(going), "--wait=false")

    goes_on(lab, going, attempt, "PodDeleted")


def test_a_runner_that_was_deleted_is_followed_by_another_and_the_stage_goes_on(lab: Lab, going: str) -> None:
    attempt = lab.await_attempt(going, 1).attempts
    pod, runner = lab.pod(going), lab.pod(going, names.RUNNER)

    lab.kubectl("-n", str(lab.namespace), "delete", "pod", runner, "--wait=false")

    until(lambda: lab.pod(going, names.RUNNER) != runner)
    lab.await_step(going, lab.await_attempt(going, attempt).attempts)
    assert lab.pod(going) == pod
    assert lab.stage(going).attempts == attempt


def test_training_went_on_from_its_checkpoints(lab: Lab, going: str) -> None:
    """All of the above told it to end first, so that no step was made twice."""
    attempt = lab.await_attempt(going, 1).attempts
    done = steps(lab, going)
    lab.await_step(going, done[-1] + 1)
    assert steps(lab, going) == list(range(1, len(steps(lab, going)) + 1))
    assert lab.stage(going).attempts == attempt
    assert [each["attempt"] for each in lab.attempts(going)] == list(range(1, attempt + 1))


def greedy(lab: Lab, priority: str) -> dict[str, Any]:
    """A pod that is more important, and wants all GPUs of the node."""
    container = {
        "name": "greedy",
        "image": lab.image,
        "command": ["sleep", "600"],
        "resources": {"limits": {"nvidia.com/gpu": "8"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {
        "containers": [container],
        "priorityClassName": priority,
        "nodeSelector": {"kubernetes.io/hostname": "node-b"},
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": "greedy", "namespace": str(lab.namespace)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def test_a_pod_of_higher_priority(lab: Lab, own: bool) -> None:
    if not own:
        pytest.skip("needs the test cluster's fake accelerators")
    lab.submit("humble", device="gpu-there", train=LONG)
    lab.await_attempt("humble", 1)
    priority = f"{lab.namespace}-high"
    metadata = {"name": priority}
    lab.kubectl.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": 9})
    try:
        lab.kubectl.apply(greedy(lab, priority))
        waiting = lab.await_reason("humble", "InsufficientDevices")
        assert (waiting.state, waiting.attempts) == (State.PENDING, 2)
        assert "nvidia.com/gpu" in waiting.message
        lab.kubectl("-n", str(lab.namespace), "delete", "pod", "greedy")
        goes_on(lab, "humble", 1, "Preempted")
    finally:
        lab.kubectl.run("delete", "priorityclass", priority)
        lab.remove("humble")


def test_a_node_that_is_lost(lab: Lab, cluster: Control) -> None:
    """Only its kubelet is dead: the pod lives on, unseen, until it finds the next attempt on the storage."""
    with lab.node("node-b", "label", "seed-test/marked=here"):
        lab.submit("lost", device="marked", train=LONG)
        lab.await_step("lost")
        assert lab.stage("lost").node == "node-b"
        with lab.node("node-a", "label", "seed-test/marked=here"):
            cluster.kill("kubelet-node-b")
            seen = lab.await_reason("lost", "NodeLost")
            assert "node-b" in seen.message
            goes_on(lab, "lost", 1, "NodeLost")
            assert lab.stage("lost").node == "node-a"
            until(lambda: "Superseded" in lab.read(f"runs/lost/train/{files.LOGS}/attempt_1.log"))
            assert lab.attempts("lost")[0]["reason"] == "NodeLost"
            cluster.start("kubelet-node-b")
    lab.remove("lost")
