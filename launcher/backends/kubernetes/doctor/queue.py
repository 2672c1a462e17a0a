"""Whether the queue that a run is to wait in is there and lets anybody go. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launcher.doctor import Finding, error, ok, warning

CHECK = "queue"
LOOK_YOURSELF = "see that the queue is there: kubectl get localqueues"

_ASK = "ask whoever runs the cluster; until then the run waits"


def no_kueue(name: str) -> Finding:
    return error(
        CHECK,
        f"the cluster has no Kueue: no queue '{name}' would hold the run back",
        "leave kubernetes.queue out, or ask whoever runs the cluster to install Kueue",
    )


def judge(name: str, namespace: str, queues: Sequence[Mapping[str, Any]]) -> Finding:
    """`queues` are all LocalQueues of the namespace."""
    queue = next((one for one in queues if one["metadata"]["name"] == name), None)
    if queue is None:
        others = ", ".join(sorted(str(one["metadata"]["name"]) for one in queues))
        advice = f"use one of its queues: {others}" if others else "ask whoever runs the cluster for a LocalQueue there"
        return error(CHECK, f"no LocalQueue '{name}' in {namespace}", advice)
    status = queue.get("status") or {}
    whose = f"{name}, of the cluster queue {queue['spec'].get('clusterQueue')},"
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    active = next((one for one in conditions if one["type"] == "Active"), {})
    if active.get("status") == "True":
        waiting, going = status.get("pendingWorkloads", 0), status.get("admittedWorkloads", 0)
        return ok(CHECK, f"{whose} is active: {waiting} wait, {going} have quota")
    if active:
        return error(CHECK, f"{whose} is not active: {active.get('message') or active.get('reason')}", _ASK)
    return warning(CHECK, f"{whose} has no status: Kueue has not looked at it yet", _ASK)
