"""Asks a cluster all that `launcher doctor` judges. It creates nothing: rights are asked for by access reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launcher import render
from launcher.backends.kubernetes import queueing
from launcher.backends.kubernetes.api import Api, Object, pages
from launcher.backends.kubernetes.doctor import claim, demand, nodes, queue, quota, rights, surroundings
from launcher.doctor import Finding, error, ok, warning
from launcher.errors import ApiError, BackendError
from launcher.plan import Plan

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True)
class Cluster:
    """The cluster that is examined, and who asks."""

    api: Api
    server: str
    origin: str
    """Where the credentials come from, in words."""
    server_time: Callable[[], float | None]
    clock: Callable[[], float]


def examine(cluster: Cluster, plan: Plan) -> Iterator[Finding]:
    """Findings as they come; where the cluster does not answer, that is the last one."""
    kubernetes = render.kubernetes_of(plan)
    yield ok("context", f"{cluster.origin}, namespace {kubernetes.namespace}")
    try:
        yield surroundings.version(cluster.api.request("GET", "/version"), cluster.server)
        yield surroundings.clock(cluster.clock(), cluster.server_time())
        namespace = _namespace(cluster.api, kubernetes.namespace)
        if isinstance(namespace, Finding):
            yield namespace
            if namespace.level == "error":
                return
        yield from _rights(cluster.api, plan)
        yield from _of_namespace(cluster.api, plan, None if isinstance(namespace, Finding) else namespace)
        yield from _nodes(cluster.api, plan)
    except BackendError as failure:
        yield error("server", str(failure), "nothing more can be asked until that is mended")


def _namespace(api: Api, name: str) -> Object | Finding:
    try:
        found: Object = api.request("GET", f"/api/v1/namespaces/{name}")
        return found
    except ApiError as failure:
        if failure.status == 404:
            return error("namespace", f"there is no namespace '{name}'", f"kubectl create namespace {name}, or use -n")
        return _unreadable("namespace", failure, "its Pod Security level is not known; submit finds out")


def _rights(api: Api, plan: Plan) -> Iterator[Finding]:
    granting = all(_allowed(api, right) for right in rights.GRANTING)
    role = next(thing for thing in render.manifests(plan) if thing["kind"] == "Role")
    needed = rights.of_verbs(plan.nodes) + (() if granting else rights.of_role(role))
    missing = [right for right in needed if not _allowed(api, right)]
    yield from rights.judge(missing, len(needed), api.namespace)


def _allowed(api: Api, right: rights.Right) -> bool:
    answer = api.request("POST", _REVIEWS, body=right.review(api.namespace))
    return bool(answer.get("status", {}).get("allowed"))


def _of_namespace(api: Api, plan: Plan, namespace: Object | None) -> Iterator[Finding]:
    """Pod Security, quota, storage and pull secret."""
    kubernetes = render.kubernetes_of(plan)
    manifests, stages = render.manifests(plan), list(render.stage_manifests(plan).values())
    if namespace is not None:
        yield surroundings.pod_security(namespace, [*manifests, *stages])
    try:
        ranges = api.request("GET", f"/api/v1/namespaces/{api.namespace}/limitranges")["items"]
        jobs = [thing for thing in (*manifests, *stages) if thing["kind"] == "Job"]
        pods = [demand.of_pod(demand.pod_spec(job)) for job in jobs]
        asked = quota.usage(manifests, stages)
        yield from quota.judge(list(api.list("resourcequotas")), ranges, asked, pods, kubernetes.priority_class)
    except ApiError as failure:
        yield _unreadable(quota.CHECK, failure, "what is left is not known; submit finds out")
    if kubernetes.queue:
        yield _queue(api, kubernetes.queue)
    yield _claim(api, kubernetes.claim)
    if kubernetes.image_pull_secret:
        yield _pull_secret(api, kubernetes.image_pull_secret)


def _queue(api: Api, name: str) -> Finding:
    try:
        version = queueing.preferred_version(api, queueing.KUEUE)
    except ApiError as failure:
        return queue.no_kueue(name) if failure.status == 404 else _unreadable(queue.CHECK, failure, queue.LOOK_YOURSELF)
    path = f"/apis/{queueing.KUEUE}/{version}/namespaces/{api.namespace}/localqueues"
    try:
        return queue.judge(name, api.namespace, list(pages(api, path)))
    except ApiError as failure:
        return _unreadable(queue.CHECK, failure, queue.LOOK_YOURSELF)


def _claim(api: Api, name: str) -> Finding:
    try:
        found: Object | None = api.get("persistentvolumeclaims", name)
    except ApiError as failure:
        if failure.status != 404:
            return _unreadable(claim.CHECK, failure, f"see that claim {name} is there and ReadWriteMany")
        found = None
    try:
        classes = api.request("GET", _CLASSES)["items"]
    except ApiError:  # cluster-wide, and only advice
        classes = None
    return claim.judge(name, api.namespace, found, classes)


def _pull_secret(api: Api, name: str) -> Finding:
    """As a table, whose columns are name and type: what is in the Secret is not read."""
    path = f"/api/v1/namespaces/{api.namespace}/secrets/{name}"
    try:
        table = api.request("GET", path, query={"includeObject": "None"}, accept=_TABLE)
    except ApiError as failure:
        if failure.status != 404:
            return _unreadable("pull secret", failure, f"see that Secret {name} is there")
        return surroundings.pull_secret(name, api.namespace, None)
    column = next(place for place, one in enumerate(table["columnDefinitions"]) if one["name"] == "Type")
    return surroundings.pull_secret(name, api.namespace, str(table["rows"][0]["cells"][column]))


def _nodes(api: Api, plan: Plan) -> Iterator[Finding]:
    """Whether there is room for the hungriest stage, and for each that is on another device than the run."""
    jobs = render.stage_manifests(plan)
    hungriest = max(plan.stages, key=lambda stage: stage.ranks)
    others = [stage for stage in plan.stages if stage.profile and stage is not hungriest]
    try:
        listed = list(pages(api, "/api/v1/nodes", {}))
    except ApiError as failure:
        yield _unreadable(nodes.CHECK, failure, "ask for `kubectl describe nodes`; a run that finds no room waits")
        return
    running: Mapping[str, str] = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
    pods: list[dict[str, Any]] | None
    try:
        pods = list(pages(api, "/api/v1/pods", running))
    except ApiError:
        pods = None
    for stage in (hungriest, *others):
        yield nodes.judge(demand.pod_spec(jobs[stage.name]), listed, pods)


def _unreadable(check: str, failure: ApiError, advice: str) -> Finding:
    """A refusal is the account's; anything else the cluster's, and the end of the examination. Raises ApiError."""
    if failure.status != 403:
        raise failure
    return warning(check, f"this account may not look: {str(failure).partition(';')[0]}", advice)
