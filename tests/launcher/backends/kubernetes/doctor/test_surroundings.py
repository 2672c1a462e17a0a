from __future__ import annotations

from typing import Any

import pytest

from launcher import render
from launcher.backends.kubernetes.doctor import surroundings
from launcher.doctor import Level
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec


@pytest.mark.parametrize(
    ("version", "level"),
    [("v1.34.4", Level.OK), ("v1.29.0+k3s1", Level.OK), ("v1.28.9", Level.WARNING), ("odd", Level.OK)],
)
def test_version(version: str, level: Level) -> None:
    assert surroundings.version({"gitVersion": version}, "https://x").level is level


def namespace(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "lab", "labels": labels}}


def test_our_pods_meet_restricted() -> None:
    manifests = render.manifests(make_plan(RunSpec("demo", storage="/storage", kubernetes=KubernetesSpec())))
    finding = surroundings.pod_security(namespace(**{"pod-security.kubernetes.io/enforce": "restricted"}), manifests)
    assert (finding.level, finding.text) == (Level.OK, "lab enforces restricted; the run's pods meet restricted")
    assert surroundings.pod_security(namespace(), manifests).text.startswith("lab enforces no level")


def test_pods_that_break_the_rules_say_which() -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "a", "image": "b"}], "hostPID": True},
    }
    finding = surroundings.pod_security(namespace(**{"pod-security.kubernetes.io/enforce": "baseline"}), [pod])
    assert finding.level is Level.ERROR
    assert "hostPID" in finding.text


@pytest.mark.parametrize(
    ("kind", "level"),
    [("kubernetes.io/dockerconfigjson", Level.OK), ("Opaque", Level.ERROR), (None, Level.ERROR)],
)
def test_pull_secret(kind: str | None, level: Level) -> None:
    assert surroundings.pull_secret("registry", "lab", kind).level is level


@pytest.mark.parametrize(
    ("there", "level", "words"),
    [
        (1000.0, Level.OK, "to within 1 s"),
        (940.0, Level.WARNING, "60 s ahead of the cluster"),
        (1060.0, Level.WARNING, "60 s behind the cluster"),
        (None, Level.WARNING, "does not tell its time"),
    ],
)
def test_clock(there: float | None, level: Level, words: str) -> None:
    finding = surroundings.clock(1000.0, there)
    assert finding.level is level
    assert words in finding.text


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_pods_that_mount_the_driver_of_their_node_need_a_privileged_namespace(level: str) -> None:
    spec = RunSpec("demo", device="ascend910", storage="/storage", kubernetes=KubernetesSpec(driver="host"))
    jobs = list(render.stage_manifests(make_plan(spec)).values())
    finding = surroundings.pod_security(namespace(**{"pod-security.kubernetes.io/enforce": level}), jobs)
    assert finding.level is Level.ERROR
    assert (
        f"lab enforces {level}, and the run's pods meet only privileged: volume driver-0: hostPath"
        in finding.text.replace("Job/demo-train-1: ", "")
    )
    assert "kubernetes.driver" in finding.advice
    allowed = surroundings.pod_security(namespace(**{"pod-security.kubernetes.io/enforce": "privileged"}), jobs)
    assert allowed.level is Level.OK
