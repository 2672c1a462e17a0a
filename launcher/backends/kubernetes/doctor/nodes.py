"""Whether some node can take a stage's pod: labels, taints, and what of its devices, processors and memory is free.

Pure. The scheduler knows more rules than these; it has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from launcher.backends.kubernetes.doctor import demand
from launcher.doctor import Finding, error, ok, warning
from launcher.kubernetes_values import amount

CHECK = "devices"

_Object = Mapping[str, Any]


def judge(pod: _Object, nodes: Sequence[_Object], pods: Iterable[_Object] | None) -> Finding:
    """For the stage's pod that asks for most. `pods` are those of all namespaces; None: they could not be read."""
    wanted = demand.of_pod(pod).requests
    asked = ", ".join(
        f"{demand.shown(name, value)} {name}" for name, value in sorted(wanted.items(), key=_devices_first)
    )
    used = _used(pods or ())
    closed = {node["metadata"]["name"]: _closed(node, pod) for node in nodes}
    open_nodes = [node for node in nodes if not closed[node["metadata"]["name"]]]
    small = {node["metadata"]["name"]: _lacks(node, {}, wanted) for node in open_nodes}
    large = [node for node in open_nodes if not small[node["metadata"]["name"]]]
    busy = {node["metadata"]["name"]: _lacks(node, used.get(node["metadata"]["name"], {}), wanted) for node in large}
    free = [name for name, why in busy.items() if not why]
    if free:
        unsure = "" if pods is not None else " (what is free could not be read: this account may not list all pods)"
        return ok(CHECK, f"{asked}: fits on {len(free)} of {len(nodes)} node(s): {', '.join(free[:5])}{unsure}")
    if busy:
        return warning(
            CHECK,
            f"{asked}: no node has that free now: {_listed(busy)}",
            "the run waits until others end, or ask for less",
        )
    return error(CHECK, f"{asked}: no node can take it: {_listed({**closed, **small})}", _advice(nodes, closed, small))


def _advice(nodes: Sequence[_Object], closed: Mapping[str, str], small: Mapping[str, str]) -> str:
    if not nodes:
        return "the cluster has no node"
    if small:
        return "ask for less (devices, kubernetes.cpu, kubernetes.memory), or for larger nodes"
    if any("label" in why for why in closed.values()):
        return "mend kubernetes.node_selector, or label a node"
    if any("taint" in why for why in closed.values()):
        return "add the taint to kubernetes.tolerations"
    return "wait for a node, or ask whoever runs the cluster"


def _closed(node: _Object, pod: _Object) -> str:
    """Why no pod like this comes to the node, whatever is free there; empty where it may."""
    conditions = {one["type"]: one["status"] for one in node.get("status", {}).get("conditions", ())}
    if conditions.get("Ready") != "True":
        return "is not ready"
    spec = node.get("spec", {})
    if spec.get("unschedulable"):
        return "is closed to new pods (cordoned)"
    labels = node["metadata"].get("labels", {})
    for key, value in (pod.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return f"lacks the label {key}={value}"
    for taint in spec.get("taints", ()):
        if taint["effect"] != "PreferNoSchedule" and not any(
            _tolerates(one, taint) for one in pod.get("tolerations", ())
        ):
            value = f"={taint['value']}" if taint.get("value") else ""
            return f"has the taint {taint['key']}{value}:{taint['effect']}"
    return ""


def _tolerates(toleration: _Object, taint: _Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint["key"]:
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def _lacks(node: _Object, used: Mapping[str, Decimal], wanted: Mapping[str, Decimal]) -> str:
    """What of the node is not enough, first the devices; empty where all is."""
    allocatable = node.get("status", {}).get("allocatable", {})
    for name, value in sorted(wanted.items(), key=_devices_first):
        whole = amount(str(allocatable.get(name, "0")))
        if whole - used.get(name, Decimal(0)) < value:
            left = demand.shown(name, max(whole - used.get(name, Decimal(0)), Decimal(0)))
            return f"has {left} of {demand.shown(name, whole)} {name} free" if used else f"has {left} {name}"
    room = int(allocatable.get("pods", "1"))
    return "has no room for another pod" if used.get("pods", Decimal(0)) >= room else ""


def _used(pods: Iterable[_Object]) -> dict[str, dict[str, Decimal]]:
    """By node: what the pods there, but for those that have ended, asked for."""
    used: dict[str, dict[str, Decimal]] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            own = demand.of_pod(pod["spec"]).requests
            used[node] = demand.total(used.get(node, {}), own, {"pods": Decimal(1)})
    return used


def _devices_first(item: tuple[str, Decimal]) -> tuple[bool, str]:
    return "/" not in item[0], item[0]


def _listed(whys: Mapping[str, str]) -> str:
    told = [f"{name} {why}" for name, why in whys.items() if why]
    more = f", and {len(told) - 5} more" if len(told) > 5 else ""
    return ", ".join(told[:5]) + more
