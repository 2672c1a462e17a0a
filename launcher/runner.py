"""Drives a run: facts -> `chain.decide` -> act, again and again, until the run has ended.

It keeps nothing in memory that the run folder does not say, so whoever runs it may be killed at any point and started
again: a detached supervisor on one machine (`backends.local_runner`), a Job's pod on a cluster
(`backends.kubernetes.driver`). Two at once do no harm: an attempt's number is taken by one of them, and both then watch
the same attempt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from launcher import chain, record, states
from launcher.errors import BackendError, StorageError
from launcher.executor import Look, StageExecutor
from launcher.facts import Attempt
from launcher.plan import Plan, Stage
from launcher.record import RunRecord
from launcher.resize import Resize
from launcher.states import REASONS, State
from runfolder import layout

TICK_S = 0.2


class Runner:
    """One run. `cancelled` says whether a person wants it to stop."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        executor: StageExecutor,
        *,
        backend: str,
        cancelled: Callable[[], bool],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._executor = executor
        self._cancelled = cancelled
        self._clock = clock
        self._sleep = sleep
        self._record = record.read_run(folder) or record.new_run(plan, backend, clock())

    @property
    def record(self) -> RunRecord:
        """As it was last written, or was to be written where the storage refused it."""
        return self._record

    def begin(self, *, resume: bool, resumes: int | None = None, resize: Resize | None = None) -> None:
        """With `resume`, all attempts until now no longer count against the retries, and `resumes` (one more than
        before) is kept. With `resize` the plan that this runner was given is the one with other devices. Raises
        StorageError."""
        now = self._record
        if resize is not None and resize != now.resize:
            self._event("RunResized", was=now.nodes * now.devices, ranks=self._plan.nodes * self._plan.devices)
            now = replace(now, resize=resize, devices=self._plan.devices, nodes=self._plan.nodes)
        if resume:
            now = replace(now, resumes=now.resumes + 1 if resumes is None else resumes)
            for name, facts in record.stage_facts(self._folder, self._plan).items():
                old = now.stage(name)
                fresh = replace(old, forgiven=len(facts.attempts), reason="", message="")
                now = now.with_stage(fresh if facts.complete else replace(fresh, state=State.PENDING, ended=None))
        if resume or not now.state.terminal:
            state = State.RUNNING if any(stage.attempts for stage in now.stages) else State.STARTING
            now = replace(now, state=state, reason="", message="", ended=None)
        self._write(now)
        self._event("SupervisorStarted", resume=resume)

    def run(self) -> State:
        """Until the run has ended. Raises StorageError where that cannot even be written down."""
        try:
            while not self._record.state.terminal:
                self._step()
        except StorageError as error:
            self._stop_now()
            self._finish(State.FAILED, "StorageFull", str(error))
        except BackendError as error:
            self._finish(State.FAILED, "StageFailed", str(error))
        return self._record.state

    def _step(self) -> None:
        facts = record.stage_facts(self._folder, self._plan, self._record)
        self._note_complete({name for name, known in facts.items() if known.complete})
        action = chain.decide(self._plan, facts, self._clock())
        match action:
            case chain.Done():
                self._finish(State.SUCCEEDED)
            case chain.Wait(name, None):
                self._attend(self._plan.stage(name), facts[name].attempts[-1])
            case _ if self._cancelled():
                self._finish(State.CANCELLED, "CancelledByUser", stage=action.stage)
            case chain.Start(name, attempt):
                self._start(self._plan.stage(name), attempt)
            case chain.Wait(name, until):
                last = facts[name].attempts[-1]
                self._change(name, State.RETRYING, reason=_word(last), message=last.message)
                self._sleep(min(TICK_S, max(0.0, (until or 0.0) - self._clock())))
            case chain.Fail(name, reason, message):
                self._finish(State.FAILED, reason, message, stage=name)

    def _start(self, stage: Stage, number: int) -> None:
        folder = layout.stage_folder(self._folder, stage.name)
        attempt = Attempt(number, self._clock())
        if not record.begin_attempt(folder, attempt):  # first: a number is used once, whatever happens next
            return  # another driver was quicker, and its attempt is to be watched
        old = self._record.stage(stage.name)
        started = attempt.started if old.started is None else old.started
        self._change(
            stage.name, State.STARTING, attempts=number, started=started, reason="", message="", node="", image=""
        )
        self._event("StageStarted", stage=stage.name, attempt=number)
        try:
            self._executor.start(stage, number)
        except BackendError as error:
            ended = replace(attempt, ended=self._clock(), reason="StartFailed", message=str(error))
            record.write_attempt(folder, ended)

    def _attend(self, stage: Stage, attempt: Attempt) -> None:
        """Watches the attempt that is under way until it has ended."""
        self._change(stage.name, attempts=attempt.attempt)
        told = False
        while not (look := self._executor.look(stage, attempt.attempt)).ended:
            self._show(stage.name, look)
            if self._cancelled() and not told:
                self._executor.stop(stage, attempt.attempt)
                told = True
            self._sleep(TICK_S)
        ended = self._end_of(stage, attempt, look)
        old = self._record.stage(stage.name)
        node, image = look.node or old.node, look.image or old.image
        self._change(stage.name, exit_code=ended.exit_code, node=node, image=image)
        self._event(
            "StageEnded",
            stage=stage.name,
            attempt=ended.attempt,
            exit_code=ended.exit_code,
            reason=ended.reason,
            message=ended.message,
        )

    def _show(self, name: str, look: Look) -> None:
        """That the attempt works, or what it waits for; a place on a node is the first step to a start."""
        old = self._record.stage(name)
        waiting = State.PENDING if look.reason and not look.node else State.STARTING
        self._change(
            name,
            State.RUNNING if look.working else waiting,
            reason=look.reason,
            message=look.message,
            node=look.node or old.node,
            image=look.image or old.image,
        )
        if look.reason and look.reason != old.reason:
            self._event("StageHeldUp", stage=name, reason=look.reason, message=look.message)

    def _end_of(self, stage: Stage, attempt: Attempt, look: Look) -> Attempt:
        """As the stage's first process left it, unless it was ended from outside and it is seen from here by what."""
        folder = layout.stage_folder(self._folder, stage.name)
        known = record.read_attempt(folder, attempt.attempt) or attempt
        told = known.ended is not None
        if told and not (known.exit_code != 0 and states.outweighs(look.reason, known.reason)):
            return known
        ended = known if told else replace(known, ended=self._clock(), exit_code=look.exit_code)
        reason, message = _seen(look)
        if reason == "OOMKilled" and known.message:
            message = f"{known.message}: {message}"  # which process fell
        ended = replace(ended, reason=reason, message=message)
        record.write_attempt(folder, ended)
        return ended

    def _note_complete(self, complete: set[str]) -> None:
        for name in complete:
            old = self._record.stage(name)
            if old.state is not State.SUCCEEDED:
                ended = self._clock() if old.ended is None else old.ended
                self._change(name, State.SUCCEEDED, reason="", message="", ended=ended, exit_code=0)
                self._event("StageSucceeded", stage=name)

    def _finish(self, state: State, reason: str = "", message: str = "", stage: str = "") -> None:
        now = self._clock()
        new = replace(self._record, state=state, reason=reason, message=message, ended=now)
        begun = [old.name for old in new.stages if old.started is not None and not old.state.terminal]
        for name in {stage, *begun} - {""}:
            old = new.stage(name)
            if name in begun or state is State.FAILED:
                new = new.with_stage(replace(old, state=state, reason=reason, message=message, ended=now))
        self._write(new)
        self._event(f"Run{state.value}", reason=reason, message=message)

    def _stop_now(self) -> None:
        """For when nothing can be written any more: no attempt may go on unwatched."""
        for stage in self._record.stages:
            if stage.attempts and not stage.state.terminal:
                planned = self._plan.stage(stage.name)
                self._executor.stop(planned, stage.attempts)
                while not self._executor.look(planned, stage.attempts).ended:
                    self._sleep(TICK_S)

    def _change(self, stage: str, state: State | None = None, **changes: object) -> None:
        old = self._record.stage(stage)
        new = replace(old, **{**changes, "state": state or old.state})  # type: ignore[arg-type]
        run_state = self._record.state
        if state and not state.terminal:
            early = (State.PENDING, State.STARTING)
            first = state in early and run_state in early
            run_state = state if first or state is State.RETRYING else State.RUNNING
        if new != old or run_state is not self._record.state:
            self._write(replace(self._record.with_stage(new), state=run_state))

    def _write(self, new: RunRecord) -> None:
        self._record = new
        record.write_run(self._folder, new)

    def _event(self, kind: str, **details: object) -> None:
        record.append_event(self._folder, self._clock(), kind, **details)


def _word(attempt: Attempt) -> str:
    return states.reason_for(attempt.exit_code, attempt.reason).word


def _seen(look: Look) -> tuple[str, str]:
    """Reason and message of an end that the stage's first process did not tell of."""
    if look.reason:
        return look.reason, look.message or states.reason_of(look.reason).sentence
    if look.exit_code is None:
        return REASONS["SupervisorLost"].word, "the supervisor was gone"
    word = states.reason_for(look.exit_code).word
    return word, look.message or f"its first process ended with {look.exit_code}"
