"""What is seen of a run from outside the cluster: what its runner published, or why there is no runner to publish.

The status ConfigMap is enough for a run that has ended, and its metadata for a list. The runner's Job, its pods and
their events are read where the run has not, and nothing is ever written here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from launcher import names, plan, status
from launcher.backends.kubernetes import observe
from launcher.backends.kubernetes.api import METADATA_LIST, Api, Object, pages, path_of
from launcher.errors import ApiError, Conflict, LauncherError, NotFound
from launcher.executor import Look
from launcher.plan import Plan
from launcher.states import REASONS, State
from launcher.status import RunStatus, StageStatus

BACKEND = "kubernetes"
UNDER_WAY = (State.STARTING, State.RUNNING, State.RETRYING)
LOOKED_AT = 20
"""Runs in a list that have no living runner although they have not ended: of so many the reason is looked for."""


@dataclass(frozen=True)
class Seen:
    """A run from outside."""

    status: RunStatus
    published: RunStatus | None
    """What the runner last said of it; None before its first word."""
    status_map: Object | None
    runner: Look
    """Of the runner's Job; not looked for (`ended`) where the run has finished."""

    @property
    def began(self) -> bool:
        return self.published is not None

    @property
    def finished(self) -> bool:
        """Told so by its runner (or by who stopped it), and not only concluded from here."""
        return self.published is not None and self.published.state.terminal


def see(api: Api, run: str | Plan, now: float, *, quick: bool = False) -> Seen:
    """With its plan instead of its name, that need not be read. `quick`: without events, which the server finds by
    going through all of the namespace.

    Raises NotFound for a run that is not there, BackendError where the cluster does not answer or refuses.
    """
    made = None if isinstance(run, str) else run
    run = run if isinstance(run, str) else run.run
    if not names.is_run_name(run):
        raise NotFound(not_found(api, run))
    status_map = find(api, "configmaps", names.object_name(run, names.STATUS))
    published = _published(status_map) if status_map else None
    if published and published.state.terminal:
        return Seen(published, published, status_map, Look(ended=True))
    job = find(api, "jobs", names.object_name(run, names.RUNNER))
    pods = list(api.list("pods", labels=selector(run, names.RUNNER)))
    look = observe.look(job, pods, ())
    if look.ended and published:
        # It may have told the end and gone between the two looks.
        status_map = find(api, "configmaps", names.object_name(run, names.STATUS))
        published = _published(status_map) if status_map else None
        if published and published.state.terminal:
            return Seen(published, published, status_map, look)
    if not look.ended and not look.working and not quick:
        look = observe.look(job, pods, events(api, job, pods))
    if published:
        return Seen(_with_runner(published, look), published, status_map, look)
    if job is None and (plan_map := find_plan(api, run)):
        made = plan_of(plan_map)
        if other := annotation(plan_map, names.ANNOTATION_TARGET):
            return Seen(_elsewhere(made, other, now), None, status_map, look)
    return Seen(_unpublished(made or read_plan(api, run), status_map, job, look, now), None, status_map, look)


def see_all(api: Api, now: float) -> list[RunStatus]:
    """Metadata only, 500 at a time, so that thousands of runs are listed in a moment."""
    path, query = path_of(api.namespace, "configmaps"), {"labelSelector": f"{names.LABEL_ROLE}={names.STATUS}"}
    found = [_listed(item) for item in pages(api, path, query, accept=METADATA_LIST)]
    going = {run.run for run in found if not run.state.terminal}
    if not going:
        return found
    running = {"labelSelector": f"{names.LABEL_ROLE}={names.RUNNER}", "fieldSelector": "status.phase=Running"}
    living = pages(api, path_of(api.namespace, "pods"), running, accept=METADATA_LIST)
    doubtful = sorted(going - {label(pod, names.LABEL_RUN) for pod in living})
    looked = {run: _looked_at(api, run, now) for run in doubtful[:LOOKED_AT]}
    return [looked.get(run.run) or run for run in found]


def _looked_at(api: Api, run: str, now: float) -> RunStatus | None:
    """None for a run that is removed just now, or cannot be read: the list shows it all the same."""
    try:
        return see(api, run, now, quick=True).status
    except LauncherError:
        return None


