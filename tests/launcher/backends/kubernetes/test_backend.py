"""The backend on a fake API; that a real one answers so is shown in tests/cluster/test_backend.py."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from launcher import names, status, targets
from launcher.backends.kubernetes import run_status
from launcher.backends.kubernetes.backend import KubernetesBackend
from launcher.backends.kubernetes.ending import Patience
from launcher.errors import ApiError, BackendError, Conflict, NotFound, SpecError, UsageError
from launcher.plan import Plan, make_plan
from launcher.resize import Resize
from launcher.spec import KubernetesSpec, RunSpec
from launcher.states import State
from launcher.status import RunStatus, StageStatus
from tests.launcher.backends.kubernetes.fake_api import FakeApi

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z, when FakeApi makes everything


@dataclass
class Cluster:
    """A FakeApi, a clock, and what happens to its objects while somebody waits."""

    api: FakeApi = field(default_factory=FakeApi)
    now: float = NOW
    meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    @property
    def backend(self) -> KubernetesBackend:
        return KubernetesBackend(self.api, lambda: self.now, Patience(lambda: self.now, self.sleep))

    def state(self, run: str = "demo") -> tuple[str, str]:
        (seen,) = self.backend.observe(run)
        return seen.state.value, seen.reason

    def runner_pod(self, phase: str, **more: Any) -> None:
        containers = [{"name": "stage", "state": {"running": {}}}] if phase == "Running" else []
        if phase == "Failed":
            containers = [{"name": "stage", "state": {"terminated": {"exitCode": 1, "message": "boom"}}}]
        job = self.api.objects[("jobs", "demo-runner")]
        self.api.put(
            "pods",
            {
                "metadata": {
                    "name": "demo-runner-x",
                    "labels": names.labels("demo", names.RUNNER),
                    "ownerReferences": [{"uid": job["metadata"]["uid"]}],
                },
                "spec": {"nodeName": "node-a", "containers": [{"name": "stage", "image": "i"}]},
                "status": {"phase": phase, "containerStatuses": containers, **more},
            },
        )

    def publish(self, state: State, *, attempts: int = 1, train: State = State.RUNNING) -> RunStatus:
        made = run_status.read_plan(self.api, "demo")
        run = run_status.initial(made, NOW)
        stages = (StageStatus("train", train, attempts=attempts), *run.stages[1:])
        told = dataclasses.replace(run, state=state, ended=self.now if state.terminal else None, stages=stages)
        run_status.publish(self.api, told)
        return told

    def stage_job(self) -> None:
        labels = names.labels("demo", names.STAGE, "train", 1)
        job = self.api.put("jobs", {"metadata": {"name": "demo-train-1", "labels": labels}, "spec": {}})
        owner = [{"uid": job["metadata"]["uid"]}]
        pod = {"metadata": {"name": "demo-train-1-x", "labels": labels, "ownerReferences": owner}, "spec": {}}
        self.api.put("pods", {**pod, "status": {"phase": "Running"}})


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def plan(name: str = "demo", **changes: Any) -> Plan:
    spec = RunSpec(name, storage="/storage", kubernetes=KubernetesSpec(namespace="lab"))
    return make_plan(dataclasses.replace(spec, **changes))


PARTS = [
    ("configmaps", "demo-plan"),
    ("serviceaccounts", "demo-runner"),
    ("roles", "demo-runner"),
    ("rolebindings", "demo-runner"),
    ("configmaps", "demo-status"),
    ("jobs", "demo-runner"),
]


# Submitting.


def test_submit_creates_the_parts_of_a_run_in_order_and_the_second_time_nothing(cluster: Cluster) -> None:
    assert cluster.backend.submit(plan()).outcome == "created"
    assert list(cluster.api.objects) == PARTS
    before = dict(cluster.api.objects)
    again = cluster.backend.submit(plan())
    assert (again.outcome, again.state) == ("unchanged", "Pending")
    assert cluster.api.objects == before


@pytest.mark.parametrize("there", range(1, len(PARTS)))
def test_a_submit_that_was_killed_is_completed_by_the_next(there: int, cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    for part in PARTS[there:]:
        del cluster.api.objects[part]
    assert cluster.backend.submit(plan()).outcome == "created"
    assert sorted(cluster.api.objects) == sorted(PARTS)


def test_another_plan_under_the_name_is_refused_with_the_keys_that_differ(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    with pytest.raises(Conflict, match=r"run 'demo' exists with another plan, which differs in train.lr; "):
        cluster.backend.submit(plan(train={"lr": 0.5}))


@pytest.mark.parametrize(("resource", "name"), PARTS)
def test_what_is_somebody_elses_is_left_alone(resource: str, name: str, cluster: Cluster) -> None:
    cluster.api.put(resource, {"metadata": {"name": name}})
    with pytest.raises(Conflict, match=rf"{name} exists in the namespace and is no part of a run 'demo'"):
        cluster.backend.submit(plan())
    assert list(cluster.api.objects) == [(resource, name)], "and nothing half-made is left"


def test_a_right_that_is_missing_leaves_nothing_behind(cluster: Cluster) -> None:
    cluster.api.fail("create", "roles", ApiError("roles is forbidden: User may not", 403, "Forbidden"))
    with pytest.raises(ApiError, match="may not"):
        cluster.backend.submit(plan())
    assert cluster.api.objects == {}


def test_a_plan_for_another_namespace_is_not_sent(cluster: Cluster) -> None:
    with pytest.raises(BackendError, match="planned for namespace other, not lab"):
        cluster.backend.submit(plan(kubernetes=KubernetesSpec(namespace="other")))


# Looking.


def test_no_such_run(cluster: Cluster) -> None:
    for name in ("demo", "../pods/x", "Demo"):
        with pytest.raises(NotFound, match="in namespace lab; `launcher list` shows"):
            cluster.backend.observe(name)


def test_before_its_runner_a_run_is_pending_with_the_reason_of_that(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    assert cluster.state() == ("Pending", "")
    refused = {"kind": "Job", "name": "demo-runner"}
    message = 'pods "x" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1'
    event = {"metadata": {"name": "e"}, "involvedObject": refused, "reason": "FailedCreate", "message": message}
    cluster.api.put("events", event)
    assert cluster.state() == ("Pending", "QuotaExceeded")
    (seen,) = cluster.backend.observe("demo")
    assert "exceeded quota" in seen.message or "quota" in seen.message


def test_after_its_start_deadline_a_run_counts_as_failed_and_nothing_is_written(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    before = dict(cluster.api.objects)
    cluster.now += 901
    (seen,) = cluster.backend.observe("demo")
    assert (seen.state, seen.reason) == (State.FAILED, "NotStarted")
    assert "did not start within 900 s" in seen.message
    assert cluster.api.objects == before


def test_what_the_runner_published_is_shown_with_where_it_was_seen(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    assert cluster.state() == ("Starting", "")
    told = cluster.publish(State.RUNNING)
    assert cluster.backend.observe("demo") == (dataclasses.replace(told, namespace="lab"),)


def test_of_a_run_that_ended_one_object_is_read(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.SUCCEEDED)
    cluster.api.calls.clear()
    assert cluster.state() == ("Succeeded", "")
    assert cluster.api.calls == [("get", "configmaps", "demo-status")]


def test_a_run_whose_runner_was_taken_away_is_unknown(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.RUNNING)
    cluster.api.delete("jobs", "demo-runner")
    (seen,) = cluster.backend.observe("demo")
    assert (seen.state, seen.reason, seen.stages[0].state) == (State.UNKNOWN, "SupervisorLost", State.UNKNOWN)
    assert "its runner is gone" in seen.message


def test_an_end_that_is_told_between_two_looks_is_seen(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.RUNNING)
    cluster.api.delete("jobs", "demo-runner")
    real = cluster.api.get

    def get(resource: str, name: str) -> dict[str, Any]:
        found = None
        try:
            found = real(resource, name)
        finally:
            if resource == "jobs":
                cluster.publish(State.SUCCEEDED, train=State.SUCCEEDED)
        return found

    cluster.api.get = get  # type: ignore[method-assign]
    assert cluster.state() == ("Succeeded", "")


def test_while_a_new_runner_starts_the_run_goes_on(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.RUNNING)
    cluster.runner_pod("Failed")
    assert cluster.state() == ("Running", "")


def test_what_cannot_be_read_is_shown_so_that_it_can_be_deleted(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.api.patch("configmaps", "demo-status", {"data": {names.STATUS_KEY: "{"}})
    cluster.runner_pod("Running")
    assert cluster.state() == ("Unknown", "RecordUnreadable")


def test_a_status_that_was_deleted_by_hand_comes_back(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    cluster.api.delete("configmaps", "demo-status")
    (seen,) = cluster.backend.observe("demo")
    assert (seen.state, "status ConfigMap was deleted" in seen.message) == (State.UNKNOWN, True)
    cluster.backend.submit(plan())
    assert ("configmaps", "demo-status") in cluster.api.objects


def test_a_run_that_another_operator_carries_out_is_left_to_it(cluster: Cluster) -> None:
    cluster.api.create("configmaps", targets.manifests(plan(), "vcjob")[0])
    before = dict(cluster.api.objects)
    (seen,) = cluster.backend.observe("demo")
    assert (seen.state, seen.reason) == (State.UNKNOWN, "OtherOperator")
    assert "kubectl get vcjob/demo-train" in seen.message
    refused = (
        lambda: cluster.backend.submit(plan()),
        lambda: cluster.backend.submit("demo", resume=True),
        lambda: cluster.backend.cancel("demo"),
    )
    for call in refused:
        with pytest.raises(Conflict, match="kubectl delete vcjob/demo-train; 'launcher delete demo' then frees"):
            call()
    assert cluster.api.objects == before
    assert cluster.backend.delete("demo")
    assert cluster.backend.submit(plan()).outcome == "created"


def test_list_is_oldest_first_and_true_for_those_that_nobody_drives(cluster: Cluster) -> None:
    cluster.backend.submit(plan("b-waits"))
    cluster.backend.submit(plan())
    cluster.publish(State.SUCCEEDED)
    cluster.backend.submit(plan("c-lost"))
    cluster.api.delete("jobs", "c-lost-runner")
    found = cluster.backend.observe()
    assert [(run.run, run.state.value, run.namespace) for run in found] == [
        ("b-waits", "Pending", "lab"),
        ("c-lost", "Unknown", "lab"),
        ("demo", "Succeeded", "lab"),
    ]


def test_a_list_of_runs_that_are_over_is_one_call(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.FAILED)
    cluster.api.calls.clear()
    assert [run.run for run in cluster.backend.observe()] == ["demo"]
    assert [call[0] for call in cluster.api.calls if call[0] == "request"] == ["request"]


# Going on.


def test_a_runner_that_was_lost_is_replaced_by_the_next_submit(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.RUNNING)
    cluster.api.delete("jobs", "demo-runner")
    assert cluster.backend.submit(plan()).outcome == "resumed"
    assert ("jobs", "demo-runner") in cluster.api.objects
    map_ = cluster.api.objects[("configmaps", "demo-status")]
    assert names.ANNOTATION_RESUME not in map_["metadata"]["annotations"]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_resume_of_a_run_that_ended(state: State, cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(state, train=State.FAILED)
    cluster.api.patch("configmaps", "demo-status", {"metadata": {"annotations": {names.ANNOTATION_CANCEL: "x"}}})
    old = cluster.api.objects[("jobs", "demo-runner")]["metadata"]["uid"]
    assert cluster.backend.submit(plan()).outcome == "unchanged"
    assert cluster.backend.submit("demo", resume=True).outcome == "resumed"
    annotations = cluster.api.objects[("configmaps", "demo-status")]["metadata"]["annotations"]
    assert annotations[names.ANNOTATION_RESUME] == "1"
    assert names.ANNOTATION_CANCEL not in annotations
    assert cluster.api.objects[("jobs", "demo-runner")]["metadata"]["uid"] != old
    assert cluster.state() == ("Pending", "")


def test_resume_with_other_devices_asks_the_runner_for_them(cluster: Cluster) -> None:
    cluster.backend.submit(plan(devices=4))
    cluster.publish(State.FAILED, train=State.FAILED)
    with pytest.raises(SpecError, match="devices must be one of"):
        cluster.backend.submit("demo", resume=True, resize=Resize(3))
    assert cluster.backend.submit("demo", resume=True, resize=Resize(2)).outcome == "resumed"
    annotations = cluster.api.objects[("configmaps", "demo-status")]["metadata"]["annotations"]
    assert annotations[names.ANNOTATION_RESIZE] == '{"devices": 2, "nodes": null, "scale": false}'


def test_a_run_that_goes_on_keeps_its_devices(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    cluster.publish(State.RUNNING)
    with pytest.raises(UsageError, match="launcher cancel demo"):
        cluster.backend.submit("demo", resume=True, resize=Resize(1))


def test_resume_leaves_what_goes_on_and_what_is_done(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    cluster.publish(State.RUNNING)
    assert cluster.backend.submit("demo", resume=True).outcome == "unchanged"
    cluster.publish(State.SUCCEEDED)
    assert cluster.backend.submit("demo", resume=True).outcome == "unchanged"


def test_resume_of_a_run_that_never_started(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.now += 901
    assert cluster.backend.submit("demo", resume=True).outcome == "resumed"


def test_resume_of_nothing(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        cluster.backend.submit("demo", resume=True)


# Stopping.


def test_cancel_asks_the_runner_and_waits_for_its_word(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    cluster.publish(State.RUNNING)

    def runner() -> None:
        if names.ANNOTATION_CANCEL in cluster.api.objects[("configmaps", "demo-status")]["metadata"]["annotations"]:
            cluster.publish(State.CANCELLED)

    cluster.meanwhile = runner
    assert cluster.backend.cancel("demo")
    assert ("jobs", "demo-runner") in cluster.api.objects
    assert not cluster.backend.cancel("demo"), "it had ended"


def test_cancel_of_a_run_without_a_living_runner(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.RUNNING)
    cluster.runner_pod("Pending")
    cluster.stage_job()
    assert cluster.backend.cancel("demo")
    assert cluster.now >= NOW + 10
    assert sorted(cluster.api.objects) == sorted(part for part in PARTS if part[0] != "jobs")
    (seen,) = cluster.backend.observe("demo")
    assert (seen.state, seen.stages[0].state) == (State.CANCELLED, State.CANCELLED)


def test_cancel_before_the_runner_is_at_once(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    assert cluster.backend.cancel("demo")
    assert cluster.now == NOW
    assert cluster.state() == ("Cancelled", "CancelledByUser")


# Deleting.


def clean(cluster: Cluster, exit_code: int = 0) -> None:
    """The cleaner's Job does its work."""
    if ("jobs", "demo-cleaner") in cluster.api.objects:
        job = cluster.api.objects[("jobs", "demo-cleaner")]
        end = {"type": "Complete" if exit_code == 0 else "Failed", "status": "True"}
        cluster.api.put("jobs", {**job, "status": {"conditions": [end]}})


