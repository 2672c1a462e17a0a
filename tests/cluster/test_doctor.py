"""Every finding of `launcher doctor`, provoked on a real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher.backends.kubernetes import credentials
from launcher.backends.kubernetes.doctor.examine import Cluster, examine
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.doctor import Level
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.cluster.access import Kubectl, Namespace, claim_manifest, fresh_namespace
from tests.cluster.layout import FAKE_ACCELERATORS, NODES, PAUSE_IMAGE, Layout

pytestmark = pytest.mark.cluster

ASCEND = "huawei.com/Ascend910"
RIGHTS_OF_SUBMIT = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "create", "delete"]},
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
        "verbs": ["get", "list", "create", "delete"],
    },
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["persistentvolumeclaims", "resourcequotas", "limitranges"],
        "verbs": ["get", "list"],
    },
]
"""But for `watch` of Jobs and pods, which the run's own account needs."""


@dataclass(frozen=True)
class Report:
    code: int
    findings: dict[str, list[tuple[str, str, str]]]
    """By check: level, text, advice."""

    def the(self, check: str) -> tuple[str, str, str]:
        (finding,) = self.findings[check]
        return finding


@dataclass(frozen=True)
class Lab:
    kubectl: Kubectl
    namespace: Namespace

    def doctor(self, *words: str, kubeconfig: Path | None = None) -> Report:
        argv = [sys.executable, "-m", "launcher", "doctor", "-n", str(self.namespace), "-o", "json", *words]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubectl.kubeconfig)}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, 1), done.stderr
        findings: dict[str, list[tuple[str, str, str]]] = {}
        for one in json.loads(done.stdout)["findings"]:
            findings.setdefault(one["check"], []).append((one["level"], one["text"], one["advice"]))
        return Report(done.returncode, findings)

    def apply(self, kind: str, name: str, api: str = "v1", **parts: Any) -> None:
        metadata = {"name": name, "namespace": str(self.namespace)}
        self.kubectl.apply({"apiVersion": api, "kind": kind, "metadata": metadata, **parts})

    def remove(self, *words: str) -> None:
        self.kubectl("-n", str(self.namespace), "delete", "--wait", *words)

    def account(self, folder: Path, name: str, rules: list[dict[str, Any]]) -> Path:
        """A kubeconfig for a service account of the namespace with these rights."""
        rbac = "rbac.authorization.k8s.io/v1"
        self.apply("ServiceAccount", name)
        self.apply("Role", name, rbac, rules=rules)
        subject = {"kind": "ServiceAccount", "name": name, "namespace": str(self.namespace)}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        self.apply("RoleBinding", name, rbac, roleRef=role, subjects=[subject])
        token = self.kubectl("-n", str(self.namespace), "create", "token", name).strip()
        return self.with_token(folder / name, token)

    def with_token(self, file: Path, token: str) -> Path:
        config = yaml.safe_load(self.kubectl("config", "view", "--raw", "--minify"))
        config["users"][0]["user"] = {"token": token}
        file.write_text(yaml.safe_dump(config))
        return file


@pytest.fixture(scope="module")
def lab(kubectl: Kubectl, layout: Layout, own: bool) -> Iterator[Lab]:
    name = f"t-doctor-{uuid.uuid4().hex[:6]}"
    with fresh_namespace(kubectl, name, layout.storage / name if own else None) as namespace:
        yield Lab(kubectl, namespace)


def test_where_all_is_well(lab: Lab) -> None:
    report = lab.doctor("--set=kubernetes.memory=1Gi", "--set=kubernetes.shm=64Mi")
    assert report.code == 0
    levels = {check: found[0][0] for check, found in report.findings.items()}
    expected = ("backend", "context", "server", "clock", "rights", "pod security", "quota", "storage", "devices")
    assert levels == {**dict.fromkeys(expected, "ok"), "spec": "warning"}
    assert "enforces restricted; the run's pods meet restricted" in report.the("pod security")[1]


def test_a_namespace_that_is_not_there(lab: Lab) -> None:
    report = lab.doctor("-n", "no-such-namespace")
    assert report.code == 1
    assert report.the("namespace")[:2] == ("error", "there is no namespace 'no-such-namespace'")