def read_plan(api: Api, run: str) -> Plan:
    """Raises NotFound, and LauncherError for a plan that this launcher cannot read."""
    found = find_plan(api, run)
    if found is None:
        raise NotFound(not_found(api, run))
    return plan_of(found)


def find_plan(api: Api, run: str) -> Object | None:
    """The run's plan ConfigMap; None where there is none, or it is no run's."""
    found = find(api, "configmaps", names.object_name(run, names.PLAN)) if names.is_run_name(run) else None
    return found if found is not None and label(found, names.LABEL_RUN) == run else None


def not_found(api: Api, run: str) -> str:
    return f"no run '{run}' in namespace {api.namespace}; `launcher list` shows what is there"


def plan_of(plan_map: Object) -> Plan:
    name = plan_map["metadata"]["name"]
    try:
        return plan.from_json(json.loads(plan_map.get("data", {})[names.PLAN_KEY]))
    except (KeyError, ValueError, LauncherError) as error:
        raise LauncherError(f"configmap/{name}: {names.PLAN_KEY} cannot be read: {error}") from None


def find(api: Api, resource: str, name: str) -> Object | None:
    try:
        return api.get(resource, name)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def selector(run: str, role: str = "") -> str:
    return f"{names.LABEL_RUN}={run}" + (f",{names.LABEL_ROLE}={role}" if role else "")


def label(thing: Object, key: str) -> str:
    return str((thing["metadata"].get("labels") or {}).get(key, ""))


def annotation(thing: Object, key: str) -> str:
    return str((thing["metadata"].get("annotations") or {}).get(key, ""))


def events(api: Api, job: Object | None, pods: Sequence[Object]) -> list[Object]:
    """What `observe.look` reads of them, if anything."""
    return events_of(api, observe.told_by_events(job, pods))


def events_of(api: Api, thing: Object | None) -> list[Object]:
    """They name their thing as `involvedObject`."""
    return list(api.list("events", fields=f"involvedObject.name={thing['metadata']['name']}")) if thing else []


def lost(run: RunStatus, message: str) -> RunStatus:
    """A run that nobody drives: that it has ended would be as wrong as that it goes on."""
    word = REASONS["SupervisorLost"].word
    stages = tuple(
        replace(stage, state=State.UNKNOWN, reason=word, message="") if stage.state in UNDER_WAY else stage
        for stage in run.stages
    )
    return replace(run, state=State.UNKNOWN, reason=word, message=message, stages=stages)


def pending(run: RunStatus) -> RunStatus:
    """Of a run that is to go on: what is finished stays so."""
    stages = tuple(
        stage if stage.state is State.SUCCEEDED else replace(stage, state=State.PENDING, reason="", message="")
        for stage in run.stages
    )
    return replace(run, state=State.PENDING, reason="", message="", ended=None, stages=stages)


def cancelled(run: RunStatus, now: float) -> RunStatus:
    """Of a run that was stopped while nobody drove it."""
    word = REASONS["CancelledByUser"].word
    stages = tuple(
        replace(stage, state=State.CANCELLED, reason=word, message="", ended=now)
        if stage.state in (*UNDER_WAY, State.UNKNOWN)
        else stage
        for stage in run.stages
    )
    return replace(run, state=State.CANCELLED, reason=word, message="", ended=now, stages=stages)


def publish(api: Api, run: RunStatus, annotations: Mapping[str, str | None] | None = None) -> None:
    """In the place of a runner that is not there, or from the runner itself. Raises BackendError."""
    told = {names.ANNOTATION_SUMMARY: status.summary(run), **(annotations or {})}
    text = json.dumps(status.to_json(run), indent=1)
    body = {"metadata": {"annotations": told}, "data": {names.STATUS_KEY: text}}
    api.patch("configmaps", names.object_name(run.run, names.STATUS), body)


def _with_runner(published: RunStatus, look: Look) -> RunStatus:
    """The stages go on without a runner for a while, and a new one comes; without one to come the run is lost."""
    if look.ended:
        return lost(published, f"its runner is gone: {look.message or look.reason or 'it ended too early'}")
    if not look.working and look.reason and not published.reason:
        because = f"{look.reason}{': ' if look.message else ''}{look.message}"
        return replace(published, message=f"its runner is to start again ({because})")
    return published


