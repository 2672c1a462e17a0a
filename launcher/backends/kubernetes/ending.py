"""Stopping a run's Jobs from outside, and removing what a run is made of: only what carries its label."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from launcher import names, render
from launcher.backends.kubernetes import observe, run_status
from launcher.backends.kubernetes.api import Api, Object
from launcher.backends.kubernetes.run_status import Seen, selector
from launcher.errors import ApiError, BackendError
from launcher.executor import Look
from launcher.plan import Plan

POLL_S = 0.2
ALONE_S = 10.0
"""A run whose runner does not run for so long is not stopped by one that may come."""
CANCEL_S = 120.0
STOP_S = 90.0
"""How long pods may take to end: 40 s to save a checkpoint, and what the node needs."""
HOPE_S = 60.0
"""So long after the first thing that kept the cleaner from its work, it is given up."""
LITTLE_HOPE_S = 5.0
CLEAN_S = 180.0
"""How long the removal of the run folder may take: its pod needs a node, its image, and the storage."""

REMOVED = ("jobs", "pods", "rolebindings", "roles", "serviceaccounts", "configmaps")
"""In this order; the plan, which holds the run's name, goes last of all."""
SERVICES = ("services",)
"""Of a run with several pods at a time; whoever has none needs no right to see them."""

_KINDS = {
    "jobs": "job.batch",
    "pods": "pod",
    "services": "service",
    "rolebindings": "rolebinding.rbac.authorization.k8s.io",
    "roles": "role.rbac.authorization.k8s.io",
    "serviceaccounts": "serviceaccount",
    "configmaps": "configmap",
}


@dataclass(frozen=True)
class Patience:
    """How waiting is done, here and in tests."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, done: Callable[[], bool], limit_s: float, poll_s: float = POLL_S) -> bool:
        """False: not done when the time was up."""
        end = self.clock() + limit_s
        while not done():
            if self.clock() >= end:
                return False
            self.sleep(poll_s)
        return True


def stop_jobs(api: Api, run: str, patience: Patience) -> None:
    """Ends the runner and then, when no runner can start another stage, the stages. Raises BackendError."""
    _end(api, run, names.RUNNER, patience)
    _end(api, run, names.STAGE, patience)


def await_cancelled(see: Callable[[], Seen], patience: Patience) -> Seen | None:
    """How a run that was asked to stop has ended; None where no runner lives to end it."""
    alone_since: float | None = None
    end = patience.clock() + CANCEL_S
    while patience.clock() < end:
        seen = see()
        if seen.finished:
            return seen
        if seen.runner.working:
            alone_since = None
        else:
            now = patience.clock()
            alone_since = now if alone_since is None else alone_since
            if not seen.began or seen.runner.ended or now - alone_since >= ALONE_S:
                return None
        patience.sleep(POLL_S)
    return None


def remove(api: Api, run: str, *, services: bool = False) -> tuple[str, ...]:
    """Everything with the run's label, as `kind/name`; can be run again after it was cut short."""
    found = [
        (resource, thing["metadata"]["name"])
        for resource in (*(SERVICES if services else ()), *REMOVED)
        for thing in api.list(resource, labels=selector(run))
        # The pods of a Job go with it.
        if resource != "pods" or not thing["metadata"].get("ownerReferences")
    ]
    plan = ("configmaps", names.object_name(run, names.PLAN))
    found.sort(key=lambda each: each == plan)
    for resource, name in found:
        api.delete(resource, name)
    return tuple(f"{_KINDS[resource]}/{name}" for resource, name in found)


def clean_storage(api: Api, plan: Plan, patience: Patience, *, required: bool) -> None:
    """Removes the run folder by a Job of its own; where there is no claim any more, there is nothing to remove.

    Raises BackendError with the reason where that Job does not get its work done, if that is `required`: a run in
    which no stage began has left nothing of worth, and is often one whose image or node cannot be had.
    """
    job = render.cleaner_job(plan)
    name = job["metadata"]["name"]
    try:
        api.create("jobs", job)
    except ApiError as error:
        if error.status != 409:  # else one that was cut short
            raise
    seen = _await_cleaner(api, plan.run, name, patience, HOPE_S if required else LITTLE_HOPE_S)
    api.delete("jobs", name)
    if seen.reason == "ClaimNotFound" or (seen.ended and seen.exit_code == 0) or not required:
        return
    why = ": ".join(part for part in (seen.reason, seen.message) if part) or "it was not done in time"
    raise BackendError(
        f"run '{plan.run}' is stopped, but its folder {plan.folder} could not be removed ({why}); mend that and delete "
        f"it again, or leave the folder and remove the rest: "
        f"kubectl -n {api.namespace} delete {','.join(REMOVED)} -l {selector(plan.run)}"
    )


def _await_cleaner(api: Api, run: str, name: str, patience: Patience, hope_s: float) -> Look:
    end = patience.clock() + CLEAN_S
    stuck = False
    while True:
        seen, now = _look(api, run, name), patience.clock()
        if seen.reason and not stuck:
            stuck, end = True, min(end, now + hope_s)
        if seen.ended or seen.reason == "ClaimNotFound" or now >= end:
            return seen
        patience.sleep(POLL_S)


def _look(api: Api, run: str, name: str) -> Look:
    job = run_status.find(api, "jobs", name)
    pods = list(api.list("pods", labels=selector(run, names.CLEANER)))
    look = observe.look(job, pods, ())
    if look.ended or look.working:
        return look
    return observe.look(job, pods, run_status.events(api, job, pods))


def _end(api: Api, run: str, role: str, patience: Patience) -> None:
    """Deletes the Jobs of that role, and waits for their pods to go."""
    for job in api.list("jobs", labels=selector(run, role)):
        api.delete("jobs", job["metadata"]["name"])
    left: list[Object] = []

    def gone() -> bool:
        left[:] = _living(api, run, role)
        return not left

    if not patience.until(gone, STOP_S):
        where = ", ".join(f"{pod['metadata']['name']} on node {pod['spec'].get('nodeName', '?')}" for pod in left)
        raise BackendError(
            f"run '{run}': {where} was told to end and has not; if that node is lost, try again when it is back or "
            "removed from the cluster"
        )


def _living(api: Api, run: str, role: str) -> Iterator[Object]:
    return (
        pod
        for pod in api.list("pods", labels=selector(run, role))
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    )