def test_rights_that_are_missing(lab: Lab, tmp_path: Path) -> None:
    reader = [{"apiGroups": ["", "batch"], "resources": ["configmaps", "jobs"], "verbs": ["get", "list"]}]
    report = lab.doctor(kubeconfig=lab.account(tmp_path, "reader", reader))
    assert report.code == 1
    texts = [text for level, text, _ in report.findings["rights"] if level == "error"]
    assert any("create configmaps" in text and "'launcher submit'" in text for text in texts)
    assert any("get pods/log" in text and "'launcher logs'" in text for text in texts)
    assert not any("get configmaps in" in text for text in texts)


def test_the_runners_rights_cannot_be_given_by_who_has_them_not(lab: Lab, tmp_path: Path) -> None:
    kubeconfig = lab.account(tmp_path, "submitter", RIGHTS_OF_SUBMIT)
    report = lab.doctor(kubeconfig=kubeconfig)
    level, text, _ = report.the("rights")
    assert level == "error"
    assert text.startswith("may not watch jobs.batch, watch pods in ")
    # Of the whole cluster such an account sees nothing, and is told so.
    assert report.the("namespace")[0] == "warning"
    assert report.the("devices")[0] == "warning"
    assert "nodes is forbidden" in report.the("devices")[1]
    watching = [{"apiGroups": ["", "batch"], "resources": ["pods", "jobs"], "verbs": ["watch"]}]
    lab.apply("Role", "submitter", "rbac.authorization.k8s.io/v1", rules=RIGHTS_OF_SUBMIT + watching)
    deadline = time.monotonic() + 20
    while (report := lab.doctor(kubeconfig=kubeconfig)).the("rights")[0] != "ok":
        assert time.monotonic() < deadline, report
    assert report.code == 0


def test_a_token_that_is_not_valid(lab: Lab, tmp_path: Path) -> None:
    report = lab.doctor(kubeconfig=lab.with_token(tmp_path / "config", "no.token.atall"))
    assert report.code == 1
    assert "does not accept the credentials" in report.the("server")[1]


def test_a_server_that_does_not_answer(lab: Lab, tmp_path: Path) -> None:
    config = yaml.safe_load(lab.kubectl("config", "view", "--raw", "--minify"))
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    report = lab.doctor(kubeconfig=tmp_path / "config")
    assert report.code == 1
    assert "cannot be reached" in report.the("server")[1]


def test_a_context_that_is_not_there(lab: Lab) -> None:
    assert lab.doctor("--context", "nobody").the("context")[0] == "error"


def quota(lab: Lab, **hard: str) -> None:
    lab.apply("ResourceQuota", "team", spec={"hard": {key.replace("__", "."): value for key, value in hard.items()}})
    lab.kubectl(
        "-n", str(lab.namespace), "wait", "--for=jsonpath={.status.hard}", "resourcequota/team", "--timeout=30s"
    )


def test_a_quota(lab: Lab) -> None:
    words = ("--set=kubernetes.memory=1Gi", "--set=kubernetes.shm=64Mi")
    try:
        quota(lab, requests__memory="1Gi")
        level, text, _ = lab.doctor(*words).the("quota")
        assert level == "error"
        assert text == "requests.memory: the run asks for 1.25Gi, and team allows 1Gi in all"
        lab.remove("resourcequota", "team")
        quota(lab, limits__cpu="10")
        assert "team counts limits.cpu" in lab.doctor(*words).the("quota")[1]
        default = {"type": "Container", "default": {"cpu": "1"}}
        lab.apply("LimitRange", "defaults", spec={"limits": [default]})
        report = lab.doctor(*words)
        assert (report.code, report.the("quota")[0]) == (0, "ok")
    finally:
        lab.remove("--ignore-not-found", "resourcequota/team", "limitrange/defaults")


def test_a_quota_that_others_have_used_up(lab: Lab) -> None:
    lab.apply("ConfigMap", "theirs", data={})
    try:
        quota(lab, configmaps="3")  # theirs, and one that the cluster makes in each namespace
        until = time.monotonic() + 20
        while (found := lab.doctor().the("quota"))[0] == "ok":
            assert time.monotonic() < until
        assert found[:2] == ("warning", "configmaps: the run asks for 2, and of team 1 of 3 are left")
    finally:
        lab.remove("--ignore-not-found", "resourcequota/team", "configmap/theirs")


def test_a_device_that_no_node_has(lab: Lab) -> None:
    words = ("--device=ascend310p", "--stages=evaluate")
    level, text, advice = lab.doctor(*words).the("devices")
    assert level == "error"
    assert "has 0 huawei.com/Ascend310P" in text
    assert advice.startswith("ask for less")


