"""Attempts as Jobs on an API server in a dictionary; what a controller or kubelet does there, the tests do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from launcher import names, record, render
from launcher.backends.kubernetes.executor import MAX_POLL_S, POLL_S, SETTLE_S, STOP_S, KubernetesExecutor
from launcher.backends.kubernetes.queueing import TAKEN_BACK
from launcher.errors import ApiError, Unreachable
from launcher.executor import Look
from launcher.facts import Attempt
from launcher.plan import Plan, Stage, make_plan
from launcher.spec import KubernetesSpec, RunSpec
from runfolder import atomic, layout
from tests.launcher.backends.kubernetes.fake_api import FakeApi
from tests.launcher.fake_backend import FakeClock

JOB = "demo-train-1"
POD = "demo-train-1-x"
DEADLINE_S = 100.0
PULLING = {"waiting": {"reason": "ErrImagePull", "message": "denied"}}
WRONG_NAME = {"waiting": {"reason": "InvalidImageName", "message": "UPPER"}}


@dataclass
class World:
    plan: Plan
    api: FakeApi
    clock: FakeClock
    executor: KubernetesExecutor = field(init=False)

    def __post_init__(self) -> None:
        plan_map = render.manifests(self.plan)[0]
        self.api.put("configmaps", plan_map)
        self.executor = self.another()

    def another(self) -> KubernetesExecutor:
        """As a runner that follows one that ended has it."""

        def owner() -> dict[str, Any]:
            return self.api.get("configmaps", "demo-plan")

        jobs = render.stage_manifests(self.plan)
        return KubernetesExecutor(self.api, self.plan, jobs, owner, clock=self.clock, steady=self.clock)

    @property
    def stage(self) -> Stage:
        return self.plan.stage("train")

    @property
    def folder(self) -> Path:
        return layout.stage_folder(Path(self.plan.folder), "train")

    def start(self, attempt: int = 1) -> None:
        assert record.begin_attempt(self.folder, Attempt(attempt, self.clock()))
        self.executor.start(self.stage, attempt)

    def look(self, attempt: int = 1, after_s: float = MAX_POLL_S) -> Look:
        self.clock.sleep(after_s)
        return self.executor.look(self.stage, attempt)

    def pod(self, phase: str, state: dict[str, Any], *, node: str = "node-a", **status: Any) -> None:
        """Without an owner: it stays when its Job is deleted, as one does that saves a checkpoint."""
        job = self.api.get("jobs", JOB)
        metadata = {"name": POD, "labels": job["spec"]["template"]["metadata"]["labels"]}
        container = {"name": names.CONTAINER, "state": state, "imageID": "image@sha256:1"}
        spec = {**job["spec"]["template"]["spec"], **({"nodeName": node} if node else {})}
        status = {"phase": phase, "containerStatuses": [container], **status}
        self.api.put("pods", {"metadata": metadata, "spec": spec, "status": status})

    def rank_begins(self) -> None:
        atomic.write_text(layout.pid_file(layout.status_folder(self.folder, 1), layout.rank_name(0)), "7")

    def created(self) -> list[str]:
        return [name for verb, resource, name in self.api.calls if (verb, resource) == ("create", "jobs")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    kubernetes = KubernetesSpec(namespace="lab", image="registry/sphereface:1", start_deadline_s=DEADLINE_S)
    spec = RunSpec("demo", storage=str(tmp_path), stages=("train",), kubernetes=kubernetes)
    return World(make_plan(spec), FakeApi("lab"), FakeClock())


def test_an_attempt_is_a_job_that_goes_with_the_plan(world: World) -> None:
    world.start()

    job = world.api.get("jobs", JOB)
    plan_map = world.api.get("configmaps", "demo-plan")
    assert job["metadata"]["labels"][names.LABEL_ATTEMPT] == "1"
    assert job["spec"]["template"]["metadata"]["labels"][names.LABEL_ATTEMPT] == "1"
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "demo-plan", "uid": plan_map["metadata"]["uid"]}
    assert job["metadata"]["ownerReferences"] == [owner]
    assert world.look() == Look(ended=False)


def test_it_works_once_its_container_runs_and_its_ranks_have_begun(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    assert world.look() == Look(ended=False, working=False, node="node-a", image="image@sha256:1")

    world.rank_begins()

    assert world.look() == Look(ended=False, working=True, node="node-a", image="image@sha256:1")


def test_a_pod_that_runs_costs_one_call_a_look(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.look()
    world.api.calls.clear()

    world.look()

    assert [(verb, resource) for verb, resource, _ in world.api.calls] == [("list", "pods")]


def test_looks_become_rarer_with_age(world: World) -> None:
    world.start()
    world.look()
    world.api.calls.clear()
    world.look(after_s=POLL_S / 2)
    assert world.api.calls == []
    world.look(after_s=POLL_S)
    assert world.api.calls != []
    world.clock.sleep(1000)
    world.look()
    world.api.calls.clear()
    world.look(after_s=MAX_POLL_S - 0.1)
    assert world.api.calls == []


@pytest.mark.parametrize("code", [0, 1, 42])
def test_its_end_has_the_exit_code(world: World, code: int) -> None:
    world.start()
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
    world.pod("Failed" if code else "Succeeded", state)
    seen = world.look()
    assert (seen.ended, seen.exit_code, seen.reason, seen.node) == (True, code, "", "node-a")
    world.api.objects.clear()
    assert world.look() == seen, "what has ended is not looked at again"


def test_another_runner_goes_on_with_the_job_that_is_there(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.rank_begins()
    world.executor = world.another()

    assert world.look().working
    assert world.created() == [JOB]


def test_a_job_that_the_last_runner_did_not_come_to_make_is_made(world: World) -> None:
    assert record.begin_attempt(world.folder, Attempt(1, world.clock()))

    assert world.look() == Look(ended=False)

    assert world.created() == [JOB]


def test_a_job_that_was_begun_and_is_gone_was_deleted(world: World) -> None:
    record.write_attempt(world.folder, Attempt(1, world.clock(), pid=1))
    assert world.look().reason == "JobDeleted"
    assert world.created() == []


def test_a_job_that_goes_while_it_is_watched_was_deleted(world: World) -> None:
    world.start()
    world.look()
    world.api.delete("jobs", JOB)
    seen = world.look()
    assert (seen.ended, seen.reason) == (True, "JobDeleted")


def test_of_two_runners_the_second_takes_the_job_of_the_first(world: World) -> None:
    world.start()
    second = world.another()
    second.start(world.stage, 1)
    assert second.look(world.stage, 1) == Look(ended=False)


def test_a_job_of_another_plan_is_left_alone(world: World) -> None:
    job = render.stage_manifests(world.plan)["train"]
    job["metadata"]["annotations"][names.ANNOTATION_PLAN_HASH] = "other"
    world.api.put("jobs", job)

    world.start()

    seen = world.look()
    assert (seen.ended, seen.reason) == (True, "StartFailed")
    assert JOB in seen.message
    assert ("jobs", JOB) in world.api.objects


@pytest.mark.parametrize("verb", ["create", "get", "list"])
def test_a_cluster_that_does_not_answer_is_waited_for(world: World, verb: str) -> None:
    resource = {"create": "jobs", "get": "configmaps", "list": "pods"}[verb]
    world.api.fail(verb, resource, Unreachable("no answer"), times=3)
    world.start()
    for _ in range(3):
        assert world.look() == Look(ended=False)
    world.pod("Running", {"running": {}})
    world.rank_begins()
    assert world.look().working


def test_what_was_seen_holds_while_the_cluster_does_not_answer(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.rank_begins()
    seen = world.look()
    world.api.fail("list", "pods", Unreachable("no answer"), times=2)
    assert [world.look(), world.look()] == [seen, seen]
    assert capsys.readouterr().err.count("no answer") == 1
    world.executor = world.another()
    world.api.fail("list", "pods", Unreachable("no answer"))
    assert world.look() == Look(ended=False, working=True), "a new runner sees the ranks on the storage"


def test_a_quota_on_jobs_is_waited_for_and_told(world: World) -> None:
    refused = ApiError('jobs.batch "demo-train-1" is forbidden: exceeded quota: few', 403, "Forbidden")
    world.api.fail("create", "jobs", refused, times=2)
    world.start()
    assert (world.look().ended, world.look().reason) == (False, "")
    assert world.created() == [JOB] * 3


def test_a_right_that_is_missing_ends_the_attempt(world: World) -> None:
    refused = ApiError('jobs.batch is forbidden: User "x" cannot create resource "jobs"', 403, "Forbidden")
    world.api.fail("create", "jobs", refused, times=99)
    world.start()
    assert (world.look().ended, world.look().reason) == (False, "Forbidden")
    seen = world.look(after_s=SETTLE_S)
    assert (seen.ended, seen.reason) == (True, "Forbidden")


def test_a_job_that_the_cluster_cannot_read_is_not_asked_for_again(world: World) -> None:
    world.api.fail("create", "jobs", ApiError("spec.template: Invalid value", 422, "Invalid"))
    world.start()
    seen = world.look()
    assert (seen.ended, seen.reason, seen.message) == (True, "StartFailed", "spec.template: Invalid value")


def test_a_pod_that_does_not_start_in_time_is_given_up_with_what_it_waited_for(world: World) -> None:
    world.start()
    world.pod("Pending", PULLING)
    waiting = world.look()
    assert (waiting.ended, waiting.reason) == (False, "ImagePullDenied")
    world.clock.sleep(DEADLINE_S)
    seen = world.look()
    assert (seen.ended, seen.reason) == (True, "NotStarted")
    assert "ImagePullDenied" in seen.message
    assert ("jobs", JOB) not in world.api.objects


def test_the_time_in_which_nobody_could_look_is_not_charged(world: World) -> None:
    world.start()
    world.pod("Pending", PULLING)
    world.look()
    world.api.fail("list", "pods", Unreachable("no answer"))
    world.look(after_s=DEADLINE_S)
    assert world.look().reason == "ImagePullDenied"
    assert world.look(after_s=DEADLINE_S).reason == "NotStarted"


def test_a_suspended_job_is_not_late(world: World) -> None:
    world.start()
    job = world.api.get("jobs", JOB)
    job["spec"]["suspend"] = True
    world.api.put("jobs", job)
    assert world.look(after_s=10 * DEADLINE_S).reason == "Suspended"


def held(world: World, **status: Any) -> None:
    """As Kueue does with a Job that has a queue's label."""
    job = world.api.get("jobs", JOB)
    job["metadata"]["labels"][names.LABEL_QUEUE] = "team-a"
    world.api.put("jobs", {**job, "spec": {**job["spec"], "suspend": True}, "status": status})


