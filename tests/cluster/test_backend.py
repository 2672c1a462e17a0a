"""The launcher's commands on a real cluster: what they create, what they say, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import k8s_templates
from launcher import names, render
from launcher.backends.kubernetes.doctor.rights import of_role, of_verbs
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.cluster.access import Kubectl, Namespace
from tests.cluster.accounts import account, expired, kubeconfig_of
from tests.cluster.chores import FACES, carry_out
from tests.cluster.layout import Layout
from tests.cluster.runs import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PARTS = ("configmap/demo-plan", "serviceaccount/demo-runner", "role/demo-runner", "rolebinding/demo-runner")
KINDS = "jobs,pods,configmaps,roles,rolebindings,serviceaccounts"
SMALL: dict[str, Any] = {"cpu": "50m", "memory": "1Gi", "shm": "256Mi"}


@dataclass(frozen=True)
class Launcher:
    """The command, as a process with a home of its own."""

    folder: Path
    kubeconfig: Path
    namespace: str
    image: str

    def __call__(self, *words: str, code: int = 0, kubeconfig: Path | None = None) -> str:
        """stdout, and of a call that is to fail stderr. AssertionError: another exit code."""
        done = self.run(*words, kubeconfig=kubeconfig)
        assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr if code else done.stdout

    def run(self, *words: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAUNCHER_", "XDG_"))}
        environ |= {"HOME": str(self.folder), "KUBECONFIG": str(kubeconfig or self.kubeconfig)}
        command = [sys.executable, "-m", "launcher", *words]
        return subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=600)

    def spec(self, name: str = "demo", *, train: str = "max_epoch: 1", **kubernetes: Any) -> str:
        """A spec file of a tiny training."""
        section = {"namespace": self.namespace, "image": self.image, **SMALL, **kubernetes}
        lines = [f"  {key}: {value}" for key, value in section.items()]
        file = self.folder / f"{name}.yaml"
        file.write_text(
            "stages: [train]\n"
            "train:\n"
            "  train_data_dir: faces/train/landmark.txt\n"
            "  train_img_dir: faces/train/images\n"
            "  net: sphereface4a\n  margin: cosface\n  lr: 0.01\n  per_batch_size: 8\n"
            f"  {train}\n"
            "policy: {train: {heartbeat_s: 120}}\n"  # of a machine that may have much to do
            "kubernetes:\n" + "\n".join(lines) + "\n"
        )
        return file.name

    def status(self, run: str = "demo") -> dict[str, Any]:
        import json

        value: dict[str, Any] = json.loads(self("status", run, "-n", self.namespace, "-o", "json"))
        return value

    def await_reason(self, reason: str, run: str = "demo", within_s: float = 60) -> dict[str, Any]:
        until(lambda: self.status(run)["reason"] == reason, within_s, what=lambda: self.status(run))
        return self.status(run)


@pytest.fixture
def launcher(tmp_path: Path, kubeconfig: Path, namespace: Namespace, image: str) -> Launcher:
    return Launcher(tmp_path, kubeconfig, str(namespace), image)


def plan_of(namespace: Namespace, image: str) -> Plan:
    kubernetes = KubernetesSpec(namespace=str(namespace), image=image, **SMALL)
    return make_plan(RunSpec("demo", storage="/storage", stages=("train",), kubernetes=kubernetes))


def left(kubectl: Kubectl, namespace: Namespace, run: str = "demo") -> list[str]:
    selector = f"{names.LABEL_RUN}={run}"
    return kubectl("-n", str(namespace), "get", KINDS, "-l", selector, "-o", "name").split()


# A run from its beginning to nothing.


def test_a_run_is_submitted_waited_for_listed_and_deleted(
    launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    carry_out(kubectl, namespace, "faces", image, FACES.format(folder="/storage/faces", identities=6))
    place = ("-n", launcher.namespace)
    done = launcher.run("submit", launcher.spec())
    assert (done.returncode, done.stdout) == (0, "run/demo created\n")
    assert f"Using the kubernetes backend: {launcher.kubeconfig} names the context" in done.stderr
    assert launcher("submit", launcher.spec()).startswith("run/demo unchanged (")
    assert "differs in kubernetes.memory, train.max_epoch" in launcher(
        "submit", launcher.spec(train="max_epoch: 2", memory="2Gi"), code=6
    )
    assert launcher("wait", "demo", *place, "--timeout", "9m") == "run/demo Succeeded\n"
    assert launcher("list", *place).splitlines()[1].split()[:3] == ["demo", "Succeeded", "1/1"]
    assert launcher("cancel", "demo", *place) == "run/demo unchanged (Succeeded)\n"
    assert launcher("resume", "demo", *place) == "run/demo unchanged (Succeeded)\n"
    kubectl(*place, "wait", "--for=condition=complete", "job/demo-runner", "--timeout=30s")
    # Its Jobs are not needed to know how it ended.
    kubectl(*place, "delete", "jobs", "-l", f"{names.LABEL_RUN}=demo")
    assert launcher.status()["state"] == "Succeeded"
    assert launcher("delete", "demo", *place) == "run/demo deleted\n"
    until(lambda: not left(kubectl, namespace))
    assert carry_out(kubectl, namespace, "look", image, "ls -A /storage/runs").split() == []
    assert "no run 'demo' in namespace" in launcher("status", "demo", *place, code=3)


def test_a_run_is_cancelled_resumed_and_deleted_while_it_trains(
    launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    carry_out(kubectl, namespace, "faces", image, FACES.format(folder="/storage/faces", identities=6))
    place = ("-n", launcher.namespace)

    def steps() -> int:
        progress = launcher.status()["stages"][0]["progress"]
        return progress["step"] if progress else 0

    launcher("submit", launcher.spec(train="max_epoch: 1000"))
    until(lambda: steps() > 0, 400, what=launcher.status)
    assert launcher("cancel", "demo", *place) == "run/demo cancelled\n"
    reached = steps()
    assert "'launcher resume demo' goes on" in launcher.run("submit", launcher.spec(train="max_epoch: 1000")).stderr
    assert "Cancelled in train" in launcher("wait", "demo", *place, code=1)
    assert launcher("resume", "demo", *place) == "run/demo resumed\n"
    until(lambda: steps() > reached, 400, what=launcher.status)
    assert launcher.status()["stages"][0]["attempts"] == 2
    assert launcher("delete", "demo", *place) == "run/demo deleted\n"
    until(lambda: not left(kubectl, namespace))
    assert carry_out(kubectl, namespace, "look", image, "ls -A /storage/runs").split() == []


@pytest.mark.parametrize("there", [1, 3, 5])
def test_a_submit_that_was_killed_in_the_middle_is_completed(
    there: int, launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    spec = launcher.spec(image="127.0.0.1:9/none")
    rendered = launcher("render", spec, "-o", "json")
    import json

    objects = json.loads(rendered)["items"]
    kubectl.apply(*objects[:there])
    assert launcher("submit", spec) == "run/demo created\n"
    assert set(PARTS) <= set(
        kubectl("-n", str(namespace), "get", KINDS.replace("pods,", ""), "-o", "name")
        .replace(".rbac.authorization.k8s.io", "")
        .split()
    )
    assert launcher("submit", spec).startswith("run/demo unchanged (Pending)")
    launcher("delete", "demo", "-n", launcher.namespace)
    until(lambda: not left(kubectl, namespace))


def test_what_kubectl_applied_is_the_same_run(launcher: Launcher, kubectl: Kubectl, namespace: Namespace) -> None:
    spec = launcher.spec(image="127.0.0.1:9/none")
    rendered = launcher("render", spec)
    kubectl("apply", "-f", "-", input=rendered)
    assert launcher("submit", spec) == "run/demo unchanged (Pending)\n"
    again = kubectl("apply", "-f", "-", input=rendered)
    assert {line.rpartition(" ")[2] for line in again.splitlines()} == {"unchanged"}


# Why a run waits.


@pytest.mark.parametrize(
    ("kubernetes", "reason", "words"),
    [
        ({"image": "127.0.0.1:5000/sphereface:none"}, "ImageNotFound", "127.0.0.1:5000/sphereface:none"),
        ({"claim": "none"}, "ClaimNotFound", "none"),
        ({"node_selector": "{disk: tape}"}, "NoMatchingNode", "selector"),
    ],
)
def test_why_a_run_waits(
    kubernetes: dict[str, str], reason: str, words: str, launcher: Launcher, kubectl: Kubectl, namespace: Namespace
) -> None:
    launcher("submit", launcher.spec(**kubernetes))
    seen = launcher.await_reason(reason)
    assert seen["state"] == "Pending"
    assert words in seen["message"]
    assert f"Why:       {reason}: " in launcher("status", "demo", "-n", launcher.namespace)
    launcher("delete", "demo", "-n", launcher.namespace)
    until(lambda: not left(kubectl, namespace))


def test_a_claim_without_a_volume(launcher: Launcher, kubectl: Kubectl, namespace: Namespace) -> None:
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "empty", "namespace": str(namespace)},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "storageClassName": "",
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
    )
    launcher("submit", launcher.spec(claim="empty"))
    assert launcher.await_reason("ClaimNotBound")["state"] == "Pending"


def test_a_quota_that_is_used_up(launcher: Launcher, kubectl: Kubectl, namespace: Namespace) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "little", "namespace": str(namespace)}}
    kubectl.apply({**quota, "spec": {"hard": {"requests.cpu": "10m"}}})
    until(lambda: kubectl.json("-n", str(namespace), "get", "quota", "little").get("status", {}).get("hard"))
    launcher("submit", launcher.spec())
    assert "little" in launcher.await_reason("QuotaExceeded")["message"]


def test_a_quota_of_objects_leaves_nothing_behind(launcher: Launcher, kubectl: Kubectl, namespace: Namespace) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": str(namespace)}}
    kubectl.apply({**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    until(lambda: kubectl.json("-n", str(namespace), "get", "quota", "none").get("status", {}).get("hard"))
    assert "exceeded quota: none" in launcher("submit", launcher.spec(), code=4)
    assert left(kubectl, namespace) == []


def test_what_pod_security_refuses(launcher: Launcher, tmp_path: Path) -> None:
    ours = Path(k8s_templates.__file__).parent / "runner.yaml.j2"
    own = tmp_path / "own"
    own.mkdir()
    (own / ours.name).write_text(ours.read_text().replace("runAsNonRoot: true", "runAsNonRoot: false"))
    launcher("submit", launcher.spec(), "--templates", "own")
    assert "runAsNonRoot" in launcher.await_reason("AdmissionDenied")["message"]


def test_a_run_that_does_not_start_in_time_has_failed(launcher: Launcher) -> None:
    launcher("submit", launcher.spec(claim="none", start_deadline_s=5))
    seen = launcher.await_reason("NotStarted")
    assert (seen["state"], "ClaimNotFound" in seen["message"]) == ("Failed", True)
    assert "NotStarted" in launcher("wait", "demo", "-n", launcher.namespace, code=1)


# Who may not, and what is not there.


def test_an_account_with_just_the_rights_that_are_documented(
    launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str, tmp_path: Path
) -> None:
    role = render.manifests(plan_of(namespace, image))[2]
    token = account(kubectl, namespace, "person", [*of_verbs(), *of_role(role)])
    own = kubeconfig_of(kubectl, tmp_path / "person", user={"token": token})
    spec, place = launcher.spec(claim="none"), ("-n", launcher.namespace)
    assert launcher("submit", spec, kubeconfig=own) == "run/demo created\n"
    assert launcher("submit", spec, kubeconfig=own).startswith("run/demo unchanged")
    assert "demo" in launcher("list", *place, kubeconfig=own)
    assert launcher("cancel", "demo", *place, kubeconfig=own) == "run/demo cancelled\n"
    assert launcher("resume", "demo", *place, kubeconfig=own) == "run/demo resumed\n"
    assert launcher("delete", "demo", *place, kubeconfig=own) == "run/demo deleted\n"
    until(lambda: not left(kubectl, namespace))


def test_an_account_without_rights(
    launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str, tmp_path: Path
) -> None:
    nobody = kubeconfig_of(kubectl, tmp_path / "nobody", user={"token": account(kubectl, namespace, "nobody", [])})
    said = launcher("list", "-n", launcher.namespace, code=4, kubeconfig=nobody)
    assert f'User "system:serviceaccount:{namespace}:nobody" cannot list resource "configmaps"' in said
    assert "'launcher doctor' lists what is missing" in said
    # Who may create roles, but not give away more than is his.
    token = account(kubectl, namespace, "half", of_verbs())
    half = kubeconfig_of(kubectl, tmp_path / "half", user={"token": token})
    assert "attempting to grant RBAC permissions not currently held" in launcher(
        "submit", launcher.spec(), code=4, kubeconfig=half
    )
    assert left(kubectl, namespace) == [], "nothing half-made is left"


def test_a_token_that_expired(
    launcher: Launcher, kubectl: Kubectl, namespace: Namespace, layout: Layout, own: bool, tmp_path: Path
) -> None:
    if not own:
        pytest.skip("only the test cluster's signing key is ours")
    token = expired(account(kubectl, namespace, "late", of_verbs()), layout.pki / "sa.key")
    late = kubeconfig_of(kubectl, tmp_path / "late", user={"token": token})
    said = launcher("list", "-n", launcher.namespace, code=4, kubeconfig=late)
    assert " expired at 20" in said
    assert "log in again" in said


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"server": "https://127.0.0.1:9"}, "cannot be reached: connection refused"),
        ({"server": "https://no-such-host.invalid"}, "its name is not known to DNS"),
        ({"certificate_authority_data": None}, "is not signed by the authority that we trust"),
        ({"tls_server_name": "other.example"}, "is for another name"),
    ],
)
def test_a_cluster_that_cannot_be_spoken_to(
    cluster: dict[str, Any], words: str, launcher: Launcher, kubectl: Kubectl, tmp_path: Path
) -> None:
    away = kubeconfig_of(kubectl, tmp_path / "away", user={}, **cluster)
    said = launcher("status", "demo", code=4, kubeconfig=away)
    assert words in said
    assert said.count("\n") == 1


def test_a_context_or_namespace_that_is_not_there(launcher: Launcher) -> None:
    assert 'context "lap" does not exist' in launcher("list", "--context", "lap", code=4)
    assert "the namespace 'no-such' does not exist" in launcher("submit", launcher.spec(namespace="no-such"), code=4)


# Many runs.


def test_a_list_of_more_than_one_page(launcher: Launcher, kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    status_map = render.manifests(plan_of(namespace, image))[4]

    def named(number: int) -> dict[str, Any]:
        labels = {**status_map["metadata"]["labels"], **names.labels(f"run-{number}", names.STATUS)}
        return {**status_map, "metadata": {**status_map["metadata"], "name": f"run-{number}-status", "labels": labels}}

    kubectl.apply(*(named(number) for number in range(510)))
    listed = launcher("list", "-n", launcher.namespace, "-o", "name").splitlines()
    assert sorted(listed) == sorted(f"run/run-{number}" for number in range(510))
