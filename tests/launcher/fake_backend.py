"""A backend without processes: its runs advance with a clock that jumps when somebody sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher import plan as plans
from launcher.backends import Address, Backend, LogLine, LogQuery, Submission
from launcher.errors import Conflict, NotFound, Unreachable
from launcher.plan import Plan
from launcher.resize import Resize
from launcher.states import State
from launcher.status import Progress, RunStatus, StageStatus
from launcher.terminal.session import Session
from runfolder import atomic, layout

SECONDS = {"train": 40.0, "evaluate": 3.0, "export": 2.0, "infer310": 2.0}
STEPS = 80
EPOCHS = 4
METRICS: dict[str, dict[str, Any]] = {
    "train": {"loss": 1.25},
    "evaluate": {"accuracy": 0.9875, "line": "LFWACC=0.9875 std=0.0050 thd=0.3050"},
    "export": {},
    "infer310": {"accuracy": 0.9874, "line": "LFWACC=0.9874 std=0.0050 thd=0.3050"},
}


class FakeClock:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self._interrupt_at: float | None = None

    def interrupt_in(self, seconds: float) -> None:
        """Somebody presses Ctrl-C then."""
        self._interrupt_at = self.now + seconds

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._interrupt_at is not None and self.now >= self._interrupt_at:
            self._interrupt_at = None
            raise KeyboardInterrupt


@dataclass
class _Run:
    plan: Plan
    created: float
    started: float
    stopped: float | None = None
    """When it was cancelled or its supervisor died."""
    lost: bool = False
    fails_in: str = ""


@dataclass
class FakeBackend:
    """A stage takes SECONDS of the clock; what has passed says how far each run is."""

    storage: Path
    clock: FakeClock
    fails_in: str = ""
    """Stage in which runs that are submitted from now on fail."""
    away_until: float = 0.0
    """Nobody answers before that time of the clock."""
    runs: dict[str, _Run] = field(default_factory=dict)
    resized: Resize | None = None
    """With which devices a run was last told to go on."""
    name: str = "fake"
    where: str = ""

    def __post_init__(self) -> None:
        self.where = str(self.storage)

    def submit(self, plan: Plan | str, *, resume: bool = False, resize: Resize | None = None) -> Submission:
        if isinstance(plan, str):
            plan = self._known(plan).plan
        known = self.runs.get(plan.run)
        now = self.clock.now
        if known is None:
            self.runs[plan.run] = _Run(plan, now, now, fails_in=self.fails_in)
            atomic.write_json(self._folder(plan.run) / layout.PLAN, plans.to_json(plan))
            return self._submission(plan.run, "created")
        if known.plan.hash != plan.hash:
            raise Conflict(f"run '{plan.run}' exists with another plan")
        state = self._status(plan.run).state
        if state is State.UNKNOWN or (resume and state in (State.FAILED, State.CANCELLED)):
            ended = known.stopped if known.stopped is not None else now
            self.resized = resize
            known.started = now - (ended - known.started if known.stopped is not None else 0.0)
            known.stopped, known.lost, known.fails_in = None, False, self.fails_in
            return self._submission(plan.run, "resumed")
        return self._submission(plan.run, "unchanged")

    def observe(self, run: str | None = None) -> tuple[RunStatus, ...]:
        if self.clock.now < self.away_until:
            raise Unreachable("the cluster cannot be reached")
        if run is None:
            return tuple(self._status(name) for name in self.runs)
        self._known(run)
        return (self._status(run),)

    def logs(self, run: str, query: LogQuery) -> Iterator[LogLine]:
        plan = self._known(run).plan
        for stage in self._status(run).stages:
            if stage.state is State.PENDING or query.stage not in (None, stage.name):
                continue
            for rank in range(plan.stage(stage.name).processes):
                lines = [LogLine(stage.name, rank, f"line {number}") for number in range(3)]
                if query.rank in (None, rank):
                    yield from lines[-query.tail :] if query.tail is not None else lines

    def cancel(self, run: str) -> bool:
        known = self._known(run)
        if self._status(run).state.terminal:
            return False
        known.stopped = self.clock.now
        return True

    def delete(self, run: str) -> tuple[str, ...]:
        self._known(run)
        del self.runs[run]
        return (str(self._folder(run)),)

    def lose_supervisor(self, run: str) -> None:
        self.runs[run].stopped = self.clock.now
        self.runs[run].lost = True

    def _known(self, run: str) -> _Run:
        if run not in self.runs:
            raise NotFound(f"no run '{run}' in {self.storage}")
        return self.runs[run]

    def _folder(self, run: str) -> Path:
        return layout.run_folder(self.storage, run)

    def _submission(self, run: str, outcome: str) -> Submission:
        return Submission(run, outcome, self._status(run).state)

    def _status(self, name: str) -> RunStatus:
        run = self.runs[name]
        passed = (self.clock.now if run.stopped is None else run.stopped) - run.started
        stages: list[StageStatus] = []
        begin = 0.0
        for stage in run.plan.stages:
            stages.append(self._stage(run, stage.name, passed - begin, run.started + begin))
            begin += SECONDS[stage.name]
            if stages[-1].state is State.FAILED:
                passed = min(passed, begin)
        state, reason, message = _judge(run, stages)
        ends = [stage.ended for stage in stages if stage.ended is not None]
        return RunStatus(
            run=name,
            state=state,
            reason=reason,
            message=message,
            backend=self.name,
            device=run.plan.device,
            devices=run.plan.devices,
            created=run.created,
            ended=max([*ends, run.stopped or 0.0]) if state.terminal else None,
            folder=str(self._folder(name)),
            plan_hash=run.plan.hash,
            stages=tuple(stages),
        )

    def _stage(self, run: _Run, name: str, passed: float, started: float) -> StageStatus:
        if passed <= 0:
            return StageStatus(name, State.PENDING)
        progress = None
        if name == "train":
            step = min(int(passed / SECONDS[name] * STEPS), STEPS)
            ranks = run.plan.devices
            epoch = min(1 + step * EPOCHS // STEPS, EPOCHS)
            progress = Progress(epoch, EPOCHS, step, STEPS, 4.5 - step / 20, 101.5, (STEPS - step) / 2, ranks, ranks)
        if passed < SECONDS[name]:
            if run.stopped is None:
                return StageStatus(name, State.RUNNING, attempts=1, started=started, progress=progress)
            state, reason = (State.UNKNOWN, "SupervisorLost") if run.lost else (State.CANCELLED, "CancelledByUser")
            ended = None if run.lost else run.stopped
            return StageStatus(name, state, reason, attempts=1, started=started, ended=ended, progress=progress)
        ended = started + SECONDS[name]
        if run.fails_in == name:
            return StageStatus(
                name, State.FAILED, "RankFailed", "rank 1 ended with exit code 1: boom", 3, started, ended, 1
            )
        return StageStatus(
            name,
            State.SUCCEEDED,
            attempts=1,
            started=started,
            ended=ended,
            exit_code=0,
            progress=progress,
            metrics=METRICS[name],
        )


def _judge(run: _Run, stages: list[StageStatus]) -> tuple[State, str, str]:
    failed = next((stage for stage in stages if stage.state is State.FAILED), None)
    if failed is not None:
        return State.FAILED, failed.reason, failed.message
    if all(stage.state is State.SUCCEEDED for stage in stages):
        return State.SUCCEEDED, "", ""
    if run.stopped is not None:
        return (State.UNKNOWN, "SupervisorLost", "") if run.lost else (State.CANCELLED, "CancelledByUser", "")
    if all(stage.state is State.PENDING for stage in stages):
        return State.PENDING, "", ""
    return State.RUNNING, "", ""


def session_with(backend: FakeBackend) -> Session:
    """A session whose every way to a backend leads to this one."""

    def open_backend(address: Address) -> Backend:
        return backend

    return Session(open_backend=open_backend, clock=backend.clock, sleep=backend.clock.sleep)