def test_a_job_that_its_queue_holds_back_is_not_late(world: World) -> None:
    world.start()
    held(world)
    seen = world.look(after_s=10 * DEADLINE_S)
    assert (seen.ended, seen.reason, seen.message) == (False, "QueuedForQuota", "waits for quota in queue team-a")
    # Let go, but the Job's controller has not come to it yet.
    job = world.api.get("jobs", JOB)
    suspended = {"type": "Suspended", "status": "True"}
    world.api.put("jobs", {**job, "spec": {**job["spec"], "suspend": False}, "status": {"conditions": [suspended]}})
    assert not world.look().ended


def test_a_stage_whose_quota_is_taken_back_has_another_attempt(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.rank_begins()
    assert world.look().working
    held(world)
    pod = world.api.get("pods", POD)
    world.api.put("pods", {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:01:00Z"}})
    going = world.look()
    assert (going.ended, going.reason) == (False, "Preempted"), "it saves its checkpoint"
    world.api.delete("pods", POD)
    seen = world.look()
    assert (seen.ended, seen.reason, seen.message) == (True, "Preempted", TAKEN_BACK)
    assert ("jobs", JOB) not in world.api.objects, "it would come again beside the next attempt"


def test_a_stage_that_was_done_when_its_quota_was_taken_back_is_done(world: World) -> None:
    world.start()
    world.rank_begins()
    world.pod("Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed"}})
    held(world)
    assert (world.look().exit_code, world.look().reason) == (0, "")


def test_what_no_waiting_mends_is_not_waited_for(world: World) -> None:
    world.start()
    world.pod("Pending", WRONG_NAME)
    assert not world.look().ended
    seen = world.look(after_s=SETTLE_S)
    assert (seen.ended, seen.reason) == (True, "InvalidImageName")
    assert ("jobs", JOB) not in world.api.objects


def test_a_stopped_attempt_ends_when_its_pod_has(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.look()

    world.executor.stop(world.stage, 1)

    assert not world.look().ended
    assert ("jobs", JOB) not in world.api.objects

    world.api.delete("pods", POD)
    seen = world.look()
    assert (seen.ended, seen.reason) == (True, "CancelledByUser")


def test_a_stopped_attempt_on_a_silent_node_ends_after_its_grace(world: World) -> None:
    world.start()
    world.pod("Running", {"running": {}})
    world.executor.stop(world.stage, 1)
    assert not world.look().ended
    assert world.look(after_s=STOP_S).ended


def test_why_a_pod_was_ended_is_remembered_when_it_is_gone(world: World) -> None:
    world.start()
    evicted = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "for x"}
    world.pod("Running", {"running": {}}, conditions=[evicted])
    going = world.look()
    assert (going.ended, going.reason, going.message) == (False, "Preempted", "for x")
    world.api.delete("pods", POD)
    job = world.api.get("jobs", JOB)
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    world.api.put("jobs", job)
    seen = world.look()
    assert (seen.ended, seen.reason, seen.message, seen.node) == (True, "Preempted", "for x", "node-a")
