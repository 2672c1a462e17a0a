"""What `launcher render` prints, taken by a real API server; what is refused for its sake is refused by it too."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher import names, render, spec_keys
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec, StagePolicy
from tests.cluster.access import Kubectl, Namespace
from tests.cluster.runs import until
from tests.launcher import hostile

pytestmark = pytest.mark.cluster

PROFILE = """\
device_target: CPU
resource: huawei.com/Ascend910
env: {OMP_NUM_THREADS: "1"}
tolerations: ["huawei.com/Ascend910:NoSchedule"]
"""

SPEC = """\
name: rich
device: fake
devices: 8
stages: [train, export]
train: {{train_img_dir: faces}}
env: {{A: "y", B: "1e3", C: "two\\nlines {{{{ x }}}}", D: ""}}
policy: {{train: {{deadline_s: 3600}}}}
kubernetes:
  namespace: {namespace}
  image: 127.0.0.1:9/none:1
  image_pull_policy: Always
  image_pull_secret: pull
  cpu: 0.5
  memory: 2048Mi
  shm: 0.5Gi
  user: 20001
  node_selector: {{kubernetes.io/os: linux}}
  tolerations: [team=a:NoExecute, spot]
  priority_class: {priority}
  labels: {{team: "1e3", kueue: "yes"}}
  annotations: {{huawei.com/schedule_policy: "chip: [4]", note: "{{{{ two }}}}\\nlines"}}
"""
"""A spec that uses everything, with values that YAML and Kubernetes write in more than one way."""


@pytest.fixture
def priority(kubectl: Kubectl) -> Iterator[str]:
    name = f"t-render-{uuid.uuid4().hex[:6]}"
    kubectl.apply(
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 7}
    )
    yield name
    kubectl("delete", "priorityclass", name, "--ignore-not-found")


@pytest.fixture
def call(tmp_path: Path, kubeconfig: Path, namespace: Namespace, priority: str) -> Callable[..., str]:
    """Calls the command in a folder with rich.yaml, for a user who has a profile of his own."""
    profiles = tmp_path / ".config" / "launcher" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "fake.yaml").write_text(PROFILE)
    (tmp_path / "rich.yaml").write_text(SPEC.format(namespace=namespace, priority=priority))
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAUNCHER_", "XDG_"))}
    environ |= {"HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}

    def call(*words: str) -> str:
        command = [sys.executable, "-m", "launcher", *words]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def plan_of(namespace: Namespace, **changes: Any) -> Plan:
    """Small, for this namespace."""
    given = {"env": {"A": "1"}, "stages": ("export",), "export": {"ckpt_files": "/c"}, **changes}
    kubernetes = given.pop("kubernetes", {})
    section = KubernetesSpec(namespace=str(namespace), **{"cpu": "50m", "memory": "256Mi", "shm": "16Mi", **kubernetes})
    return make_plan(RunSpec("demo", storage="/storage", kubernetes=section, **given))


def strict(kubectl: Kubectl, *manifests: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """`dryRun=All&fieldValidation=Strict` of each."""
    sent = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    return kubectl.run("create", "--dry-run=server", "--validate=strict", "-f", "-", input=sent)


def test_applied_twice_changes_nothing_and_is_what_submit_sends(
    call: Callable[..., str], kubectl: Kubectl, namespace: Namespace
) -> None:
    rendered = call("render", "rich.yaml")
    assert rendered.splitlines()[0].startswith("# Pod Security: restricted")
    first = kubectl("apply", "--validate=strict", "-f", "-", input=rendered)
    assert [line.rpartition(" ")[2] for line in first.splitlines()] == ["created"] * 6
    again = kubectl("apply", "--validate=strict", "-f", "-", input=rendered)
    assert [line.rpartition(" ")[2] for line in again.splitlines()] == ["unchanged"] * 6
    assert "unchanged" in call("submit", "rich.yaml")
    call("delete", "rich", "-n", str(namespace))
    kinds = "jobs,pods,configmaps,roles,rolebindings,serviceaccounts"
    selector = f"{names.LABEL_RUN}=rich"
    until(lambda: not kubectl("-n", str(namespace), "get", kinds, "-l", selector, "-o", "name"))
    assert call("submit", "rich.yaml") == "run/rich created\n"
    # Objects that submit made differ in nothing from what is rendered, down to the form of quantities.
    for wanted in json.loads(call("render", "rich.yaml", "-o", "json"))["items"]:
        live = kubectl.json("-n", str(namespace), "get", wanted["kind"], wanted["metadata"]["name"])
        assert holds(live, wanted)
    call("delete", "rich", "-n", str(namespace))


def holds(live: Any, wanted: Any) -> bool:
    """Whether `live` has all of `wanted`; the API server adds defaults."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and holds(live[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(holds, live, wanted))
    return bool(live == wanted)


def test_every_job_and_pod_of_a_run_is_taken_strictly(
    call: Callable[..., str], kubectl: Kubectl, namespace: Namespace
) -> None:
    jobs = [json.loads(call("render", "rich.yaml", "--stage", stage, "-o", "json")) for stage in ("train", "export")]
    plan = plan_of(namespace, policy={"export": StagePolicy(deadline_s=0.5)})
    made = [render.with_attempt(job["items"][0], 12) for job in jobs]
    made += [render.cleaner_job(plan), render.reader_pod(plan, "x1", ["cat", "/storage/x"])]
    answer = strict(kubectl, *made)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 4