def _unpublished(made: Plan, status_map: Object | None, job: Object | None, look: Look, now: float) -> RunStatus:
    """Of a run whose runner has not begun."""
    created = created_at(job or status_map) or now
    run = initial(made, created)
    if status_map is None and job is not None and look.working:
        return lost(run, "its status ConfigMap was deleted; 'launcher resume' makes it anew")
    if job is None:
        return lost(run, "its runner is not there: submit was interrupted, or somebody deleted it")
    if look.working:
        return replace(run, state=State.STARTING)
    if look.ended:
        reason = look.reason or "SupervisorLost"
        return replace(run, state=State.FAILED, reason=reason, message=f"its runner ended: {look.message}")
    waited, limit = now - created, made.kubernetes.start_deadline_s if made.kubernetes else 0.0
    if limit and waited > limit:
        because = ": ".join(part for part in (look.reason, look.message) if part) or "nobody says why"
        message = f"its runner did not start within {limit:g} s ({because})"
        return replace(run, state=State.FAILED, reason="NotStarted", message=message, ended=created + limit)
    return replace(run, reason=look.reason, message=look.message)


def _elsewhere(made: Plan, job: str, now: float) -> RunStatus:
    """Of a run that another operator's job carries out: how far that is, only the operator tells."""
    message = f"{job} carries it out: kubectl get {job}"
    return replace(initial(made, now), state=State.UNKNOWN, reason=REASONS["OtherOperator"].word, message=message)


def refuse_elsewhere(plan_map: Object | None) -> None:
    """Raises Conflict for a run of which another operator's job is in charge."""
    if plan_map and (job := annotation(plan_map, names.ANNOTATION_TARGET)):
        run = label(plan_map, names.LABEL_RUN)
        raise Conflict(
            f"run '{run}' was rendered for another operator, and {job} carries it out: stop that with kubectl delete "
            f"{job}; 'launcher delete {run}' then frees the name"
        )


def initial(made: Plan, created: float) -> RunStatus:
    """Of a run in which nothing has happened."""
    return RunStatus(
        run=made.run,
        state=State.PENDING,
        reason="",
        message="",
        backend=BACKEND,
        device=made.device,
        devices=made.devices,
        created=created,
        ended=None,
        folder=made.folder,
        plan_hash=made.hash,
        stages=tuple(StageStatus(stage.name, State.PENDING) for stage in made.stages),
        nodes=made.nodes,
    )


def created_at(thing: Object | None) -> float:
    """Seconds since 1970; 0 where nobody says it."""
    text = (thing or {"metadata": {}})["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _published(status_map: Object) -> RunStatus | None:
    """None before the runner's first word; Unknown for what cannot be read."""
    text = (status_map.get("data") or {}).get(names.STATUS_KEY)
    return _parsed(text, status_map) if text else None


def _listed(item: Object) -> RunStatus:
    text = annotation(item, names.ANNOTATION_SUMMARY)
    return _parsed(text, item) if text else _from_annotations(item)


def _parsed(text: str, status_map: Object) -> RunStatus:
    try:
        return status.from_json(json.loads(text))
    except ValueError as error:
        reason = REASONS["RecordUnreadable"]
        message = f"configmap/{status_map['metadata']['name']}: {error}"
        return replace(
            _from_annotations(status_map), state=State.UNKNOWN, reason=reason.word, message=message, stages=()
        )


def _from_annotations(item: Object) -> RunStatus:
    run = label(item, names.LABEL_RUN) or item["metadata"]["name"].removesuffix(f"-{names.STATUS}")
    devices, nodes = (annotation(item, key) for key in (names.ANNOTATION_DEVICES, names.ANNOTATION_NODES))
    stages = filter(None, annotation(item, names.ANNOTATION_STAGES).split(","))
    return RunStatus(
        run=run,
        state=State.PENDING,
        reason="",
        message="",
        backend=BACKEND,
        device=annotation(item, names.ANNOTATION_DEVICE),
        devices=int(devices) if devices.isdigit() else 0,
        created=created_at(item),
        ended=None,
        folder=annotation(item, names.ANNOTATION_FOLDER),
        plan_hash=annotation(item, names.ANNOTATION_PLAN_HASH),
        stages=tuple(StageStatus(stage, State.PENDING) for stage in stages),
        nodes=int(nodes) if nodes.isdigit() else 1,
    )
