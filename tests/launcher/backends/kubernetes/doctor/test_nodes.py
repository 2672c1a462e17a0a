from __future__ import annotations

from typing import Any

import pytest

from launcher.backends.kubernetes.doctor import nodes
from launcher.doctor import Level

ASCEND = "huawei.com/Ascend910"


def node(name: str, devices: int = 16, cpu: str = "32", **spec: Any) -> dict[str, Any]:
    ready = spec.pop("ready", "True")
    return {
        "metadata": {"name": name, "labels": {"accelerator": "huawei-Ascend910", **spec.pop("labels", {})}},
        "spec": spec,
        "status": {
            "allocatable": {ASCEND: str(devices), "cpu": cpu, "memory": "256Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(devices: int = 8, **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1", ASCEND: str(devices)}, "limits": {ASCEND: str(devices), "memory": "8Gi"}}
    return {"containers": [{"resources": resources}], **spec}


def running(on: str, devices: int, phase: str = "Running") -> dict[str, Any]:
    return {"spec": {"nodeName": on, **pod(devices)}, "status": {"phase": phase}}


def test_a_node_with_room_is_enough() -> None:
    finding = nodes.judge(pod(), [node("a"), node("b", devices=0)], [])
    assert finding.level is Level.OK
    assert finding.text == f"8 {ASCEND}, 1 cpu, 8Gi memory: fits on 1 of 2 node(s): a"


def test_what_others_use_counts_until_they_have_ended() -> None:
    finding = nodes.judge(pod(), [node("a")], [running("a", 12), running("a", 4, "Succeeded")])
    assert finding.level is Level.WARNING
    assert f"a has 4 of 16 {ASCEND} free" in finding.text
    assert nodes.judge(pod(), [node("a")], [running("a", 12, "Failed")]).level is Level.OK


def test_without_a_look_at_pods_it_says_so() -> None:
    finding = nodes.judge(pod(), [node("a")], None)
    assert finding.level is Level.OK
    assert "what is free could not be read" in finding.text


@pytest.mark.parametrize(
    ("there", "why", "advice"),
    [
        (node("a", devices=4), f"a has 4 {ASCEND}", "ask for less"),
        (node("a", cpu="500m"), "a has 500m cpu", "ask for less"),
        (node("a", ready="Unknown"), "a is not ready", "wait for a node"),
        (node("a", unschedulable=True), "a is closed to new pods", "wait for a node"),
        (node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]), "a has the taint k=v:NoSchedule",
         "kubernetes.tolerations"),
    ],
)  # fmt: skip
def test_a_node_that_never_takes_it_says_why(there: dict[str, Any], why: str, advice: str) -> None:
    finding = nodes.judge(pod(), [there], [])
    assert finding.level is Level.ERROR
    assert why in finding.text
    assert advice in finding.advice


def test_a_label_that_no_node_has() -> None:
    finding = nodes.judge(pod(nodeSelector={"zone": "x"}), [node("a")], [])
    assert "a lacks the label zone=x" in finding.text
    assert "kubernetes.node_selector" in finding.advice


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"operator": "Exists"}, True),
    ],
)
def test_tolerations(toleration: dict[str, Any], tolerated: bool) -> None:
    tainted = node("a", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    finding = nodes.judge(pod(tolerations=[toleration]), [tainted], [])
    assert (finding.level is Level.OK) == tolerated


def test_a_cluster_without_nodes() -> None:
    assert nodes.judge(pod(), [], []).advice == "the cluster has no node"


def test_of_many_nodes_a_few_are_named() -> None:
    finding = nodes.judge(pod(), [node(f"n{number}", devices=0) for number in range(9)], [])
    assert finding.text.endswith("n4 has 0 huawei.com/Ascend910, and 4 more")
