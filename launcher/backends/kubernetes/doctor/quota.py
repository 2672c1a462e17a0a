"""What the namespace's ResourceQuotas leave, against what a run asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from launcher.backends.kubernetes.doctor import demand
from launcher.backends.kubernetes.doctor.demand import Demand
from launcher.doctor import Finding, error, ok, warning
from launcher.kubernetes_values import amount

CHECK = "quota"

_OBJECTS = {
    "ConfigMap": ("configmaps", "count/configmaps"),
    "ServiceAccount": ("count/serviceaccounts",),
    "Role": ("count/roles.rbac.authorization.k8s.io",),
    "RoleBinding": ("count/rolebindings.rbac.authorization.k8s.io",),
    "Job": ("count/jobs.batch",),
    "Service": ("services", "count/services"),
}
"""Names under which a quota may count an object."""


def usage(manifests: Sequence[Mapping[str, Any]], stages: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """By a quota's names: the objects of a run with the Jobs of all its stages, and the pods of runner and largest
    stage."""
    used: dict[str, Decimal] = {}
    for thing in (*manifests, *stages):
        used = demand.total(used, {name: Decimal(1) for name in _OBJECTS[thing["kind"]]})
    runner = [demand.of_pod(demand.pod_spec(thing)) for thing in manifests if thing["kind"] == "Job"]
    staged = [(demand.of_pod(demand.pod_spec(stage)), int(stage["spec"]["parallelism"])) for stage in stages]
    requests = demand.total(
        *(one.requests for one in runner), demand.largest(_times(one.requests, pods) for one, pods in staged)
    )
    limits = demand.total(
        *(one.limits for one in runner), demand.largest(_times(one.limits, pods) for one, pods in staged)
    )
    pods = Decimal(len(runner) + max((pods for _, pods in staged), default=0))
    return {
        **used,
        **{f"requests.{name}": value for name, value in requests.items()},
        **{f"limits.{name}": value for name, value in limits.items()},
        **{name: value for name, value in requests.items() if name in ("cpu", "memory")},
        "pods": pods,
        "count/pods": pods,
    }


def _times(amounts: Mapping[str, Decimal], pods: int) -> dict[str, Decimal]:
    return {name: value * pods for name, value in amounts.items()}


def judge(
    quotas: Sequence[Mapping[str, Any]],
    limit_ranges: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Decimal],
    pods: Sequence[Demand],
    priority_class: str,
) -> Iterator[Finding]:
    """One finding for each quantity that is not enough, or one that all are."""
    ours = [quota for quota in quotas if _applies(quota, priority_class)]
    findings = [finding for quota in ours for finding in _of_quota(quota, asked)]
    findings += [finding for quota in ours for finding in _unset(quota, limit_ranges, pods)]
    if not findings:
        names = ", ".join(quota["metadata"]["name"] for quota in ours)
        findings = [ok(CHECK, f"{names} leave(s) enough for the run" if ours else "no ResourceQuota in the namespace")]
    yield from findings


def _of_quota(quota: Mapping[str, Any], asked: Mapping[str, Decimal]) -> Iterator[Finding]:
    name = quota["metadata"]["name"]
    hard = quota.get("status", {}).get("hard") or quota.get("spec", {}).get("hard") or {}
    used = quota.get("status", {}).get("used") or {}
    for key, text in hard.items():
        wanted = asked.get(key)
        if wanted is None:
            continue
        most, taken = amount(str(text)), amount(str(used.get(key, "0")))
        if wanted > most:
            yield error(
                CHECK,
                f"{key}: the run asks for {demand.shown(key, wanted)}, and {name} allows {text} in all",
                "ask for less (kubernetes.cpu, kubernetes.memory, devices), or for a larger quota",
            )
        elif wanted > most - taken:
            left = demand.shown(key, max(most - taken, Decimal(0)))
            yield warning(
                CHECK,
                f"{key}: the run asks for {demand.shown(key, wanted)}, and of {name} {left} of {text} are left",
                "it waits until others end; or ask for less, or for a larger quota",
            )


def _unset(
    quota: Mapping[str, Any], limit_ranges: Sequence[Mapping[str, Any]], pods: Sequence[Demand]
) -> Iterator[Finding]:
    """A quota on a quantity refuses every pod that does not set it, unless a LimitRange does so for it."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    for key in hard:
        kind, _, name = key.rpartition(".")
        if name not in ("cpu", "memory") or kind not in ("", "limits", "requests"):
            continue
        unset = any(name in (pod.without_limit if kind == "limits" else pod.without_request) for pod in pods)
        if unset and not _has_default(limit_ranges, "default" if kind == "limits" else "defaultRequest", name):
            yield error(
                CHECK,
                f"{quota['metadata']['name']} counts {key}, so that a pod without it is refused, and ours set none",
                f"add a LimitRange with a default for {name}, or take {key} out of the quota",
            )


def _has_default(limit_ranges: Sequence[Mapping[str, Any]], field: str, name: str) -> bool:
    items = [item for one in limit_ranges for item in one["spec"]["limits"] if item.get("type") == "Container"]
    return any(name in (item.get(field) or {}) for item in items)


def _applies(quota: Mapping[str, Any], priority_class: str) -> bool:
    """Whether it counts our pods: they have requests, and no end of their own (activeDeadlineSeconds)."""
    spec = quota.get("spec") or {}
    if {"BestEffort", "Terminating"} & set(spec.get("scopes") or ()):
        return False
    for rule in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        if rule["scopeName"] in ("BestEffort", "Terminating"):
            return False
        if rule["scopeName"] == "PriorityClass" and not _selects(rule, priority_class):
            return False
    return True


def _selects(rule: Mapping[str, Any], priority_class: str) -> bool:
    operator: str = rule["operator"]
    values: Sequence[str] = rule.get("values") or ()
    if operator in ("Exists", "DoesNotExist"):
        return bool(priority_class) == (operator == "Exists")
    return (priority_class in values) == (operator == "In")