def test_delete_removes_what_the_run_is_made_of_and_only_that(cluster: Cluster) -> None:
    other = cluster.api.put("configmaps", {"metadata": {"name": "other"}})
    cluster.backend.submit(plan("demo-2"))
    cluster.api.objects.pop(("configmaps", "demo-2-plan"))
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    cluster.publish(State.RUNNING)
    cluster.stage_job()
    cluster.meanwhile = lambda: clean(cluster)
    removed = cluster.backend.delete("demo")
    assert removed[-1] == "configmap/demo-plan", "its name is free when all else is gone"
    assert set(removed) >= {"serviceaccount/demo-runner", "configmap/demo-status"}
    assert ("create", "jobs", "demo-cleaner") in cluster.api.calls
    left = {name for _, name in cluster.api.objects}
    assert left == {"other", "demo-2-runner", "demo-2-status"}
    assert other["metadata"]["name"] in left


def test_delete_of_a_run_that_wrote_nothing_needs_no_cleaner(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.backend.delete("demo")
    assert cluster.api.objects == {}
    assert ("create", "jobs", "demo-cleaner") not in cluster.api.calls


def test_a_folder_that_cannot_be_removed_is_told_and_can_be_tried_again(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.publish(State.SUCCEEDED)
    cluster.meanwhile = lambda: clean(cluster, exit_code=1)
    with pytest.raises(
        BackendError, match=r"its folder /storage/runs/demo could not be removed .*kubectl -n lab delete"
    ):
        cluster.backend.delete("demo")
    with pytest.raises(Conflict, match="is being deleted; 'launcher delete demo' completes that"):
        cluster.backend.submit(plan())
    cluster.meanwhile = lambda: clean(cluster)
    cluster.backend.delete("demo")
    assert cluster.api.objects == {}


def test_a_run_whose_plan_was_taken_away_can_be_deleted(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    del cluster.api.objects[PARTS[0]]
    cluster.backend.delete("demo")
    assert cluster.api.objects == {}
    with pytest.raises(NotFound):
        cluster.backend.delete("demo")


def test_a_pod_that_does_not_end_is_named(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    cluster.runner_pod("Running")
    del cluster.api.objects[("pods", "demo-runner-x")]["metadata"]["ownerReferences"]
    with pytest.raises(BackendError, match="demo-runner-x on node node-a was told to end and has not"):
        cluster.backend.delete("demo")


def test_the_published_status_is_what_status_prints(cluster: Cluster) -> None:
    cluster.backend.submit(plan())
    told = cluster.publish(State.RUNNING)
    text = cluster.api.objects[("configmaps", "demo-status")]["data"][names.STATUS_KEY]
    assert json.loads(text) == status.to_json(told)
