"""What the test cluster promises to those who test on it, seen on the cluster itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.access import Kubectl, Namespace
from tests.cluster.boot import up
from tests.cluster.control import Control
from tests.cluster.layout import FAKE_ACCELERATORS, FAKE_NOTE, NODES, PAUSE_IMAGE, Layout
from tests.cluster.machine import ip

pytestmark = [pytest.mark.cluster, pytest.mark.blows]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(namespace: Namespace, name: str, *args: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "pod", "image": PAUSE_IMAGE, "args": list(args), "securityContext": RESTRICTED}
    resources = spec.pop("resources", None)
    if resources:
        container["resources"] = {"limits": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": str(namespace), "labels": {"app": name}},
        "spec": {"containers": [container], "restartPolicy": "Never", "automountServiceAccountToken": False, **spec},
    }


def until(seen: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {within_s} s"
        time.sleep(0.3)


def conditions(kubectl: Kubectl, kind: str, name: str, *args: str) -> dict[str, dict[str, str]]:
    return {entry["type"]: entry for entry in kubectl.json("get", kind, name, *args)["status"].get("conditions", [])}


def statuses(kubectl: Kubectl, namespace: Namespace, name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = kubectl.json("-n", str(namespace), "get", "pod", name)["status"][
        "containerStatuses"
    ]
    return entries


def hardware_address(link: str) -> str:
    return Path("/sys/class/net", link, "address").read_text().strip()


def test_two_nodes_are_ready_and_say_that_their_accelerators_are_fake(kubectl: Kubectl, own: bool) -> None:
    if not own:
        pytest.skip("another cluster has its own nodes")
    nodes = kubectl.json("get", "nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == [node.name for node in NODES]
    for node in nodes:
        assert {name: int(node["status"]["allocatable"][name]) for name in FAKE_ACCELERATORS} == FAKE_ACCELERATORS
        assert "fake" in node["metadata"]["annotations"][FAKE_NOTE]


def test_a_gateway_keeps_its_hardware_address_as_pods_come_and_go(own: bool) -> None:
    if not own:
        pytest.skip("another cluster has its own network")
    assert len({hardware_address(node.bridge) for node in NODES}) == len(NODES)
    for node in NODES:
        before = hardware_address(node.bridge)
        # A port with an address lower than any: Linux gives it to a bridge that was not told its own.
        ip("link", "add", "seed-low", "address", "00:00:00:00:00:01", "type", "veth", "peer", "name", "seed-peer")
        try:
            ip("link", "set", "seed-low", "master", node.bridge)
            assert hardware_address(node.bridge) == before
        finally:
            ip("link", "delete", "seed-low")


def test_the_scheduler_counts_the_accelerators(kubectl: Kubectl, namespace: Namespace, own: bool) -> None:
    if not own:
        pytest.skip("needs the test cluster's image and fake accelerators")
    kubectl.apply(
        pod(namespace, "fits", resources={"huawei.com/Ascend910": 8}),
        pod(namespace, "too-many", resources={"huawei.com/Ascend910": 17}),
    )
    kubectl("-n", str(namespace), "wait", "--for=condition=Ready", "pod/fits", "--timeout=60s")

    def refused() -> str:
        return conditions(kubectl, "pod", "too-many", "-n", str(namespace)).get("PodScheduled", {}).get("message", "")

    until(lambda: "Insufficient huawei.com/Ascend910" in refused(), 30)


def test_a_service_name_leads_to_a_pod_on_the_other_node(kubectl: Kubectl, namespace: Namespace, own: bool) -> None:
    if not own:
        pytest.skip("needs the test cluster's image")
    there, here = (node.name for node in NODES)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": str(namespace)},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    kubectl.apply(
        service,
        pod(namespace, "server", "serve", ":8080", nodeName=there),
        pod(namespace, "near", "fetch", "server:80", nodeName=there),
        pod(namespace, "far", "fetch", f"server.{namespace}.svc.cluster.local:80", nodeName=here),
    )
    for name in ("near", "far"):
        kubectl(
            "-n", str(namespace), "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=90s"
        )
        assert kubectl("-n", str(namespace), "logs", name) == "server\n"


def test_pod_security_refuses_a_privileged_pod(kubectl: Kubectl, namespace: Namespace) -> None:
    privileged = pod(namespace, "privileged")
    privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    refused = kubectl.run("create", "-f", "-", input=json.dumps(privileged))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


def test_shared_storage_takes_what_the_images_user_writes(kubectl: Kubectl, namespace: Namespace) -> None:
    claim = kubectl.json("-n", str(namespace), "get", "pvc", "sphereface")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    if namespace.storage is not None:
        assert claim["status"]["phase"] == "Bound"
        assert (namespace.storage.stat().st_uid, namespace.storage.stat().st_gid) == (10001, 10001)


def test_up_leaves_a_running_cluster_alone(cluster: Control, layout: Layout) -> None:
    before = {name: cluster.pid(name) for name in cluster.names}
    up()
    assert {name: cluster.pid(name) for name in cluster.names} == before


def test_a_killed_kubelet_is_a_lost_node_until_it_is_started(
    kubectl: Kubectl, namespace: Namespace, cluster: Control
) -> None:
    """A new kubelet keeps the pods that hold accelerators."""
    holder = pod(namespace, "holder", resources={"nvidia.com/gpu": 8}, nodeName="node-b")
    holder["spec"]["tolerations"] = [{"operator": "Exists"}]
    kubectl.apply(holder)
    kubectl("-n", str(namespace), "wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")
    old = cluster.kill("kubelet-node-b")
    until(lambda: conditions(kubectl, "node", "node-b")["Ready"]["status"] == "Unknown", 60)
    new = cluster.start("kubelet-node-b")
    assert new != old
    assert conditions(kubectl, "node", "node-b")["Ready"]["status"] == "True"
    kubectl("-n", str(namespace), "wait", "--for=condition=Ready", "pod/holder", "--timeout=60s")
    assert statuses(kubectl, namespace, "holder")[0]["restartCount"] == 0


@pytest.mark.parametrize("part", ["etcd", "apiserver", "controller-manager", "scheduler", "containerd-node-b"])
def test_a_killed_part_comes_back_as_it_was(
    kubectl: Kubectl, namespace: Namespace, cluster: Control, part: str
) -> None:
    """A pod that ran before goes on, one made afterwards runs."""
    kubectl.apply(pod(namespace, "before", nodeName="node-b"))
    kubectl("-n", str(namespace), "wait", "--for=condition=Ready", "pod/before", "--timeout=60s")
    old = cluster.kill(part)
    assert cluster.start(part) != old
    until(lambda: kubectl.run("get", "--raw", "/readyz").returncode == 0, 60)
    kubectl.apply(pod(namespace, "after", nodeSelector={"kubernetes.io/hostname": "node-b"}))
    kubectl("-n", str(namespace), "wait", "--for=condition=Ready", "pod/after", "pod/before", "--timeout=90s")
    assert statuses(kubectl, namespace, "before")[0]["restartCount"] == 0
