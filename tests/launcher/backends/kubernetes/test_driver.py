"""The runner's process, with a cluster in a dictionary that carries every stage's Job out at once."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from launcher import marker, names, record, render, status
from launcher.backends.kubernetes.driver import drive
from launcher.errors import ApiError, Unreachable
from launcher.facts import Attempt
from launcher.plan import Plan, make_plan
from launcher.resize import Resize
from launcher.spec import KubernetesSpec, RunSpec, StagePolicy
from launcher.states import State
from launcher.status import RunStatus
from runfolder import atomic, layout
from tests.launcher.backends.kubernetes.fake_api import FakeApi

QUICK = StagePolicy(retries=1, backoff_s=0.1)


class FakeCluster(FakeApi):
    """`codes` are the exit codes of stages' first attempts; without one a stage completes, with None it never ends."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("lab")
        self.plan = plan
        self.codes: dict[str, int | None] = {}
        for thing in render.manifests(plan):
            resource = {"ConfigMap": "configmaps", "Job": "jobs"}.get(thing["kind"])
            if resource:
                self.put(resource, thing)
        self.calls.clear()

    def create(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        made = super().create(resource, body)
        labels = body["metadata"]["labels"]
        stage, attempt = labels[names.LABEL_STAGE], int(labels[names.LABEL_ATTEMPT])
        code = self.codes.get(stage, 0) if attempt == 1 else 0
        self._carry_out(stage, attempt, code)
        ends = {None: "Running", 0: "Succeeded"}
        state: dict[str, Any] = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        pod = {
            "metadata": {
                "name": f"{body['metadata']['name']}-x",
                "labels": labels,
                "ownerReferences": [{"uid": made["metadata"]["uid"]}],
            },
            "spec": {"nodeName": "node-a"},
            "status": {
                "phase": ends.get(code, "Failed"),
                "containerStatuses": [{"name": names.CONTAINER, "state": state, "imageID": "i@sha256:1"}],
            },
        }
        self.put("pods", pod)
        return made

    def _carry_out(self, stage: str, attempt: int, code: int | None) -> None:
        folder = layout.stage_folder(Path(self.plan.folder), stage)
        if code is None:
            record.write_attempt(folder, Attempt(attempt, 1.0, pid=1))
            return
        if code == 0:
            planned = self.plan.stage(stage)
            files = [pattern.replace("*", "0-1_1") for pattern in planned.artifacts]
            for file in files:
                atomic.write_text(folder / file, "content")
            result = {"schema": 1, "stage": stage, "metrics": {"by": stage}, "files": files}
            atomic.write_json(folder / layout.RESULT, result)
            marker.write_marker(folder, marker.make_marker(folder, planned, self.plan.hash, attempt))
        record.write_attempt(folder, Attempt(attempt, 1.0, 2.0, code, message="said why" if code else ""))

    @property
    def published(self) -> RunStatus:
        return status.from_json(json.loads(self.get("configmaps", "demo-status")["data"][names.STATUS_KEY]))

    def jobs(self) -> list[str]:
        """Those that were made, in order."""
        return [name for verb, resource, name in self.calls if (verb, resource) == ("create", "jobs")]

    def ask(self, annotation: str, value: str | None) -> None:
        body = {"metadata": {"annotations": {annotation: value}}}
        self.put("configmaps", {**self.patch("configmaps", "demo-status", body)})


@dataclass(frozen=True)
class World:
    plan: Plan
    api: FakeCluster

    def drive(self) -> int:
        return drive(self.plan, render.stage_manifests(self.plan), self.api)

    @property
    def folder(self) -> Path:
        return Path(self.plan.folder)


@pytest.fixture
def world(tmp_path: Path) -> World:
    stages = ("train", "evaluate", "export")
    kubernetes = KubernetesSpec(namespace="lab", image="registry/sphereface:1")
    policy = dict.fromkeys(stages, QUICK)
    spec = RunSpec("demo", storage=str(tmp_path), stages=stages, kubernetes=kubernetes, policy=policy)
    plan = make_plan(spec)
    return World(plan, FakeCluster(plan))


def test_a_run_is_driven_to_its_end_and_everybody_can_see_it(world: World) -> None:
    assert world.drive() == 0

    assert world.api.jobs() == ["demo-train-1", "demo-evaluate-1", "demo-export-1"]
    seen = world.api.published
    assert (seen.state, seen.backend, seen.folder) == (State.SUCCEEDED, "kubernetes", str(world.folder))
    assert [stage.state for stage in seen.stages] == [State.SUCCEEDED] * 3
    assert [stage.metrics for stage in seen.stages] == [{"by": name} for name in ("train", "evaluate", "export")]
    summary = world.api.get("configmaps", "demo-status")["metadata"]["annotations"][names.ANNOTATION_SUMMARY]
    assert status.from_json(json.loads(summary)).state is State.SUCCEEDED
    assert world.api.get("jobs", "demo-runner")["spec"]["backoffLimit"] > 0


def test_another_runner_after_the_end_only_tells_it_again(world: World) -> None:
    world.drive()
    before = world.api.published
    world.api.ask(names.ANNOTATION_SUMMARY, None)
    made = world.api.jobs()

    assert world.drive() == 0

    assert world.api.jobs() == made
    assert world.api.published == before
    assert names.ANNOTATION_SUMMARY in world.api.get("configmaps", "demo-status")["metadata"]["annotations"]


def test_a_failed_run_makes_its_runner_a_failed_job(world: World) -> None:
    world.api.codes["train"] = 42

    assert world.drive() == 1

    assert world.api.jobs() == ["demo-train-1"]
    seen = world.api.published
    assert (seen.state, seen.reason, seen.message) == (State.FAILED, "ConfigurationError", "said why")
    assert world.api.get("jobs", "demo-runner")["spec"]["backoffLimit"] == 0


def test_a_failed_attempt_is_made_again_under_the_next_number(world: World) -> None:
    world.api.codes["evaluate"] = 1
    assert world.drive() == 0
    assert world.api.jobs() == ["demo-train-1", "demo-evaluate-1", "demo-evaluate-2", "demo-export-1"]


def test_a_run_that_somebody_cancelled_stops_its_stage(world: World) -> None:
    world.api.codes["train"] = None
    world.api.ask(names.ANNOTATION_CANCEL, "2026-01-01T00:00:00Z")

    assert world.drive() == 1

    assert (world.api.published.state, world.api.published.reason) == (State.CANCELLED, "CancelledByUser")
    assert ("jobs", "demo-train-1") not in world.api.objects


def test_a_larger_number_of_resumes_goes_on_once(world: World) -> None:
    world.api.codes["train"] = 42
    assert world.drive() == 1
    world.api.ask(names.ANNOTATION_RESUME, "1")

    assert world.drive() == 0

    assert world.api.jobs() == ["demo-train-1", "demo-train-2", "demo-evaluate-1", "demo-export-1"]
    kept = record.read_run(world.folder)
    assert kept is not None
    assert (kept.resumes, kept.stage("train").forgiven) == (1, 1)


def test_it_goes_on_with_the_devices_that_were_asked_for(world: World) -> None:
    world.api.codes["train"] = 42
    assert world.drive() == 1
    world.api.ask(names.ANNOTATION_RESUME, "1")
    world.api.ask(names.ANNOTATION_RESIZE, '{"devices": 2, "nodes": null, "scale": true}')

    assert world.drive() == 0

    kept = record.read_run(world.folder)
    assert kept is not None
    assert (kept.devices, kept.resize) == (2, Resize(2, scale=True))
    assert world.api.published.devices == 2
    assert record.effective_plan(world.folder).stage("train").processes == 2
    assert record.read_plan(world.folder) == world.plan
    events = [json.loads(line) for line in (world.folder / layout.EVENTS).read_text().splitlines()]
    assert [(each["was"], each["ranks"]) for each in events if each["event"] == "RunResized"] == [(1, 2)]


def test_a_storage_that_holds_another_run_of_that_name_is_left_alone(world: World) -> None:
    other = make_plan(RunSpec("demo", storage=str(world.folder.parents[1]), stages=("train",)))
    record.write_plan(world.folder, other)
    before = sorted(world.folder.rglob("*"))

    assert world.drive() == 1

    seen = world.api.published
    assert (seen.state, seen.reason) == (State.FAILED, "StorageConflict")
    assert world.api.jobs() == []
    assert sorted(world.folder.rglob("*")) == before
    assert world.api.get("jobs", "demo-runner")["spec"]["backoffLimit"] == 0


def test_a_storage_that_takes_nothing_is_told(world: World) -> None:
    world.folder.parent.touch()
    assert world.drive() == 1
    assert (world.api.published.state, world.api.published.reason) == (State.FAILED, "StorageFull")


def test_a_record_that_cannot_be_read_is_told(world: World) -> None:
    record.write_plan(world.folder, world.plan)
    (world.folder / layout.RUN).write_text("{half")
    assert world.drive() == 1
    assert (world.api.published.state, world.api.published.reason) == (State.FAILED, "RecordUnreadable")


def test_a_run_whose_stages_were_done_before_needs_no_job(world: World) -> None:
    world.drive()
    fresh = replace(world, api=FakeCluster(world.plan))

    assert fresh.drive() == 0

    assert fresh.api.jobs() == []
    assert fresh.api.published.state is State.SUCCEEDED


def test_a_cluster_that_does_not_answer_at_first_is_for_the_next_runner(world: World) -> None:
    world.api.fail("get", "configmaps", Unreachable("no answer"))
    with pytest.raises(Unreachable):
        world.drive()
    assert not world.folder.exists()


def test_a_cluster_that_takes_the_status_only_later_gets_it(world: World) -> None:
    world.api.fail("patch", "configmaps", Unreachable("no answer"), times=2)
    assert world.drive() == 0
    assert world.api.published.state is State.SUCCEEDED


def test_a_runner_that_may_not_publish_still_ends_with_its_run(world: World) -> None:
    world.api.fail("patch", "configmaps", ApiError("configmaps is forbidden", 403, "Forbidden"), times=99)
    assert world.drive() == 0
    kept = record.read_run(world.folder)
    assert kept is not None
    assert kept.state is State.SUCCEEDED


def test_without_a_plan_it_ends_in_one_line_for_another_runner(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "launcher.backends.kubernetes.driver", "--plan", str(tmp_path / "plan.json")]

    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 70
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
