"""Runs as Jobs of a cluster, from outside: what a run is made of is created, looked at and removed.

Every call may be killed at any point and made again: the plan's creation is the claim on the name, what is missing
beside it is completed, and its removal comes last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from launcher import names, render
from launcher import plan as plans
from launcher import resize as resizes
from launcher.backends import LogLine, LogQuery, Submission
from launcher.backends.kubernetes import ending, run_status
from launcher.backends.kubernetes.api import Api, Object
from launcher.backends.kubernetes.ending import Patience
from launcher.backends.kubernetes.run_status import Seen, annotation, label
from launcher.errors import ApiError, BackendError, Conflict, NotFound
from launcher.plan import Plan
from launcher.resize import Resize
from launcher.states import State
from launcher.status import RunStatus, rfc3339
from runfolder import layout

GONE_S = 30.0
"""How long a deleted Job may be there still, so that a new one of its name cannot be made."""

_RESOURCES = {
    "ConfigMap": "configmaps",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Job": "jobs",
}


class KubernetesBackend:
    name = run_status.BACKEND

    def __init__(self, api: Api, clock: Callable[[], float] = time.time, patience: Patience | None = None) -> None:
        self.where = f"{api.namespace} namespace"
        self._api = api
        self._clock = clock
        self._patience = patience or Patience()

    def submit(self, plan: Plan | str, *, resume: bool = False, resize: Resize | None = None) -> Submission:
        """Also raises SpecError for a plan that is not for a cluster."""
        if isinstance(plan, str):
            plan = run_status.read_plan(self._api, plan)
        self._require_namespace(plan)
        claim, *others, runner = render.manifests(plan)
        if self._claim(claim, plan):
            self._create_all(claim, [*others, runner])
            return Submission(plan.run, "created", State.PENDING)
        for thing in others:
            self._complete(thing, plan.run)
        seen = self._see(plan.run)
        if seen.finished:
            goes_on = resume and seen.status.state is not State.SUCCEEDED
        else:
            goes_on = (seen.runner.ended and not seen.status.state.terminal) or (resume and seen.status.state.terminal)
        if resize is not None:
            trained = any(stage.name == layout.TRAIN and stage.state is State.SUCCEEDED for stage in seen.status.stages)
            resizes.check_state(plan.run, goes_on=not goes_on and not seen.status.state.terminal, trained=trained)
            resizes.resized(plan, resize)
        if not goes_on:
            return Submission(plan.run, "unchanged", seen.status.state)
        never_made = not seen.began and not resume and self._complete(runner, plan.run)
        if not never_made:
            self._go_on(seen, plan, runner, resume=resume, resize=resize)
        return Submission(plan.run, "created" if never_made else "resumed", State.PENDING)

    def observe(self, run: str | None = None) -> tuple[RunStatus, ...]:
        runs = [self._see(run).status] if run is not None else run_status.see_all(self._api, self._clock())
        here = (replace(each, namespace=self._api.namespace) for each in runs)
        return tuple(sorted(here, key=lambda each: (each.created, each.run)))

    def logs(self, run: str, query: LogQuery) -> Iterator[LogLine]:
        from launcher.backends.kubernetes import pod_logs

        plan = run_status.read_plan(self._api, run)
        return pod_logs.read(self._api, plan, query, lambda: run_status.see(self._api, plan, self._clock()).status)

    def cancel(self, run: str) -> bool:
        seen = self._see(run)
        if seen.finished:
            return False
        if seen.status_map is None:
            run_status.refuse_elsewhere(run_status.find_plan(self._api, run))
        else:
            asked = {"metadata": {"annotations": {names.ANNOTATION_CANCEL: rfc3339(self._clock())}}}
            self._api.patch("configmaps", names.object_name(run, names.STATUS), asked)
        end = ending.await_cancelled(lambda: self._see(run), self._patience)
        if end is None:
            ending.stop_jobs(self._api, run, self._patience)
            end = self._see(run)
            if not end.finished:  # no runner lived to write it
                run_status.publish(self._api, run_status.cancelled(end.status, self._clock()))
                return True
        return end.status.state is State.CANCELLED

    def delete(self, run: str) -> tuple[str, ...]:
        plan_map = run_status.find_plan(self._api, run)
        if plan_map is None:
            return self._delete_rest(run)
        plan = run_status.plan_of(plan_map)
        # From now on no submit completes what is being removed.
        asked = {"metadata": {"annotations": {names.ANNOTATION_DELETE: rfc3339(self._clock())}}}
        self._api.patch("configmaps", plan_map["metadata"]["name"], asked)
        seen = run_status.see(self._api, plan, self._clock())
        ending.stop_jobs(self._api, run, self._patience)
        if seen.began or seen.runner.working:
            wrote = any(stage.attempts for stage in seen.status.stages)
            ending.clean_storage(self._api, plan, self._patience, required=wrote)
        return ending.remove(self._api, run, services=plan.nodes > 1)

    def _see(self, run: str) -> Seen:
        return run_status.see(self._api, run, self._clock())

    def _require_namespace(self, plan: Plan) -> None:
        namespace = render.kubernetes_of(plan).namespace
        if namespace != self._api.namespace:
            raise BackendError(f"run '{plan.run}' is planned for namespace {namespace}, not {self._api.namespace}")

    def _claim(self, claim: Object, plan: Plan) -> bool:
        """Creates the plan: of two submits at once, one is first. False where this very plan is there already."""
        try:
            self._api.create("configmaps", claim)
            return True
        except ApiError as error:
            if error.status != 409:
                raise
        theirs = run_status.find_plan(self._api, plan.run)
        if theirs is None:
            raise Conflict(_foreign(claim, plan.run))
        run_status.refuse_elsewhere(theirs)
        if annotation(theirs, names.ANNOTATION_DELETE):
            raise Conflict(f"run '{plan.run}' is being deleted; 'launcher delete {plan.run}' completes that")
        if annotation(theirs, names.ANNOTATION_PLAN_HASH) != plan.hash:
            raise Conflict(plans.conflict(plan, run_status.plan_of(theirs)))
        return False

    def _create_all(self, claim: Object, others: Sequence[Object]) -> None:
        """A refusal (a right that is missing, a quota) leaves nothing behind."""
        run = label(claim, names.LABEL_RUN)
        made = [claim]
        try:
            for thing in others:
                if self._complete(thing, run):
                    made.append(thing)  # noqa: PERF401  what was made before a refusal counts
        except (ApiError, Conflict):
            for thing in reversed(made):
                with suppress(BackendError):
                    self._api.delete(_RESOURCES[thing["kind"]], thing["metadata"]["name"])
            raise

    def _complete(self, thing: Object, run: str) -> bool:
        """Creates it where it is not there. Raises Conflict where the name is taken by what is not the run's."""
        resource = _RESOURCES[thing["kind"]]
        try:
            self._api.create(resource, thing)
            return True
        except ApiError as error:
            if error.status != 409:
                raise
        there = run_status.find(self._api, resource, thing["metadata"]["name"])
        if there is not None and label(there, names.LABEL_RUN) != run:
            raise Conflict(_foreign(thing, run))
        return False

    def _go_on(self, seen: Seen, plan: Plan, runner: Object, *, resume: bool, resize: Resize | None) -> None:
        """A new runner for a run that is there: of an old one there is nothing left that could be needed."""
        name = runner["metadata"]["name"]
        self._api.delete("jobs", name)
        if not self._patience.until(lambda: run_status.find(self._api, "jobs", name) is None, GONE_S):
            raise BackendError(f"job.batch/{name} was deleted and is still there; try again in a moment")
        if resume:
            known = run_status.find(self._api, "configmaps", names.object_name(plan.run, names.STATUS))
            count = annotation(known, names.ANNOTATION_RESUME) if known else ""
            asked: dict[str, str | None] = {
                names.ANNOTATION_RESUME: str(int(count or 0) + 1),
                names.ANNOTATION_CANCEL: None,
            }
            if resize is not None:
                asked[names.ANNOTATION_RESIZE] = json.dumps(resizes.to_json(resize))
            run_status.publish(self._api, run_status.pending(seen.status), asked)
        self._complete(runner, plan.run)

    def _delete_rest(self, run: str) -> tuple[str, ...]:
        """Of a run whose plan somebody took away: where its folder is, nobody knows."""
        if names.is_run_name(run):
            ending.stop_jobs(self._api, run, self._patience)
            removed = ending.remove(self._api, run)
            if removed:
                return removed
        raise NotFound(run_status.not_found(self._api, run))


def _foreign(thing: Object, run: str) -> str:
    kind, name = thing["kind"].lower(), thing["metadata"]["name"]
    return f"{kind}/{name} exists in the namespace and is no part of a run '{run}'; choose another --name"
