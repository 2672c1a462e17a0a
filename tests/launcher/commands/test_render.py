from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend

WORDS = ("render", "--name", "demo", "--stages", "train", "--devices", "8", "--set", "train.train_img_dir=images")

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: site
contexts: [{name: site, context: {cluster: c, user: u, namespace: team-a}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
"""


@pytest.fixture
def on_cluster(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """With a kubeconfig whose context names a namespace; nothing answers at its address."""
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    return call


def test_yaml_by_default(backend: FakeBackend, tmp_path: Path, call: Call) -> None:
    value = yaml.safe_load(call(*WORDS).out)
    assert value["schema"] == 1
    (stage,) = value["plan"]["stages"]
    assert (stage["name"], stage["processes"]) == ("train", 8)
    assert value["origins"]["train.train_img_dir"] == "flag --set train.train_img_dir"
    assert backend.runs == {}


def test_json_is_the_same(call: Call) -> None:
    assert json.loads(call(*WORDS, "-o", "json").out) == yaml.safe_load(call(*WORDS).out)


def test_on_a_cluster_the_manifests_are_printed_and_nothing_is_asked_of_it(on_cluster: Call) -> None:
    said = on_cluster(*WORDS, "--backend", "kubernetes", "--image", "registry/sphereface:1")
    assert said.code == 0
    assert said.out.splitlines()[0] == "# Pod Security: restricted (namespace team-a may enforce it)"
    objects = list(yaml.safe_load_all(said.out))
    assert [item["kind"] for item in objects] == [
        "ConfigMap",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "Job",
    ]
    assert {item["metadata"]["namespace"] for item in objects} == {"team-a"}
    assert objects[-1]["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/sphereface:1"
    plan = json.loads(objects[0]["data"]["plan.json"])
    assert plan["spec"]["train.train_img_dir"] == "/storage/images"


def test_json_is_one_list_of_the_same_objects(on_cluster: Call) -> None:
    words = (*WORDS, "-n", "team-b")
    value = json.loads(on_cluster(*words, "-o", "json").out)
    assert value["kind"] == "List"
    assert value["items"] == list(yaml.safe_load_all(on_cluster(*words).out))
    assert value["items"][0]["metadata"]["namespace"] == "team-b"


def test_the_job_of_one_stage(on_cluster: Call) -> None:
    (job,) = yaml.safe_load_all(on_cluster(*WORDS, "--backend", "kubernetes", "--stage", "train").out)
    assert job["metadata"]["name"] == "demo-train-1"
    said = on_cluster(*WORDS, "--backend", "kubernetes", "--stage", "export")
    assert (said.code, said.err) == (2, "error: run 'demo' has no stage 'export'; it has train\n")


def test_the_job_of_a_stage_waits_in_the_queue_of_a_flag(on_cluster: Call) -> None:
    (job,) = yaml.safe_load_all(on_cluster(*WORDS, "-n", "lab", "--queue", "team-a", "--stage", "train").out)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    said = on_cluster(*WORDS, "-n", "lab", "--queue", "Team A")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "flag --queue: kubernetes.queue must be lower-case" in said.err


def test_a_stage_has_no_job_on_this_machine(call: Call) -> None:
    said = call(*WORDS, "--stage", "train")
    assert said.code == 2
    assert "add --backend kubernetes" in said.err


def test_own_templates_that_lower_the_pod_security_are_told(on_cluster: Call, tmp_path: Path) -> None:
    ours = Path(__file__).parents[3] / "k8s_templates" / "stage.yaml.j2"
    (tmp_path / "mine").mkdir()
    changed = ours.read_text().replace("readOnlyRootFilesystem: true", "privileged: true")
    (tmp_path / "mine" / "stage.yaml.j2").write_text(changed)
    lines = on_cluster(*WORDS, "--backend", "kubernetes", "--templates", "mine").out.splitlines()
    assert lines[0] == "# Pod Security: privileged (namespace team-a may enforce it)"
    assert lines[1].startswith("#   not baseline: Job/demo-train-1: container stage: securityContext.privileged")


def test_a_context_that_is_not_there(on_cluster: Call) -> None:
    said = on_cluster(*WORDS, "--context", "stie")
    assert said.code == 4
    assert "stie" in said.err


def test_the_driver_of_the_node_lowers_the_pod_security_and_that_is_told(on_cluster: Call) -> None:
    words = (*WORDS, "--stage", "train", "--set", "kubernetes.driver=host")
    done = on_cluster(*words, "--device", "ascend910")
    first, *why = [line for line in done.out.splitlines() if line.startswith("#")]
    assert first == "# Pod Security: privileged (namespace team-a may enforce it)"
    assert why[0] == "#   not baseline: Job/demo-train-1: volume driver-0: hostPath is a path of the node"
    assert len(why) == 5
    refused = on_cluster(*words, "--device", "gpu")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith(
        "error: flag --set kubernetes.driver: kubernetes.driver is host, but device gpu has no"
    )
