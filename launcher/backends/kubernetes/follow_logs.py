"""Log lines of a run on a cluster as they come: from before it begins to its end, over attempts, stages and outages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from launcher.backends import LogLine, LogQuery
from launcher.backends.kubernetes import kept_logs, pod_logs
from launcher.backends.kubernetes.api import Api
from launcher.backends.kubernetes.attempt_log import AttemptLog
from launcher.backends.kubernetes.kept_logs import KeptLogs
from launcher.backends.kubernetes.pod_logs import Key, Reading, Seen
from launcher.errors import BackendError
from launcher.plan import Plan
from launcher.states import REASONS, State
from launcher.status import RunStatus

T = TypeVar("T")

LOOK_S = 2.0
SHORTEST_S, LONGEST_S = 0.25, 2.0
"""Between two looks at a log: short while lines come, longer while none do."""
PATIENCE_S = 300.0
"""So long an API server may be away."""
LOST_AFTER_S = 60.0
"""So long a run may be without a runner: a lost node is noticed after about 40 s."""
LEFT_S = 10.0
"""So long after the end of a run, or of a stage, its pod may still be seen to run."""


def follow(
    api: Api,
    plan: Plan,
    query: LogQuery,
    observe_run: Callable[[], RunStatus],
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = pod_logs.tell,
) -> Iterator[LogLine]:
    """Ends with the run. Raises BackendError where the run, or the cluster, is lost for good."""
    with kept_logs.opened(api, plan) as kept:
        yield from _Follower(api, plan, query, observe_run, kept, clock, sleep, say).lines()


class _Follower:
    def __init__(
        self,
        api: Api,
        plan: Plan,
        query: LogQuery,
        observe_run: Callable[[], RunStatus],
        kept: KeptLogs,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
    ) -> None:
        self._api = api
        self._plan = plan
        self._observe_run = observe_run
        self._kept = kept
        self._clock = clock
        self._sleep = sleep
        self._tell = say
        self._told: set[str] = set()
        self._waits_for = ""
        self._stages = pod_logs.wanted_stages(plan, query)
        self._query = query
        self._done: set[Key] = set()
        self._reading = Reading(api, plan, query, kept, clock(), self._say)
        self._seen: Seen | None = None
        self._looked = 0.0
        self._away_since: float | None = None
        self._lost_since: float | None = None
        self._over_since: dict[Key, float] = {}
        self._pause = SHORTEST_S

    def lines(self) -> Iterator[LogLine]:
        if self._query.tail is not None or self._query.since_s is not None:
            yield from self._backlog()
        live = LogQuery(rank=self._query.rank)
        self._reading.query = live
        while (key := self._current()) is not None:
            yield from self._attempt(key)

    def _backlog(self) -> Iterator[LogLine]:
        """What there is now, narrowed; from now on every line counts."""
        seen = self._patiently(lambda: self._look(fresh=True))
        begun = [key for stage in self._stages for key in seen.attempts(stage)]
        live = begun[-1] if begun and not self._is_over(seen, begun[-1]) else None
        yield from self._patiently(lambda: list(self._reading.lines(seen, self._stages, live)))
        self._done = {key for key in begun if key != live}

    def _current(self) -> Key | None:
        """The attempt whose lines come next, as soon as there is one; None: the run has ended, and all was given."""
        while True:
            seen = self._patiently(self._look)
            waiting = [key for stage in self._stages for key in seen.attempts(stage) if key not in self._done]
            if waiting:
                return waiting[0]
            if seen.status.state.terminal:
                return None
            self._wait(seen)

    def _attempt(self, key: Key) -> Iterator[LogLine]:
        log = self._log(key)
        quiet = 0
        while True:
            seen = self._patiently(self._look)
            over = self._is_over(seen, key)
            pod = seen.pod_name(key)
            count = 0
            if pod is not None or (over and key not in seen.pods):
                for line in self._read(log, pod, final=over):
                    count += 1
                    yield line
            # A kubelet that dies on the way cuts a log short without a sign: to be believed, it says so twice.
            quiet = quiet + 1 if over and count == 0 else 0
            if over and (quiet > 1 or pod is None):
                self._done.add(key)
                return
            self._pause = SHORTEST_S if count else min(self._pause * 1.5, LONGEST_S)
            if pod is None:
                self._wait(seen)
            else:
                self._waits_for = ""
                self._sleep(0.0 if over else self._pause)

    def _read(self, log: AttemptLog, pod: str | None, *, final: bool) -> Iterator[LogLine]:
        """Lines that came, each given once even where the connection breaks between them."""
        key = (log.stage, log.attempt)
        while True:
            try:
                yield from self._reading.narrow(key, log.read(pod, final=final))
                self._away_since = None
                return
            except BackendError as error:
                self._endure(error)

    def _log(self, key: Key) -> AttemptLog:
        return self._reading.logs.setdefault(key, AttemptLog(self._api, self._kept, *key, self._say))

    def _is_over(self, seen: Seen, key: Key) -> bool:
        """Whether nothing more will be printed in that attempt."""
        pod = seen.pods.get(key)
        if pod is not None and pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return True
        begun = [each for stage in self._plan.stages for each in seen.attempts(stage.name)]
        if key != begun[-1]:  # a later one runs: whatever is left of this one has no say any more
            return True
        stage = seen.stage(key[0])
        if not (seen.status.state.terminal or (stage is not None and stage.state.terminal)):
            self._over_since.pop(key, None)
            return False
        since = self._over_since.setdefault(key, self._clock())
        return pod is None or self._clock() - since > LEFT_S

    def _look(self, *, fresh: bool = False) -> Seen:
        now = self._clock()
        if self._seen is None or fresh or now - self._looked >= LOOK_S:
            self._seen = pod_logs.look(self._api, self._plan, self._observe_run)
            self._looked = now
            self._away_since = None
            self._check_driven(self._seen.status)
        return self._seen

    def _patiently(self, act: Callable[[], T]) -> T:
        while True:
            try:
                return act()
            except BackendError as error:
                self._endure(error)

    def _endure(self, error: BackendError) -> None:
        """Waits a moment after an error that may pass; raises it when it does not."""
        now = self._clock()
        self._away_since = now if self._away_since is None else self._away_since
        if not error.temporary or now - self._away_since > PATIENCE_S:
            raise error
        self._wait_for(f"waiting for the cluster: {error}")
        self._sleep(LONGEST_S)

    def _check_driven(self, status: RunStatus) -> None:
        if status.state is not State.UNKNOWN:
            self._lost_since = None
            return
        now = self._clock()
        self._lost_since = now if self._lost_since is None else self._lost_since
        if now - self._lost_since > LOST_AFTER_S:
            raise BackendError(f"run '{status.run}': {status.message or REASONS['SupervisorLost'].sentence}")

    def _wait(self, seen: Seen) -> None:
        self._wait_for(f"waiting for {_awaited(seen.status, self._stages)}")
        self._pause = min(self._pause * 1.5, LONGEST_S)
        self._sleep(self._pause)

    def _wait_for(self, text: str) -> None:
        if text != self._waits_for:
            self._waits_for = text
            self._tell(text)

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def _awaited(status: RunStatus, stages: Sequence[str]) -> str:
    """What has to happen before lines come, and what it waits for."""
    stage = next((each for each in status.stages if each.name in stages and not each.state.terminal), None)
    if stage is None or stage.state is State.PENDING:
        what, state, reason, message = f"run/{status.run}", status.state, status.reason, status.message
    else:
        what, state, reason, message = f"{stage.name} of run/{status.run}", stage.state, stage.reason, stage.message
    because = ": ".join(filter(None, (reason, message)))
    return f"{what} ({state}{', ' if because else ''}{because})"