def test_hostile_values_that_we_take_are_taken(kubectl: Kubectl, namespace: Namespace) -> None:
    made = []
    for case in range(40):
        source = random.Random(case)  # noqa: S311
        kubernetes = {
            "annotations": {f"note-{case}": hostile.text(source)},
            "labels": {f"l-{case}": taken(source, "kubernetes.labels.a", "x")},
            "node_selector": {taken(source, "kubernetes.node_selector.", "a", completes=True): "b"},
            "tolerations": taken(source, "kubernetes.tolerations", ("a",)),
            "memory": taken(source, "kubernetes.memory", "256Mi"),
        }
        plan = plan_of(namespace, env={"A": hostile.text(source), "B": hostile.text(source)}, kubernetes=kubernetes)
        job = render.with_attempt(render.stage_manifests(plan)["export"], case + 1)
        made += [job, render.reader_pod(plan, f"r{case}", ["cat", hostile.text(source)])]
        if case % 10 == 0:
            made += render.manifests(plan)[:1] + render.manifests(plan)[5:]
    answer = strict(kubectl, *made)
    assert answer.returncode == 0, answer.stderr[:2000]
    assert len(answer.stdout.splitlines()) == len(made)


def taken(source: random.Random, key: str, otherwise: Any, *, completes: bool = False) -> Any:
    """A hostile text that the spec takes as value of the key (or as its last part); there may be none."""
    for _ in range(200):
        text = "".join(source.choices(hostile.FRAGMENTS, k=source.randint(1, 4)))
        try:
            if completes:
                spec_keys.convert(key + text, "b")
                return text
            return spec_keys.convert(key, text)
        except ValueError:
            continue
    return otherwise


REFUSED: dict[str, tuple[str, Callable[[dict[str, Any], str], None], list[str]]] = {
    "label-value": (
        "kubernetes.labels.a",
        lambda job, text: job["metadata"]["labels"].update(a=text),
        ["a b", "-a", "a/b", "x" * 64, "ä", "a\n", "{{ x }}", '"'],
    ),
    "label-key": (
        "kubernetes.labels.",
        lambda job, text: job["metadata"]["labels"].update({text: "v"}),
        ["a b", "/a", "a/b/c", "A/b", "x" * 64, "ä", "a:", "{a}"],
    ),
    "annotation-key": (
        "kubernetes.annotations.",
        lambda job, text: job["metadata"]["annotations"].update({text: "v"}),
        ["a b", "/a", "a/b/c", "x" * 64, "ä", "a:"],
    ),
    "selector": (
        "kubernetes.node_selector.a",
        lambda job, text: pod(job).update(nodeSelector={"a": text}),
        ["a b", "-a", "x" * 64, "a\n"],
    ),
    "memory": (
        "kubernetes.memory",
        lambda job, text: pod(job)["containers"][0]["resources"].update(limits={"memory": text}),
        ["8GB", "8 Gi", "8gi", "-1Gi", "Gi", "1_000", "٣Gi"],
    ),
    "namespace": (
        "kubernetes.namespace",
        lambda job, text: job["metadata"].update(namespace=text),
        ["A", "a.b", "-a", "x" * 64, "ä"],
    ),
    "class": (
        "kubernetes.priority_class",
        lambda job, text: pod(job).update(priorityClassName=text),
        ["A", "a b", "-a"],
    ),
    "policy": (
        "kubernetes.image_pull_policy",
        lambda job, text: pod(job)["containers"][0].update(imagePullPolicy=text),
        ["always", "IfNotThere"],
    ),
    "effect": (
        "kubernetes.tolerations",
        lambda job, text: pod(job).update(tolerations=[{"key": "a", "effect": text.partition(":")[2]}]),
        ["a:noschedule", "a:No"],
    ),
    "user": (
        "kubernetes.user",
        lambda job, text: pod(job)["securityContext"].update(runAsUser=int(text)),
        ["-1", "2147483648"],
    ),
}
"""By name: the key, how to put a text into a Job past our checks, and texts that both we and the cluster refuse."""


def pod(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("what", REFUSED)
def test_what_we_refuse_the_cluster_refuses_too(what: str, kubectl: Kubectl, namespace: Namespace) -> None:
    key, put, texts = REFUSED[what]
    jobs = []
    for number, text in enumerate(texts, 1):
        full, value = (key + text, "v") if key.endswith(".") else (key, text)
        with pytest.raises(ValueError, match=r"must|has a key"):
            spec_keys.convert(full, value)
        jobs.append(render.with_attempt(render.stage_manifests(plan_of(namespace))["export"], number))
        put(jobs[-1], text)
    answer = strict(kubectl, *jobs)
    assert answer.stdout == "", answer.stdout


def test_words_and_environment_reach_the_process_as_they_are(
    kubectl: Kubectl, namespace: Namespace, image: str
) -> None:
    texts = [hostile.text(random.Random(case)) for case in range(60)]  # noqa: S311
    environment = {f"V{number}": text for number, text in enumerate(texts)}
    plan = plan_of(namespace, env=environment, kubernetes={"image": image})
    shown = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    reader = render.reader_pod(plan, "w", ["python", "-c", shown, *texts])
    stage = pod(render.stage_manifests(plan)["export"])["containers"][0]
    reader["spec"]["containers"][0]["env"] = [item for item in stage["env"] if "value" in item]
    place = ("-n", str(namespace))
    kubectl.apply(reader)
    kubectl(*place, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/demo-reader-w", "--timeout=120s")
    words, seen = json.loads(kubectl(*place, "logs", "demo-reader-w"))
    assert words == texts
    assert {name: seen[name] for name in environment} == environment
