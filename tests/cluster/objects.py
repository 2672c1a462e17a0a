"""Objects that a fresh cluster gets: its DNS service, CoreDNS's rights, what each node says of itself. Pure."""

from __future__ import annotations

from typing import Any

from tests.cluster.layout import API_ADDRESS, DNS_SERVICE, FAKE_ACCELERATORS, FAKE_NOTE

RBAC = "/apis/rbac.authorization.k8s.io/v1"
KUBE_SYSTEM = "kube-system"


def first_objects() -> list[tuple[str, dict[str, Any]]]:
    """Collection path and manifest of each."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    dns = {"name": "kube-dns", "namespace": KUBE_SYSTEM, "labels": {"kubernetes.io/service-name": "kube-dns"}}
    coredns = {"name": "system:coredns"}
    reads = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}
    return [
        (
            f"/api/v1/namespaces/{KUBE_SYSTEM}/services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": dns,
                "spec": {"clusterIP": DNS_SERVICE, "ports": ports},
            },
        ),
        (
            f"/apis/discovery.k8s.io/v1/namespaces/{KUBE_SYSTEM}/endpointslices",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": dns,
                "addressType": "IPv4",
                "ports": ports,
                "endpoints": [{"addresses": [API_ADDRESS], "conditions": {"ready": True}}],
            },
        ),
        (
            f"{RBAC}/clusterroles",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": coredns,
                "rules": reads,
            },
        ),
        (
            f"{RBAC}/clusterrolebindings",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": coredns,
                "roleRef": role,
                "subjects": [user],
            },
        ),
    ]


def fake_note() -> dict[str, Any]:
    """Merge patch of a node: says in its annotations which devices are numbers only."""
    numbers = ", ".join(f"{name}={count}" for name, count in FAKE_ACCELERATORS.items())
    return {"metadata": {"annotations": {FAKE_NOTE: f"{numbers}: fake, for the scheduler to count; no device exists"}}}


def fake_capacity() -> dict[str, Any]:
    """Merge patch of a node's status; its kubelet copies the numbers to `allocatable`."""
    return {"status": {"capacity": {name: str(count) for name, count in FAKE_ACCELERATORS.items()}}}


def offers(node: dict[str, Any]) -> bool:
    """Whether the status has the numbers and the annotation says that they are fake."""
    capacity = node.get("status", {}).get("capacity", {})
    numbers = {name: str(count) for name, count in FAKE_ACCELERATORS.items()}
    return numbers.items() <= capacity.items() and FAKE_NOTE in node["metadata"].get("annotations", {})


def ready(node: dict[str, Any]) -> bool:
    """Whether the node is Ready and a pod may have the fake accelerators."""
    status = node.get("status", {})
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    numbers = {name: str(count) for name, count in FAKE_ACCELERATORS.items()}
    return conditions.get("Ready") == "True" and numbers.items() <= status.get("allocatable", {}).items()
