"""What a run asks a cluster for at any one time: its runner and one stage. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from launcher.kubernetes_values import amount

Amounts = Mapping[str, Decimal]
"""Quantities by name (`cpu`, `memory`, `huawei.com/Ascend910`)."""


@dataclass(frozen=True)
class Demand:
    """Of one pod."""

    requests: Amounts
    limits: Amounts
    without_limit: frozenset[str]
    """Of cpu and memory, those that a container sets no limit for."""
    without_request: frozenset[str]


def of_pod(pod: Mapping[str, Any]) -> Demand:
    """Of a pod's spec; a limit without a request is one too, as in Kubernetes."""
    requests: dict[str, Decimal] = {}
    limits: dict[str, Decimal] = {}
    no_limit, no_request = set(), set()
    for container in pod.get("containers", ()):
        resources = container.get("resources") or {}
        own_limits = resources.get("limits") or {}
        own_requests = {**own_limits, **(resources.get("requests") or {})}
        _add(limits, own_limits)
        _add(requests, own_requests)
        no_limit |= {"cpu", "memory"} - own_limits.keys()
        no_request |= {"cpu", "memory"} - own_requests.keys()
    return Demand(requests, limits, frozenset(no_limit), frozenset(no_request))


def pod_spec(job: Mapping[str, Any]) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = job["spec"]["template"]["spec"]
    return spec


def largest(demands: Iterable[Amounts]) -> dict[str, Decimal]:
    """Of each quantity, the largest."""
    most: dict[str, Decimal] = {}
    for demand in demands:
        for name, value in demand.items():
            most[name] = max(value, most.get(name, Decimal(0)))
    return most


def total(*demands: Amounts) -> dict[str, Decimal]:
    whole: dict[str, Decimal] = {}
    for demand in demands:
        for name, value in demand.items():
            whole[name] = whole.get(name, Decimal(0)) + value
    return whole


def shown(name: str, value: Decimal) -> str:
    """`500m`, `2`, `8Gi`."""
    if name.endswith(("memory", "storage")):
        for suffix, size in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
            if abs(value) >= size:
                return f"{float(value / size):.4g}{suffix}"
    if value == value.to_integral_value():
        return str(int(value))
    return f"{float(value * 1000):.4g}m"


def _add(whole: dict[str, Decimal], more: Mapping[str, Any]) -> None:
    for name, text in more.items():
        whole[name] = whole.get(name, Decimal(0)) + amount(str(text))
