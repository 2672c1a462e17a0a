"""Attempts of stages as Jobs, carried out for the runner from inside the cluster.

A Job's name is its attempt's, and creating it is atomic: whoever comes second finds it and goes on with it. An API
server that does not answer for a while is no failure of a stage: what was seen last holds until it is seen again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from launcher import names, record, render, states
from launcher.backends.kubernetes import gang_look, observe, queueing, run_status
from launcher.backends.kubernetes.api import Api, Object
from launcher.errors import ApiError, BackendError
from launcher.executor import Look
from launcher.plan import Plan, Stage
from runfolder import layout

POLL_S = 1.0
"""How often an attempt is looked at that has begun just now; later at POLL_PART of its age, up to MAX_POLL_S."""
POLL_PART = 0.02
MAX_POLL_S = 5.0
SETTLE_S = 8.0
"""How long a reason must hold that no waiting mends, before the attempt is ended for it."""
STOP_S = 60.0
"""A pod has 40 s to save a checkpoint; one on a node that is lost does not tell that it has ended."""


@dataclass
class _Watch:
    """What is remembered of the attempt that is looked at."""

    stage: str
    attempt: int
    begun: float
    """Steady clock, as all times here."""
    last: Look = field(default_factory=lambda: Look(ended=False))
    job: Object | None = None
    looked: float | None = None
    blind_s: float = 0.0
    """So long nobody could see whether it starts."""
    stopped: float | None = None
    hopeless_since: float | None = None
    cause: tuple[Look, float] | None = None
    """Of several pods: what the first to fail said, and when that was seen."""
    told: str = ""
    """The last trouble that was printed."""


class KubernetesExecutor:
    """`jobs` are the rendered Jobs of first attempts by stage, `owner` gives the plan's ConfigMap."""

    def __init__(
        self,
        api: Api,
        plan: Plan,
        jobs: Mapping[str, Object],
        owner: Callable[[], Object],
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._plan = plan
        self._jobs = jobs
        self._owner = owner
        self._clock = clock
        self._steady = steady
        self._queue = queueing.Queue(api, steady)
        self._watch = _Watch("", 0, 0.0)

    def start(self, stage: Stage, attempt: int) -> None:
        """Never raises: why there is no Job yet is for `look` to say, which tries again where that can help."""
        watch = self._of(stage, attempt)
        try:
            watch.last = self._create(watch)
        except BackendError as error:
            _tell(watch, error)

    def look(self, stage: Stage, attempt: int) -> Look:
        watch, now = self._of(stage, attempt), self._steady()
        pause = min(max(POLL_S, POLL_PART * (now - watch.begun)), MAX_POLL_S)
        if watch.last.ended or (watch.looked is not None and now - watch.looked < pause):
            return watch.last
        before, watch.looked = watch.looked or now, now
        begun = self._ranks_begun(stage, attempt)
        try:
            seen = self._judge(watch, self._see(watch))
            watch.last = replace(seen, working=seen.working and begun)
        except BackendError as error:
            _tell(watch, error)
            watch.blind_s += now - before
            watch.last = replace(watch.last, working=begun and not watch.last.reason)
        return watch.last

    def stop(self, stage: Stage, attempt: int) -> None:
        watch = self._of(stage, attempt)
        if watch.stopped is None:
            watch.stopped, watch.looked = self._steady(), None

    def _of(self, stage: Stage, attempt: int) -> _Watch:
        if (self._watch.stage, self._watch.attempt) != (stage.name, attempt):
            self._watch = _Watch(stage.name, attempt, self._steady())
        return self._watch

    def _see(self, watch: _Watch) -> Look:
        """`working` says that the container runs. Of a pod that simply runs, the Job need not be asked for."""
        name = names.stage_job(self._plan.run, watch.stage, watch.attempt)
        if watch.stopped is not None:
            self._api.delete("jobs", name)
        chosen = f"{names.LABEL_STAGE}={watch.stage},{names.LABEL_ATTEMPT}={watch.attempt}"
        labels = f"{run_status.selector(self._plan.run, names.STAGE)},{chosen}"
        pods = list(self._api.list("pods", labels=labels))
        if watch.job is not None and watch.stopped is None:
            seen = self._looked_at(watch, watch.job, pods)
            if seen.working and not seen.reason:
                return seen
        job = run_status.find(self._api, "jobs", name)
        if job is None and watch.job is None and not pods and watch.stopped is None and self._never_began(watch):
            return self._create(watch)
        watch.job = job or watch.job
        seen = self._looked_at(watch, job, pods)
        if not seen.ended and not seen.working:
            thing = gang_look.told_by_events(job, pods, self._plan.stage(watch.stage).nodes)
            seen = self._looked_at(watch, job, pods, run_status.events_of(self._api, thing))
        last = watch.last
        if seen.reason == "PodDeleted" and seen.ended and states.reason_of(last.reason).disruption:
            # A pod that is gone has left no trace of why; but it was told while it was ending.
            seen = replace(seen, reason=last.reason, message=last.message)
        if job is not None and watch.stopped is None and queueing.is_held(job):
            seen = self._held(watch, job, seen, bool(pods))
        return replace(seen, node=seen.node or last.node, image=seen.image or last.image)

    def _held(self, watch: _Watch, job: Object, seen: Look, has_pods: bool) -> Look:
        """By its queue: before it began, it waits; later its quota was taken back, and another attempt waits anew."""
        begun = layout.status_folder(self._folder(watch.stage), watch.attempt).exists()
        if not begun and not has_pods:
            return replace(seen, message=self._queue.tell(job))
        if seen.ended and seen.exit_code == 0:
            return seen
        over = seen.ended or not has_pods
        if over:
            self._remove(watch)
        return replace(seen, ended=over, reason="Preempted", message=queueing.TAKEN_BACK)

    def _looked_at(
        self, watch: _Watch, job: Object | None, pods: Sequence[Object], events: Sequence[Object] = ()
    ) -> Look:
        nodes = self._plan.stage(watch.stage).nodes
        if nodes == 1:
            return observe.look(job, pods, events)
        seen = gang_look.look(job, pods, events, nodes)
        if not seen.ended or seen.exit_code == 0:
            return seen
        # One that failed decides; the attempt is over when the others have ended too.
        watch.cause = watch.cause or (seen, self._steady())
        cause, since = watch.cause
        if gang_look.living(pods) and self._steady() - since < STOP_S:
            if states.reason_of(cause.reason).disruption:
                self._remove(watch)  # of a node that is lost the Job hears late
            return replace(cause, ended=False, working=True)
        return cause

    def _judge(self, watch: _Watch, seen: Look) -> Look:
        now = self._steady()
        if watch.stopped is not None:
            over = seen.ended or now - watch.stopped > STOP_S
            return replace(seen, ended=over, reason="CancelledByUser" if over else "", message="")
        if seen.ended or seen.working:
            return seen
        if states.reason_of(seen.reason).retry:
            watch.hopeless_since = None
        elif watch.hopeless_since is None:
            watch.hopeless_since = now
        elif now - watch.hopeless_since >= SETTLE_S:
            self._remove(watch)
            return replace(seen, ended=True)
        limit = self._start_deadline_s
        if limit and self._waited_s(watch) > limit:
            self._remove(watch)
            why = ": ".join(part for part in (seen.reason, seen.message) if part) or "nobody says why"
            alone = self._plan.stage(watch.stage).nodes == 1
            message = f"not {'' if alone else 'all pods '}started within {limit:g} s ({why})"
            return replace(seen, ended=True, reason="NotStarted" if alone else "GangIncomplete", message=message)
        return seen

    def _create(self, watch: _Watch) -> Look:
        """Raises BackendError where asking again can help, and nobody knows why it was refused."""
        job = render.with_attempt(self._jobs[watch.stage], watch.attempt)
        try:
            owner = self._owner()["metadata"]
            reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}
            job["metadata"]["ownerReferences"] = [reference]
            watch.job = self._api.create("jobs", job)
        except ApiError as error:
            if error.status == 409:
                return self._adopt(watch, job["metadata"]["name"])
            word = states.by_message(str(error), states.CREATION_MESSAGES, "")
            if not word and error.temporary:
                raise
            return Look(ended=not word, reason=word or "StartFailed", message=str(error))
        return Look(ended=False)

    def _adopt(self, watch: _Watch, name: str) -> Look:
        watch.job = self._api.get("jobs", name)
        if run_status.annotation(watch.job, names.ANNOTATION_PLAN_HASH) == self._plan.hash:
            return Look(ended=False)
        message = f"a Job {name} of another plan is in the way; delete it"
        return Look(ended=True, reason="StartFailed", message=message)

    def _remove(self, watch: _Watch) -> None:
        """Of a Job that will not start. One that may not be deleted is left."""
        if watch.job is None:
            return
        try:
            self._api.delete("jobs", watch.job["metadata"]["name"])
        except ApiError as error:
            if error.temporary:
                raise

    @property
    def _start_deadline_s(self) -> float:
        return self._plan.kubernetes.start_deadline_s if self._plan.kubernetes else 0.0

    def _waited_s(self, watch: _Watch) -> float:
        """For the pod's start; a suspended Job does not wait."""
        started = record.read_attempt(self._folder(watch.stage), watch.attempt)
        since = started.started if started else self._clock()
        if watch.job is not None:
            text = watch.job.get("status", {}).get("startTime")
            if text is None and queueing.is_suspended(watch.job):
                return 0.0
            since = datetime.fromisoformat(text).timestamp() if text else since
        return self._clock() - since - watch.blind_s

    def _never_began(self, watch: _Watch) -> bool:
        """A driver took the attempt's number and ended before it made the Job, or the cluster refused that."""
        attempt = record.read_attempt(self._folder(watch.stage), watch.attempt)
        return attempt is not None and attempt.pid == 0 and attempt.ended is None

    def _ranks_begun(self, stage: Stage, attempt: int) -> bool:
        status = layout.status_folder(self._folder(stage.name), attempt)
        ranks = (layout.pid_file(status, layout.rank_name(number)) for number in range(stage.ranks))
        return all(path.exists() for path in ranks)

    def _folder(self, stage: str) -> Path:
        return layout.stage_folder(Path(self._plan.folder), stage)


def _tell(watch: _Watch, error: BackendError) -> None:
    """In the runner's log: the stage goes on whatever can be seen of it."""
    if str(error) != watch.told:
        watch.told = str(error)
        print(f"attempt {watch.attempt} of {watch.stage} cannot be looked at: {error}", file=sys.stderr, flush=True)
