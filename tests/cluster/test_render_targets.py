"""Stages as jobs of other operators, sent to the API server with their CRDs: dry-run, strict. None runs here."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher import names, targets
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.cluster.access import Kubectl, Namespace

pytestmark = pytest.mark.cluster

OWN = Path(__file__).parent / "crds"
TRAINER = "github.com/kubeflow/trainer/v2@v2.2.0"
"""Its Go module holds the CRDs, which are read from there."""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the module's CRDs."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    place = tmp_path_factory.mktemp("module")
    (place / "go.mod").write_text("module crds\n\ngo 1.24\n")
    done = subprocess.run(
        [go, "mod", "download", "-json", TRAINER], cwd=place, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["Dir"]) / "manifests" / "base" / "crds"


@pytest.fixture(scope="module")
def crds(kubectl: Kubectl, trainer: Path) -> Iterator[None]:
    files = [*OWN.glob("*.yaml"), *trainer.glob("trainer.kubeflow.org_train*.yaml")]
    found = [yaml.safe_load(file.read_text()) for file in files]
    for crd in found:
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(crd))
    try:
        for crd in found:
            kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=60s")
        yield
    finally:
        for crd in found:
            kubectl("delete", "crd", crd["metadata"]["name"], "--ignore-not-found")


def plan(namespace: Namespace, nodes: int) -> Plan:
    kubernetes = KubernetesSpec(namespace=str(namespace), image="registry.example.org/sphereface:1", queue="team-a")
    return make_plan(
        RunSpec("demo", device="ascend910b", devices=8, nodes=nodes, storage="/storage", kubernetes=kubernetes)
    )


def send(kubectl: Kubectl, thing: Json) -> subprocess.CompletedProcess[str]:
    return kubectl.run(
        "create", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "json", input=json.dumps(thing)
    )


@pytest.mark.parametrize("nodes", [1, 2])
@pytest.mark.parametrize("target", [target for target in targets.TARGETS if target != targets.JOB])
def test_the_api_server_takes_it_as_it_is(
    kubectl: Kubectl, namespace: Namespace, crds: None, target: str, nodes: int
) -> None:
    for thing in targets.manifests(plan(namespace, nodes), target):
        done = send(kubectl, thing)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["spec" if "spec" in thing else "data"] is not None


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("vcjob", ("spec", "minAvailabl")),
        ("vcjob", ("spec", "tasks", 0, "replica")),
        ("ascendjob", ("spec", "runPolicy", "schedulingPolicy", "queu")),
        ("ascendjob", ("spec", "replicaSpecs", "Workers")),
        ("vcjob", ("spec", "policies", 0, "acton")),
        ("vcjob", ("spec", "plugins", "scv")),
        ("ascendjob", ("spec", "sucessPolicy")),
        ("ascendjob", ("spec", "replicaSpecs", "Scheduler", "replica")),
        ("trainjob", ("spec", "trainer", "numNode")),
    ],
)
def test_a_misspelled_field_is_refused(
    kubectl: Kubectl, namespace: Namespace, crds: None, target: str, place: tuple[Any, ...]
) -> None:
    thing = copy.deepcopy(targets.manifests(plan(namespace, 2), target)[-1])
    holder = thing
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = 1 if place[-1] != "Workers" else {}
    done = send(kubectl, thing)
    assert done.returncode != 0
    assert "unknown field" in done.stderr, done.stderr


def test_the_pods_of_a_target_are_pods_that_the_api_server_takes(kubectl: Kubectl, namespace: Namespace) -> None:
    """Their templates stand in schemas that do not look into them."""
    *_, job = targets.manifests(plan(namespace, 2), "vcjob")
    *_, ascend_job = targets.manifests(plan(namespace, 2), "ascendjob")
    replicas = ascend_job["spec"]["replicaSpecs"]
    for holder in (job["spec"]["tasks"][0], replicas["Scheduler"], replicas["Worker"]):
        template = holder["template"]
        metadata = {**template["metadata"], "name": "demo", "namespace": str(namespace)}
        done = send(kubectl, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["metadata"]["labels"][names.LABEL_RUN] == "demo"
