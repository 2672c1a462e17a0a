from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from launcher import names, podsecurity, render
from launcher.errors import SpecError
from launcher.plan import Plan, from_json, make_plan, sealed
from launcher.spec import DEFAULT_STAGES, STAGES, KubernetesSpec, RunSpec, StagePolicy


def plan(
    device: str = "ascend910", devices: int = 8, policy: Any = None, infer_device: str = "", **kubernetes: Any
) -> Plan:
    return make_plan(
        RunSpec(
            "demo",
            device=device,
            devices=devices,
            storage="/storage",
            train={"train_img_dir": "/storage/faces"},
            env={"A": "1"},
            policy=policy or {},
            stages=STAGES if infer_device else DEFAULT_STAGES,
            infer310={"infer_device": infer_device},
            kubernetes=KubernetesSpec(**{"namespace": "team", "image": "registry/sphereface:1", **kubernetes}),
        )
    )


def pod(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def container(job: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(job)["containers"]
    assert isinstance(only, dict)
    return only


def test_a_run_is_these_objects_in_this_order() -> None:
    made = render.manifests(plan())
    assert [(item["kind"], item["metadata"]["name"]) for item in made] == [
        ("ConfigMap", "demo-plan"),
        ("ServiceAccount", "demo-runner"),
        ("Role", "demo-runner"),
        ("RoleBinding", "demo-runner"),
        ("ConfigMap", "demo-status"),
        ("Job", "demo-runner"),
    ]
    assert {item["metadata"]["namespace"] for item in made} == {"team"}
    roles = [item["metadata"]["labels"][names.LABEL_ROLE] for item in made]
    assert roles == ["plan", "runner", "runner", "runner", "status", "runner"]


def test_the_plan_holds_itself_and_the_job_of_every_stage() -> None:
    wanted = plan()
    made = render.manifests(wanted)[0]
    assert made["immutable"] is True
    assert from_json(json.loads(made["data"]["plan.json"])) == wanted
    assert json.loads(made["data"]["stages.json"]) == render.stage_manifests(wanted)
    assert made["metadata"]["annotations"][names.ANNOTATION_PLAN_HASH] == wanted.hash


def test_the_status_has_no_data_so_that_applying_it_again_changes_nothing() -> None:
    made = render.manifests(plan())[4]
    assert "data" not in made
    assert (
        made["metadata"]["annotations"]
        | {
            "launcher.seed/device": "ascend910",
            "launcher.seed/devices": "8",
            "launcher.seed/stages": "train,evaluate,export",
            "launcher.seed/folder": "/storage/runs/demo",
        }
        == made["metadata"]["annotations"]
    )


def test_only_train_asks_for_all_devices() -> None:
    jobs = render.stage_manifests(plan())
    asked = {stage: container(job)["resources"]["limits"]["huawei.com/Ascend910"] for stage, job in jobs.items()}
    assert asked == {"train": "8", "evaluate": "1", "export": "1"}


def test_a_device_without_a_resource_asks_for_none() -> None:
    job = render.stage_manifests(plan("cpu", memory="4Gi", cpu="2"))["train"]
    assert container(job)["resources"] == {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}}


def test_a_stage_is_started_as_the_contract_says() -> None:
    job = render.stage_manifests(plan())["train"]
    made = container(job)
    assert made["command"] + made["args"] == [
        *("python", "-P", "-m", "launcher.pod", "--folder", "/storage/runs/demo", "--stage", "train")
    ]
    environment = {item["name"]: item.get("value", item.get("valueFrom")) for item in made["env"]}
    assert environment == {
        "LAUNCHER_ATTEMPT": {"fieldRef": {"fieldPath": "metadata.labels['launcher.seed/attempt']"}},
        "LAUNCHER_IMAGE": "registry/sphereface:1",
        "HOME": "/tmp",
        "HCCL_CONNECT_TIMEOUT": "600",
        "A": "1",
    }
    assert (job["spec"]["backoffLimit"], pod(job)["restartPolicy"]) == (0, "Never")
    assert pod(job)["automountServiceAccountToken"] is False


def test_another_attempt_differs_in_name_and_label_alone() -> None:
    first = render.stage_manifests(plan())["train"]
    third = render.with_attempt(first, 3)
    assert third["metadata"]["name"] == "demo-train-3"
    text = json.dumps(third).replace('"demo-train-3"', '"demo-train-1"')
    assert json.loads(text.replace('launcher.seed/attempt": "3"', 'launcher.seed/attempt": "1"')) == first
    assert third["spec"]["template"]["metadata"]["labels"][names.LABEL_ATTEMPT] == "3"
    assert render.with_attempt(third, 1) == first


def test_the_backstop_is_behind_the_stages_own_deadline() -> None:
    jobs = render.stage_manifests(plan(policy={"train": StagePolicy(deadline_s=0.5)}, start_deadline_s=10.0))
    assert jobs["train"]["spec"]["activeDeadlineSeconds"] == 131
    assert "activeDeadlineSeconds" not in jobs["export"]["spec"]


def test_selectors_and_tolerations_of_the_device_are_for_stages_those_of_the_spec_for_every_pod() -> None:
    made = plan("gpu", node_selector={"disk": "ssd"}, tolerations=("team=a:NoExecute", "nvidia.com/gpu:NoSchedule"))
    runner, stage = pod(render.runner_job(made)), pod(render.stage_manifests(made)["train"])
    assert runner["nodeSelector"] == stage["nodeSelector"] == {"disk": "ssd"}
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    team = {"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute"}
    assert stage["tolerations"][:-2] == [gpu, team]
    assert runner["tolerations"][:-2] == [team, gpu]
    assert [taint["tolerationSeconds"] for taint in runner["tolerations"][-2:]] == [60, 60]


def test_optional_parts_are_there_only_where_they_are_asked_for() -> None:
    bare = pod(render.runner_job(plan()))
    assert not bare.keys() & {"imagePullSecrets", "priorityClassName", "nodeSelector"}
    full = pod(render.runner_job(plan(image_pull_secret="pull", priority_class="high")))
    assert (full["imagePullSecrets"], full["priorityClassName"]) == ([{"name": "pull"}], "high")


def test_labels_and_annotations_of_the_user_are_on_every_object_and_pod_and_ours_win() -> None:
    made = plan(labels={"example.org/team-name": "q", names.LABEL_RUN: "x"}, annotations={"a/b": "c"})
    jobs = [*render.stage_manifests(made).values(), render.runner_job(made), render.cleaner_job(made)]
    for holder in [*render.manifests(made), *jobs, *(job["spec"]["template"] for job in jobs)]:
        labels = holder["metadata"]["labels"]
        assert (labels["example.org/team-name"], labels[names.LABEL_RUN]) == ("q", "demo")
        assert holder["metadata"]["annotations"]["a/b"] == "c"


def test_the_jobs_of_stages_alone_wait_in_the_queue() -> None:
    made = plan(queue="team-a")
    jobs = render.stage_manifests(made)
    assert all(job["metadata"]["labels"][names.LABEL_QUEUE] == "team-a" for job in jobs.values())
    assert render.with_attempt(jobs["train"], 2)["metadata"]["labels"][names.LABEL_QUEUE] == "team-a"
    assert not any("suspend" in job["spec"] for job in jobs.values()), "that is Kueue's"
    pods = [job["spec"]["template"] for job in jobs.values()]
    reader = render.reader_pod(made, "x1", ["cat"])
    for holder in [*render.manifests(made), render.cleaner_job(made), reader, *pods]:
        assert names.LABEL_QUEUE not in holder["metadata"]["labels"]


def test_the_runner_may_look_at_its_queue_where_there_is_one() -> None:
    def rules(made: Plan) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = render.manifests(made)[2]["rules"]
        return listed

    bare, more = rules(plan()), rules(plan(queue="team-a"))
    assert more[: len(bare)] == bare
    assert more[len(bare) :] == [
        {"apiGroups": ["kueue.x-k8s.io"], "resources": ["workloads"], "verbs": ["list"]},
        {
            "apiGroups": ["visibility.kueue.x-k8s.io"],
            "resources": ["localqueues/pendingworkloads"],
            "resourceNames": ["team-a"],
            "verbs": ["get"],
        },
    ]


def test_every_pod_is_locked_down_alike() -> None:
    made = plan()
    pods = [
        pod(job) for job in (render.runner_job(made), render.cleaner_job(made), *render.stage_manifests(made).values())
    ]
    pods.append(render.reader_pod(made, "x1", ["cat"])["spec"])
    for spec in pods:
        assert {key: spec["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile")} == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert spec["containers"][0]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["enableServiceLinks"] is False


def test_the_runner_alone_has_a_token() -> None:
    made = plan()
    assert pod(render.runner_job(made))["automountServiceAccountToken"] is True
    assert pod(render.cleaner_job(made))["automountServiceAccountToken"] is False
    reader = render.reader_pod(made, "x1", ["cat", "$(A)"])
    assert reader["spec"]["automountServiceAccountToken"] is False
    assert reader["metadata"]["name"] == "demo-reader-x1"
    assert reader["spec"]["containers"][0]["command"] == ["cat", "$$(A)"]


def test_what_kubernetes_would_replace_arrives_as_it_is() -> None:
    assert render.verbatim("$(HOME) $$ $x") == "$$(HOME) $$$$ $$x"


def test_a_plan_for_this_machine_is_refused() -> None:
    with pytest.raises(SpecError, match="'demo' is planned for this machine"):
        render.manifests(make_plan(RunSpec("demo", storage="/st", train={"train_img_dir": "/f"})))


def test_a_plan_that_no_config_map_holds_is_refused() -> None:
    with pytest.raises(SpecError, match=r"the plan has \d+ KiB, and a cluster takes 1024 KiB"):
        render.manifests(plan(annotations={"a": "x" * (1 << 20)}))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("status.yaml.j2", "a: {{ nmae | json }}\n", r"template status.yaml.j2:1: 'nmae' is undefined"),
        (
            "status.yaml.j2",
            "a: {{ name }}\n",
            r"template status.yaml.j2:1: a value must be written as {{ value \| json",
        ),
        ("status.yaml.j2", "a: {% if %}\n", r"template status.yaml.j2:1: Expected an expression"),
        ("status.yaml.j2", "- a\n", "filled template status.yaml.j2: must be a mapping"),
        ("status.yaml.j2", "a: 1\n---\nb: 1\n", "filled template status.yaml.j2:2: not valid YAML"),
        ("status.yaml.j2", "kind: Secret\napiVersion: v1\nmetadata: {}\n", "template status.yaml.j2: has no 'name'"),
        ("role.yaml.j2", "{{ name.__class__.__mro__ | json }}: 1\n", "access to attribute '__class__'"),
    ],
)
def test_a_template_that_does_not_give_its_object_is_refused(file: str, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        render.manifests(plan(templates={file: text}))
    assert "\n" not in str(caught.value)


def test_labels_of_the_device_are_for_stages_and_give_way_to_the_users_and_ours() -> None:
    made = plan(labels={"ring-controller.atlas": "mine", "team": "a"})
    profile = dataclasses.replace(made.profile, labels={**made.profile.labels, "x": "y", names.LABEL_RUN: "other"})
    made = sealed(dataclasses.replace(made, profile=profile))
    job = render.stage_manifests(made)["train"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        labels = metadata["labels"]
        assert (labels["ring-controller.atlas"], labels["team"], labels["x"]) == ("mine", "a", "y")
        assert labels[names.LABEL_RUN] == "demo"
    assert "x" not in render.runner_job(made)["metadata"]["labels"]
    ring = render.stage_manifests(plan("ascend910b"))["train"]["spec"]["template"]["metadata"]["labels"]
    assert ring["ring-controller.atlas"] == "ascend-910b"


def test_the_driver_of_the_node_is_mounted_read_only_where_it_is_asked_for() -> None:
    assert "hostPath" not in json.dumps(render.manifests(plan()))
    made = plan(driver="host")
    job = render.stage_manifests(made)["evaluate"]
    volumes = {volume["name"]: volume["hostPath"] for volume in pod(job)["volumes"] if "hostPath" in volume}
    mounts = {mount["name"]: mount for mount in container(job)["volumeMounts"] if mount["name"] in volumes}
    assert [volume["path"] for volume in volumes.values()] == [path.rstrip("/") for path in made.profile.mounts]
    assert {volume["path"]: volume["type"] for volume in volumes.values()} == {
        "/usr/local/Ascend/driver": "Directory",
        "/usr/local/dcmi": "Directory",
        "/usr/local/bin/npu-smi": "File",
        "/etc/hccn.conf": "File",
        "/etc/ascend_install.info": "File",
    }
    assert all(mounts[name]["mountPath"] == volume["path"] for name, volume in volumes.items())
    assert all(mount["readOnly"] is True for mount in mounts.values())
    assert "hostPath" not in json.dumps(render.runner_job(made))
    assert podsecurity.level(job).level == podsecurity.PRIVILEGED
    assert "volume driver-0: hostPath is a path of the node" in [one.text for one in podsecurity.level(job).findings]
    assert podsecurity.level(render.runner_job(made)).level == podsecurity.RESTRICTED


def test_a_stage_on_another_device_asks_for_one_of_those() -> None:
    made = plan("gpu", driver="host", infer_device="ascend310")
    jobs = render.stage_manifests(made)
    asked = {name: container(job)["resources"]["limits"] for name, job in jobs.items()}
    assert asked["train"]["nvidia.com/gpu"] == "8"
    assert asked["infer310"] == {"memory": "8Gi", "huawei.com/Ascend310": "1"}
    labels = {name: job["spec"]["template"]["metadata"]["labels"] for name, job in jobs.items()}
    assert labels["infer310"]["ring-controller.atlas"] == "ascend-310"
    assert "ring-controller.atlas" not in labels["export"]
    mounted = {name: [mount["mountPath"] for mount in container(job)["volumeMounts"]] for name, job in jobs.items()}
    assert "/usr/local/dcmi" in mounted["infer310"]
    assert "/usr/local/dcmi" not in mounted["train"]
    tolerated = {name: [each["key"] for each in pod(job)["tolerations"]] for name, job in jobs.items()}
    assert "nvidia.com/gpu" in tolerated["train"]
    assert "nvidia.com/gpu" not in tolerated["infer310"]
