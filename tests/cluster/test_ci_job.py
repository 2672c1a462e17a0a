"""A CI step inside the cluster: `examples/ci-job.yaml` as it is, but for image, namespace and the size of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher import render
from launcher.backends.kubernetes.doctor import rights
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.cluster.access import Kubectl, Namespace
from tests.cluster.chores import STORAGE, await_job, carry_out

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci-job.yaml"
FACES = (
    f"sphereface synth {STORAGE}/demo/faces --identities 8 --images 6 --test-identities 20 --test-images 3 > /dev/null"
)
SMALL = {"cpu": "200m", "memory": "1Gi", "shm": "64Mi"}


def documents(namespace: Namespace, image: str, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The example; `run` goes over its run's own sections."""
    found = {one["kind"]: one for one in yaml.safe_load_all(EXAMPLE.read_text())}
    own = yaml.safe_load(found["ConfigMap"]["data"]["run.yaml"])
    for section, values in run.items():
        own[section] = {**own.get(section, {}), **values} if isinstance(values, dict) else values
    found["ConfigMap"]["data"]["run.yaml"] = yaml.safe_dump(own)
    found["RoleBinding"]["subjects"][0]["namespace"] = str(namespace)
    container = found["Job"]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = container["env"][0]["value"] = image
    return list(found.values())


def apply(kubectl: Kubectl, namespace: Namespace, manifests: list[dict[str, Any]]) -> None:
    kubectl("apply", "-n", str(namespace), "-f", "-", input=yaml.safe_dump_all(manifests))


def test_a_job_submits_a_run_and_ends_as_it_does(kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    carry_out(kubectl, namespace, "faces", image, FACES)
    run = {"train": {"max_epoch": 1, "per_batch_size": 8}, "kubernetes": SMALL}
    apply(kubectl, namespace, documents(namespace, image, run))
    place = ("-n", str(namespace))
    state = await_job(kubectl, namespace, "sphereface-ci")
    log = kubectl(*place, "logs", "job/sphereface-ci")
    assert state == "Complete", f"{log}\n{kubectl(*place, 'get', 'jobs,pods')}"
    assert "LFWACC=0." in log
    assert "Succeeded" in log
    jobs = {
        job["metadata"]["name"] for job in kubectl.json(*place, "get", "jobs", "-l", "launcher.seed/run=ci")["items"]
    }
    assert jobs == {"ci-runner", "ci-train-1", "ci-evaluate-1", "ci-export-1"}


def test_a_run_that_fails_fails_the_job_and_is_not_tried_again(
    kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    """A checkpoint that is not there."""
    run = {"stages": ["export"], "export": {"ckpt_files": "none.ckpt"}, "kubernetes": SMALL}
    apply(kubectl, namespace, documents(namespace, image, run))
    place = ("-n", str(namespace))
    assert await_job(kubectl, namespace, "sphereface-ci") == "Failed"
    log = kubectl(*place, "logs", "job/sphereface-ci")
    assert "none.ckpt" in log
    (pod,) = kubectl.json(*place, "get", "pods", "-l", "job-name=sphereface-ci")["items"]
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1


def test_its_account_has_what_the_launcher_needs_and_no_more(
    kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    apply(kubectl, namespace, [one for one in documents(namespace, image, {}) if one["kind"] != "Job"])
    account = f"--as=system:serviceaccount:{namespace}:sphereface-ci"
    plan = make_plan(RunSpec("ci", storage=STORAGE, kubernetes=KubernetesSpec(namespace=str(namespace))))
    role = next(thing for thing in render.manifests(plan) if thing["kind"] == "Role")
    for right in (*rights.of_verbs(), *rights.of_role(role)):
        what = f"{right.resource}.{right.group}" if right.group else right.resource
        only = [f"--subresource={right.subresource}"] if right.subresource else []
        answer = kubectl.run("auth", "can-i", right.verb, what, *only, account, "-n", str(namespace))
        assert answer.stdout.strip() == "yes", str(right)
    forbidden = ("get secrets", "create pods --subresource=exec", "delete persistentvolumeclaims", "patch roles")
    for words in forbidden:
        answer = kubectl.run("auth", "can-i", *words.split(" "), account, "-n", str(namespace))
        assert answer.stdout.strip() == "no", words
