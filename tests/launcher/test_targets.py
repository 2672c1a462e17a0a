from __future__ import annotations

import copy
import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from launcher import names, render, targets
from launcher.errors import UsageError
from launcher.plan import Plan, make_plan
from launcher.spec import DEFAULT_STAGES, STAGES, KubernetesSpec, RunSpec

Json = dict[str, Any]
OTHERS = [target for target in targets.TARGETS if target != targets.JOB]


def plan(device: str = "ascend910b", nodes: int = 2, infer_device: str = "", **kubernetes: Any) -> Plan:
    given = {"namespace": "lab", "image": "registry/sphereface:1", **kubernetes}
    return make_plan(
        RunSpec(
            "demo",
            device=device,
            devices=8,
            nodes=nodes,
            storage="/storage",
            stages=STAGES if infer_device else DEFAULT_STAGES,
            infer310={"infer_device": infer_device},
            kubernetes=KubernetesSpec(**given),
        )
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
        assert spec.get("subdomain") == ("demo-pods" if target == "ascendjob" else None)


@pytest.mark.parametrize(
    ("target", "kinds"),
    [("vcjob", ["Job"]), ("ascendjob", ["AscendJob"]), ("trainjob", ["TrainingRuntime", "TrainJob"])],
)
def test_the_plan_comes_first_then_one_stage(target: str, kinds: list[str]) -> None:
    first, *others = targets.manifests(plan(nodes=1), target)
    assert first["metadata"]["annotations"].pop(names.ANNOTATION_TARGET) == f"{target}/demo-train"
    assert first == render.manifests(plan(nodes=1))[0]
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
    (_, service, job) = targets.manifests(plan(queue="team-a"), "ascendjob")
    replicas = job["spec"]["replicaSpecs"]
    assert {name: part["replicas"] for name, part in replicas.items()} == {"Scheduler": 1, "Worker": 1}
    assert job["metadata"]["labels"]["framework"] == "mindspore"
    assert job["metadata"]["labels"]["ring-controller.atlas"] == "ascend-910b"
    assert job["spec"]["runPolicy"]["schedulingPolicy"] == {"minAvailable": 2, "queue": "team-a"}
    assert replicas["Worker"]["template"]["spec"]["containers"][0]["name"] == "ascend"
    first, others = (replicas[name]["template"]["spec"] for name in ("Scheduler", "Worker"))
    assert (service["kind"], service["spec"]["clusterIP"]) == ("Service", "None")
    assert service["metadata"]["name"] == first["subdomain"] == others["subdomain"]
    assert (first["hostname"], "hostname" in others) == ("demo-train-scheduler-0", False)
    assert {"name": names.ENV_SERVICE, "value": service["metadata"]["name"]} in others["containers"][0]["env"]
    assert service["spec"]["selector"].items() <= replicas["Scheduler"]["template"]["metadata"]["labels"].items()
    (_, alone) = targets.manifests(plan(nodes=1), "ascendjob")
    assert list(alone["spec"]["replicaSpecs"]) == ["Scheduler"]


@pytest.mark.parametrize(("device", "asks"), [("cpu", "nothing"), ("gpu", "nvidia.com/gpu")])
def test_pods_that_ascend_operator_would_not_number_are_refused(device: str, asks: str) -> None:
    with pytest.raises(UsageError, match=f"and device '{device}' asks for {asks}; use another --target"):
        targets.manifests(plan(device), "ascendjob")


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


@pytest.mark.parametrize("target", OTHERS)
def test_another_attempt_differs_in_its_label_alone(target: str) -> None:
    first, second = (targets.manifests(plan(), target, attempt=number) for number in (1, 2))
    said = json.dumps(second[1:]).replace(f'"{names.LABEL_ATTEMPT}": "2"', f'"{names.LABEL_ATTEMPT}": "1"')
    assert json.loads(said) == first[1:]
    assert {each["metadata"]["labels"][names.LABEL_ATTEMPT] for each in templates(second)} == {"2"}
    assert second[0] == first[0]
    with pytest.raises(UsageError, match="attempt must be 1, 2, …, not 0"):
        targets.manifests(plan(), target, attempt=0)


@pytest.mark.parametrize("target", OTHERS)
def test_what_a_template_of_ones_own_adds_or_leaves_out_stays_so(target: str) -> None:
    own = copy.deepcopy(render.stage_manifests(plan())["train"])
    text = (resources.files("k8s_templates") / "stage.yaml.j2").read_text()
    text = text.replace("      volumes:\n", "        - {name: side, image: busybox}\n      volumes:\n")
    made = plan(templates={"stage.yaml.j2": text})
    for template in templates(targets.manifests(made, target)):
        first, side = template["spec"]["containers"]
        assert side == {"name": "side", "image": "busybox"}
        assert first["command"] == own["spec"]["template"]["spec"]["containers"][0]["command"]


@pytest.mark.parametrize("target", OTHERS)
def test_a_name_that_the_operator_would_refuse_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="begins with a letter, not '9lives'; give --name"):
        targets.manifests(replace(plan(), run="9lives"), target)


def test_a_train_job_leaves_less_room_for_a_name() -> None:
    made = replace(plan("cpu", nodes=1), run="r" * names.MAX_RUN_NAME)
    assert targets.manifests(made, "trainjob", "train")
    with pytest.raises(
        UsageError, match="has 40 characters, and the pods of a TrainJob for evaluate leave room for 39"
    ):
        targets.manifests(made, "trainjob", "evaluate")
    assert targets.manifests(made, "vcjob", "evaluate")


def test_rendering_changes_nothing_of_the_plan() -> None:
    made = plan()
    before = copy.deepcopy(render.stage_manifests(made))
    for target in OTHERS:
        assert targets.manifests(made, target) == targets.manifests(made, target)
    assert render.stage_manifests(made) == before


@pytest.mark.parametrize("target", OTHERS)
def test_a_stage_on_another_device_is_the_job_of_that(target: str) -> None:
    (_, *made) = targets.manifests(plan("gpu", infer_device="ascend310"), target, "infer310")
    assert '"huawei.com/Ascend310": "1"' in json.dumps(made)
    assert "nvidia.com/gpu" not in json.dumps(made)
