"""Drives a run: facts -> `chain.decide` -> act, again and again, until the run has ended.

    python -m launcher.runner --folder RUN_FOLDER [--resume]

On one machine it is the run's detached supervisor. It keeps nothing in memory that the run folder does not say, so it
may be killed at any point and started again. A second one for the same run ends at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from launcher import chain, record, states
from launcher.backends import supervisor
from launcher.errors import BackendError, LauncherError, StorageError
from launcher.executor import Look, StageExecutor
from launcher.facts import Attempt
from launcher.plan import Plan, Stage
from launcher.record import RunRecord
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
        self._record = record.read_run(folder) or record.new_run(plan, "local", clock())

    def begin(self, *, resume: bool) -> None:
        """With `resume`, all attempts until now no longer count against the retries. Raises StorageError."""
        now = self._record
        if resume:
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
        record.write_attempt(folder, attempt)  # first: a number is used once, whatever happens next
        old = self._record.stage(stage.name)
        started = attempt.started if old.started is None else old.started
        self._change(stage.name, State.STARTING, attempts=number, started=started, reason="", message="")
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
            if look.working:
                self._change(stage.name, State.RUNNING, node=look.node)
            if self._cancelled() and not told:
                self._executor.stop(stage, attempt.attempt)
                told = True
            self._sleep(TICK_S)
        ended = self._end_of(stage, attempt, look)
        self._change(stage.name, exit_code=ended.exit_code)
        self._event(
            "StageEnded",
            stage=stage.name,
            attempt=ended.attempt,
            exit_code=ended.exit_code,
            reason=ended.reason,
            message=ended.message,
        )

    def _end_of(self, stage: Stage, attempt: Attempt, look: Look) -> Attempt:
        """As the stage's first process left it, or else, where that was killed, as it looks from here."""
        folder = layout.stage_folder(self._folder, stage.name)
        known = record.read_attempt(folder, attempt.attempt) or attempt
        if known.ended is not None:
            return known
        lost = look.exit_code is None
        reason = REASONS["SupervisorLost"] if lost else states.reason_for(look.exit_code)
        message = "the supervisor was gone" if lost else f"its first process ended with {look.exit_code}"
        ended = replace(known, ended=self._clock(), exit_code=look.exit_code, reason=reason.word, message=message)
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
        unfinished = [s.name for s in new.stages if s.state in (State.STARTING, State.RUNNING, State.RETRYING)]
        for name in {stage, *unfinished} - {""}:
            old = new.stage(name)
            if old.state is not State.PENDING or state is State.FAILED:
                new = new.with_stage(replace(old, state=state, reason=reason, message=message, ended=now))
        self._write(new)
        self._event(f"Run{state.value}", reason=reason, message=message)

    def _stop_now(self) -> None:
        """For when nothing can be written any more: no attempt may go on unwatched."""
        for stage in self._record.stages:
            if stage.state in (State.STARTING, State.RUNNING):
                planned = self._plan.stage(stage.name)
                self._executor.stop(planned, stage.attempts)
                while not self._executor.look(planned, stage.attempts).ended:
                    self._sleep(TICK_S)

    def _change(self, stage: str, state: State | None = None, **changes: object) -> None:
        old = self._record.stage(stage)
        new = replace(old, **{**changes, "state": state or old.state})  # type: ignore[arg-type]
        run_state = self._record.state
        if state in (State.STARTING, State.RUNNING, State.RETRYING):
            first = state is State.STARTING and run_state in (State.PENDING, State.STARTING)
            run_state = state if first or state is State.RETRYING else State.RUNNING
        if new != old or run_state is not self._record.state:
            self._write(replace(self._record.with_stage(new), state=run_state))

    def _write(self, new: RunRecord) -> None:
        record.write_run(self._folder, new)
        self._record = new

    def _event(self, kind: str, **details: object) -> None:
        record.append_event(self._folder, self._clock(), kind, **details)


def _word(attempt: Attempt) -> str:
    return states.reason_for(attempt.exit_code, attempt.reason).word


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m launcher.runner", description="Drives one run to its end.")
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--resume", action="store_true", help="go on with a run that ended or lost its supervisor")
    given = parser.parse_args(arguments)
    try:
        folder = given.folder.resolve()
        with supervisor.lock(folder) as held:
            if held is None:
                print("already supervised", flush=True)
                return 0
            return 0 if _supervise(folder, held, resume=given.resume) is State.SUCCEEDED else 1
    except (LauncherError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return error.exit_code if isinstance(error, LauncherError) else 1


def _supervise(folder: Path, held: supervisor.Lock, *, resume: bool) -> State:
    from launcher.backends.local_executor import LocalExecutor

    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: told.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir(folder)
    cancel = folder / layout.CANCEL
    if resume:
        cancel.unlink(missing_ok=True)
    runner = Runner(
        record.read_plan(folder), folder, LocalExecutor(folder), cancelled=lambda: bool(told) or cancel.exists()
    )
    runner.begin(resume=resume)
    print(f"{supervisor.BEGUN}, process {os.getpid()}", flush=True)
    held.announce()
    supervisor.sweep(folder)
    state = runner.run()
    cancel.unlink(missing_ok=True)
    print(f"run {state}", flush=True)
    return state


if __name__ == "__main__":
    sys.exit(main())
