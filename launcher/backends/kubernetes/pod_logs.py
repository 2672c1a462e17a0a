"""Log lines of a run on a cluster, as far as there are any: from its pods or, what these forgot, the storage."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from launcher import names
from launcher.backends import LogLine, LogQuery
from launcher.backends.kubernetes import gang_look, kept_logs, log_window, observe
from launcher.backends.kubernetes.api import Api, Object
from launcher.backends.kubernetes.attempt_log import AttemptLog, Line
from launcher.backends.kubernetes.kept_logs import KeptLogs, NotKept
from launcher.backends.kubernetes.log_window import Stamped
from launcher.plan import Plan
from launcher.processes import pod_output
from launcher.read_log import Record, Wanted, last_of_each
from launcher.status import RunStatus, StageStatus

Key = tuple[str, int]
"""Stage and attempt."""


@dataclass(frozen=True)
class Seen:
    """A run at one moment."""

    status: RunStatus
    pods: Mapping[Key, Object]
    """The newest of each attempt."""

    def attempts(self, stage: str) -> list[Key]:
        """Those that have begun, as the runner says or as their pods show."""
        known = next((each.attempts for each in self.status.stages if each.name == stage), 0)
        last = max([known, *(attempt for name, attempt in self.pods if name == stage)])
        return [(stage, attempt) for attempt in range(1, last + 1)]

    def stage(self, name: str) -> StageStatus | None:
        return next((each for each in self.status.stages if each.name == name), None)

    def pod_name(self, key: Key) -> str | None:
        """Of the attempt's pod, if there is one and its container ran."""
        pod = self.pods.get(key)
        return pod["metadata"]["name"] if pod is not None and has_run(pod) else None


def look(api: Api, plan: Plan, observe_run: Callable[[], RunStatus]) -> Seen:
    status = observe_run()  # first: an attempt that it names has its pod in the list, unless that is gone
    by_key: dict[Key, list[Object]] = {}
    for pod in api.list("pods", labels=f"{names.LABEL_RUN}={plan.run},{names.LABEL_ROLE}={names.STAGE}"):
        labels = pod["metadata"].get("labels", {})
        stage, attempt = labels.get(names.LABEL_STAGE, ""), labels.get(names.LABEL_ATTEMPT, "")
        # The first of several pods prints what the ranks of all of them say.
        if attempt.isdecimal() and gang_look.index_of(pod) == 0:
            by_key.setdefault((stage, int(attempt)), []).append(pod)
    newest = {key: observe.newest(pods) for key, pods in by_key.items()}
    return Seen(status, {key: pod for key, pod in newest.items() if pod is not None})