def test_a_label_that_no_node_has(lab: Lab) -> None:
    report = lab.doctor("--set=kubernetes.node_selector.zone=nowhere")
    assert report.code == 1
    assert "lacks the label zone=nowhere" in report.the("devices")[1]


def test_devices_that_others_use_now(lab: Lab, own: bool) -> None:
    if not own:
        pytest.skip("needs the test cluster's fake accelerators")
    taken = FAKE_ACCELERATORS[ASCEND] - 4
    security = {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 10001,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    for node in NODES:
        container = {
            "name": "pod", "image": PAUSE_IMAGE, "securityContext": security,
            "resources": {"limits": {ASCEND: str(taken)}},
        }  # fmt: skip
        spec = {
            "containers": [container],
            "nodeSelector": {"kubernetes.io/hostname": node.name},
            "terminationGracePeriodSeconds": 0,
        }
        lab.apply("Pod", f"busy-{node.name}", spec=spec)
    busy = [f"pod/busy-{node.name}" for node in NODES]
    try:
        lab.kubectl("-n", str(lab.namespace), "wait", "--for=condition=PodScheduled", *busy, "--timeout=60s")
        report = lab.doctor(
            "--device=ascend910", "--devices=8", "--set=kubernetes.memory=1Gi", "--set=kubernetes.shm=64Mi"
        )
        level, text, advice = report.the("devices")
        assert level == "warning"
        assert f"has 4 of 16 {ASCEND} free" in text
        assert advice.startswith("the run waits until others end")
        assert report.code == 0
    finally:
        lab.remove(*busy)


@pytest.mark.parametrize(
    ("name", "spec", "level", "words"),
    [
        ("none", None, "error", "no claim 'none'"),
        ("classless", {"storageClassName": "no-such-class"}, "error", "there is no storage class 'no-such-class'"),
        ("unbound", {"storageClassName": ""}, "error", "is not bound: no volume fits it"),
        ("single", {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}, "warning", "not ReadWriteMany"),
    ],
)
def test_a_claim(lab: Lab, name: str, spec: dict[str, Any] | None, level: str, words: str) -> None:
    if spec is not None:
        manifest = claim_manifest(str(lab.namespace), None, None)["spec"]
        lab.apply("PersistentVolumeClaim", name, spec={**manifest, **spec})
    found = lab.doctor(f"--set=kubernetes.claim={name}").the("storage")
    assert found[0] == level
    assert words in found[1]


def test_an_image_pull_secret(lab: Lab) -> None:
    words = "--set=kubernetes.image_pull_secret=registry"
    assert lab.doctor(words).the("pull secret")[0] == "error"
    lab.apply("Secret", "registry", stringData={"password": "x"})
    assert "is of type Opaque" in lab.doctor(words).the("pull secret")[1]
    lab.remove("secret", "registry")
    lab.kubectl(
        "-n", str(lab.namespace), "create", "secret", "docker-registry", "registry", "--docker-server=127.0.0.1:5000",
        "--docker-username=a", "--docker-password=b",
    )  # fmt: skip
    assert lab.doctor(words).the("pull secret")[0] == "ok"


def test_pods_that_the_namespace_does_not_admit(lab: Lab, tmp_path: Path) -> None:
    ours = Path(__file__).parents[2] / "k8s_templates" / "stage.yaml.j2"
    changed = ours.read_text().replace("allowPrivilegeEscalation: false", "privileged: true")
    (tmp_path / ours.name).write_text(changed)
    report = lab.doctor("--templates", str(tmp_path))
    level, text, _ = report.the("pod security")
    assert (report.code, level) == (1, "error")
    assert "enforces restricted, and the run's pods meet only privileged" in text


def test_a_clock_that_is_wrong(lab: Lab) -> None:
    """This machine's clock cannot be set here; the server's is read from its real answers."""
    who = credentials.load("", {"KUBECONFIG": str(lab.kubectl.kubeconfig)}, Path("/none"))
    api = HttpApi(who, str(lab.namespace))
    plan = make_plan(RunSpec("demo", storage="/storage", kubernetes=KubernetesSpec(namespace=str(lab.namespace))))
    cluster = Cluster(api, api.server, who.origin, api.server_time, lambda: time.time() + 120)
    (clock,) = [finding for finding in examine(cluster, plan) if finding.check == "clock"]
    assert clock.level is Level.WARNING
    assert "s ahead of the cluster" in clock.text
