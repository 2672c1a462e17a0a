from __future__ import annotations

import copy
from typing import Any

import pytest

from launcher import names, render, targets
from launcher.errors import UsageError
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec

Json = dict[str, Any]
OTHERS = [target for target in targets.TARGETS if target != targets.JOB]


def plan(device: str = "ascend910b", nodes: int = 2, **kubernetes: Any) -> Plan:
    given = {"namespace": "lab", "image": "registry/sphereface:1", **kubernetes}
    return make_plan(
        RunSpec("demo", device=device, devices=8, nodes=nodes, storage="/storage", kubernetes=KubernetesSpec(**given))
    )


def templates(things: list[Json]) -> list[Json]:
    """Pod templates, wherever they are."""
    found: list[Json] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "containers" in value.get("spec", {}):
                found.append(value)
            for part in value.values():
                look(part)
        elif isinstance(value, list):
            for part in value:
                look(part)

    look(things)
    return found


@pytest.mark.parametrize("target", OTHERS)
def test_pods_of_a_target_are_those_of_our_own_job(target: str) -> None:
    made = plan()
    ours = render.stage_manifests(made)["train"]["spec"]["template"]["spec"]
    for template in templates(targets.manifests(made, target)):
        spec = template["spec"]
        assert spec["securityContext"] == ours["securityContext"]
        (container,), (own,) = spec["containers"], ours["containers"]
        for same in ("image", "command", "resources", "securityContext"):
            assert container[same] == own[same]
        assert container["args"] == [*own["args"], "--plan", "/etc/launcher/plan.json"]
        assert {"name": "plan", "configMap": {"name": "demo-plan"}} in spec["volumes"]
        assert "subdomain" not in spec


@pytest.mark.parametrize(
    ("target", "kinds"),
    [("vcjob", ["Job"]), ("ascendjob", ["AscendJob"]), ("trainjob", ["TrainingRuntime", "TrainJob"])],
)
def test_the_plan_comes_first_then_one_stage(target: str, kinds: list[str]) -> None:
    first, *others = targets.manifests(plan(), target)
    assert first == render.manifests(plan())[0]
    assert [thing["kind"] for thing in others] == kinds
    assert {thing["metadata"]["name"] for thing in others} == {"demo-train"}
    assert {thing["metadata"]["namespace"] for thing in others} == {"lab"}


def test_volcano_waits_for_all_pods_in_its_queue() -> None:
    (_, job) = targets.manifests(plan(queue="team-a"), "vcjob")
    spec = job["spec"]
    assert (spec["queue"], spec["minAvailable"], spec["tasks"][0]["replicas"]) == ("team-a", 2, 2)
    assert names.LABEL_QUEUE not in job["metadata"]["labels"]
    env = spec["tasks"][0]["template"]["spec"]["containers"][0]["env"]
    assert {"name": names.ENV_SERVICE, "value": "demo-train"} in env
    assert targets.manifests(plan(), "vcjob")[1]["spec"]["queue"] == "default"


def test_the_scheduler_of_an_ascend_job_is_its_first_pod() -> None:
    (_, job) = targets.manifests(plan(queue="team-a"), "ascendjob")
    replicas = job["spec"]["replicaSpecs"]
    assert {name: part["replicas"] for name, part in replicas.items()} == {"Scheduler": 1, "Worker": 1}
    assert job["metadata"]["labels"]["framework"] == "mindspore"
    assert job["metadata"]["labels"]["ring-controller.atlas"] == "ascend-910b"
    assert job["spec"]["runPolicy"]["schedulingPolicy"] == {"minAvailable": 2, "queue": "team-a"}
    assert replicas["Worker"]["template"]["spec"]["containers"][0]["name"] == "ascend"
    (_, alone) = targets.manifests(plan(nodes=1), "ascendjob")
    assert list(alone["spec"]["replicaSpecs"]) == ["Scheduler"]


def test_a_train_job_waits_in_a_queue_of_kueue() -> None:
    (_, runtime, job) = targets.manifests(plan(queue="team-a"), "trainjob")
    assert job["metadata"]["labels"][names.LABEL_QUEUE] == "team-a"
    assert names.LABEL_QUEUE not in runtime["metadata"]["labels"]
    assert job["spec"]["runtimeRef"] == {"kind": "TrainingRuntime", "name": "demo-train"}
    assert job["spec"]["trainer"]["numNodes"] == runtime["spec"]["mlPolicy"]["numNodes"] == 2
    assert job["spec"]["trainer"]["resourcesPerNode"]["limits"]["huawei.com/Ascend910"] == "8"


def test_a_later_stage_is_asked_for_by_name() -> None:
    (_, job) = targets.manifests(plan(), "vcjob", "evaluate")
    assert (job["metadata"]["name"], job["spec"]["minAvailable"]) == ("demo-evaluate", 1)
    with pytest.raises(UsageError, match="has no stage 'infer'; it has train, evaluate, export"):
        targets.manifests(plan(), "vcjob", "infer")


def test_rendering_changes_nothing_of_the_plan() -> None:
    made = plan()
    before = copy.deepcopy(render.stage_manifests(made))
    for target in OTHERS:
        assert targets.manifests(made, target) == targets.manifests(made, target)
    assert render.stage_manifests(made) == before