def has_run(pod: Object) -> bool:
    """Whether its container was ever started: only then has it a log."""
    for container in pod.get("status", {}).get("containerStatuses") or ():
        for state in (container.get("state", {}), container.get("lastState", {})):
            if "running" in state or state.get("terminated", {}).get("startedAt"):
                return True
    return False


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass
class Reading:
    """What there is of a run's logs now, narrowed to what a query asks for."""

    api: Api
    plan: Plan
    query: LogQuery
    kept: KeptLogs
    now: float
    say: Callable[[str], None] = tell
    logs: dict[Key, AttemptLog] = field(default_factory=dict)
    """Of attempts that were read from their pods: `read` gives what comes after."""

    def lines(self, seen: Seen, stages: Sequence[str], live: Key | None = None) -> Iterator[LogLine]:
        """Stage by stage; in each, one rank after the other or, with `query.merge`, as they came.

        The attempt `live` can be read on afterwards (`logs`). Raises NotKept where that hides everything there is.
        """
        shown = self._from_pods(seen, stages)
        missing = tuple(key for key, (_, whole) in shown.items() if not whole and key != live)
        query = self.query
        records = self.kept.read(Wanted(missing, rank=query.rank, tail=query.tail, since_s=query.since_s))
        kept = _Groups(missing, records)
        for stage in stages:
            keys = [key for key in shown if key[0] == stage]
            parts = ((key, self._of(key, shown[key], kept, seen.pod_name(key))) for key in keys)
            lines: Iterator[LogLine] = (line for key, part in parts for line in self.narrow(key, part))
            if query.tail is not None:
                lines = iter(last_of_each(lines, lambda line: line.rank, query.tail))
            yield from lines if query.merge else by_rank(lines)
        if kept.fault is not None:
            if not any(lines for lines, _ in shown.values()):
                raise kept.fault
            self.say(f"{kept.fault}; shown is what the cluster has")

    def narrow(self, key: Key, lines: Iterable[Line]) -> Iterator[LogLine]:
        begin = None if self.query.since_s is None else self.now - self.query.since_s
        for text, when in lines:
            rank, said = pod_output.parse(text)
            if self.query.rank in (None, rank) and (begin is None or when >= begin):
                yield LogLine(key[0], rank, said)

    def _of(self, key: Key, shown: tuple[list[Line], bool], kept: _Groups, pod: str | None) -> Iterator[Line]:
        lines, whole = shown
        if whole:
            yield from lines
        elif key not in kept.keys:
            self.logs[key] = AttemptLog(self.api, self.kept, *key, self.say)
            yield from self.logs[key].read(pod, final=False)
        else:
            record = None
            for record in kept.of(key):
                yield Line(record.text, record.when)
            if record is None and kept.fault is not None:
                yield from lines

    def _from_pods(self, seen: Seen, stages: Sequence[str]) -> dict[Key, tuple[list[Line], bool]]:
        """By attempt, in order: the lines that its pod has, and whether these are all that is asked for."""
        shown: dict[Key, tuple[list[Line], bool]] = {}
        for stage in stages:
            later: list[str] = []
            for key in reversed(seen.attempts(stage)):
                if key in seen.pods and seen.pod_name(key) is None:
                    continue  # it never ran
                shown[key] = self._from_pod(key, seen.pod_name(key), later)
                later += [line.text for line in shown[key][0]]
                if shown[key][1] and self._is_enough(key[0], later):
                    break
        order = {stage: place for place, stage in enumerate(stages)}
        return dict(sorted(shown.items(), key=lambda item: (order[item[0][0]], item[0][1])))

    def _from_pod(self, key: Key, pod: str | None, later: Sequence[str]) -> tuple[list[Line], bool]:
        if pod is None:
            return [], False
        log = AttemptLog(self.api, self.kept, *key, self.say)

        def enough(window: Sequence[Stamped]) -> bool:
            since = self.query.since_s
            if since is not None and window and log_window.seconds(window[0].stamp) < self.now - since:
                return True
            return self._is_enough(key[0], [*later, *(each.text for each in window)])

        lines, whole = log.open_late(pod, enough)
        if whole:
            self.logs[key] = log
        return lines, whole

    def _is_enough(self, stage: str, texts: Iterable[str]) -> bool:
        """Whether these hold the last lines of every rank that is asked for. (Words of the stage's first process are
        few and all over the log: what is there of them is taken.)"""
        if self.query.tail is None:
            return False
        wanted = range(self.plan.stage(stage).ranks) if self.query.rank is None else [self.query.rank]
        counts = dict.fromkeys(wanted, 0)
        for text in texts:
            rank = pod_output.parse(text)[0]
            if rank in counts:
                counts[rank] += 1
        return min(counts.values()) >= self.query.tail


class _Groups:
    """Records that come attempt by attempt, given out attempt by attempt; a fault on the way is kept."""

    def __init__(self, keys: Sequence[Key], records: Iterator[Record]) -> None:
        self.keys = keys
        self._records = records
        self._next: Record | None = None
        self._begun = False
        self.fault: NotKept | None = None

    def of(self, key: Key) -> Iterator[Record]:
        if not self._begun:
            self._begun = True
            self._step()
        while self._next is not None and self._next[:2] == key:
            yield self._next
            self._step()

    def _step(self) -> None:
        try:
            self._next = next(self._records, None)
        except NotKept as error:
            self._next, self.fault = None, error


def by_rank(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """The stage's first process, then one rank after the other."""
    kept: dict[int, list[LogLine]] = {}
    for line in lines:
        kept.setdefault(-1 if line.rank is None else line.rank, []).append(line)
    for rank in sorted(kept):
        yield from kept[rank]


def read(
    api: Api,
    plan: Plan,
    query: LogQuery,
    observe_run: Callable[[], RunStatus],
    clock: Callable[[], float] = time.time,
) -> Iterator[LogLine]:
    """What there is or, with `query.follow`, that and what comes until the run has ended. Raises BackendError."""
    if query.follow:
        from launcher.backends.kubernetes import follow_logs

        return follow_logs.follow(api, plan, query, observe_run, clock=clock)
    return _present(api, plan, query, observe_run, clock)


def _present(
    api: Api, plan: Plan, query: LogQuery, observe_run: Callable[[], RunStatus], clock: Callable[[], float]
) -> Iterator[LogLine]:
    with kept_logs.opened(api, plan) as kept:
        reading = Reading(api, plan, query, kept, clock())
        yield from reading.lines(look(api, plan, observe_run), wanted_stages(plan, query))


def wanted_stages(plan: Plan, query: LogQuery) -> list[str]:
    return [stage.name for stage in plan.stages if query.stage in (None, stage.name)]
