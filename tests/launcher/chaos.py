"""A run whose processes are struck at chosen moments, and what must hold whatever was struck."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from launcher import marker, record
from launcher.backends import supervisor
from launcher.backends.local import LocalBackend
from launcher.facts import Attempt
from launcher.plan import Plan
from launcher.processes import process_tree, rank
from launcher.states import State
from launcher.status import RunStatus
from runfolder import layout
from tests.launcher.standin import left_over

PATIENCE_S = 240.0


@dataclass
class Round:
    """One run, and what was done to it."""

    backend: LocalBackend
    plan: Plan
    folder: Path
    struck: list[str] = field(default_factory=list)
    saved: tuple[int, int] = (0, 0)
    """The furthest checkpoint that was ever seen: epoch, steps in it."""
    finished: dict[str, bytes] = field(default_factory=dict)
    """Stages that were seen complete, and their markers."""

    def watch(self, seconds: float, moment: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass as a user would: looks at the run, and submits again where its supervisor is gone.

        Until `moment` has come or the run has ended; without either within PATIENCE_S the test fails.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until and not moment():
            if self.look().state.terminal:
                return
            now = supervisor.holder(self.folder)
            if now and supervisor.wake(now):
                self.struck.append("woken")
            time.sleep(0.1)
        assert seconds < PATIENCE_S or moment(), f"not ended after {self.struck}: {self.backend.observe('demo')}"

    def look(self) -> RunStatus:
        (status,) = self.backend.observe("demo")
        self.check_checkpoints()
        self.check_finished()
        assert status.state not in (State.FAILED, State.CANCELLED), f"{status} {self.told}"
        if status.state is State.UNKNOWN:
            assert status.reason == "SupervisorLost"
            self.resubmit()
        return status

    def resubmit(self) -> None:
        assert self.backend.submit(self.plan).outcome == "resumed"

    def strike(self, victim: str, number: signal.Signals) -> bool:
        """False where there is no such process now."""
        pid = self.pid_of(victim)
        process = process_tree.read(pid) if pid else None
        if process is None or not process.alive:
            return False
        attempt = self.under_way()
        where = f" ({attempt[0]}, attempt {attempt[1].attempt})" if attempt else ""
        self.struck.append(f"{number.name} {victim}{where}")
        process_tree.send([process], number)
        return True

    def pid_of(self, victim: str) -> int | None:
        if victim == "supervisor":
            now = supervisor.holder(self.folder)
            return now.pid if now else None
        if not (now_running := self.under_way()):
            return None
        stage, attempt = now_running
        if victim == "pod":
            return attempt.pid or None
        return rank.read_pid(layout.status_folder(self.folder / stage, attempt.attempt), victim)

    def under_way(self) -> tuple[str, Attempt] | None:
        """The stage that is being carried out, and its attempt."""
        for each in self.plan.stages:
            attempts = record.read_attempts(self.folder / each.name)
            if attempts and attempts[-1].ended is None:
                return each.name, attempts[-1]
        return None

    def checkpoints(self) -> list[tuple[int, int]]:
        """Epoch and steps of each of rank 0, ascending."""
        names = (path.stem for path in (self.folder / layout.TRAIN / layout.CHECKPOINTS).glob("0-*.ckpt"))
        found = (name.partition("-")[2].split("_") for name in names)
        return sorted((int(epoch), int(steps)) for epoch, steps in found)

    def check_checkpoints(self) -> None:
        """What was saved once stays."""
        newest = max(self.checkpoints(), default=(0, 0))
        assert newest >= self.saved, f"checkpoint {self.saved} was lost {self.told}"
        self.saved = newest

    def check_finished(self) -> None:
        """A stage that is complete stays as it is."""
        for each in self.plan.stages:
            path = self.folder / each.name / layout.SUCCESS
            if each.name in self.finished:
                assert path.read_bytes() == self.finished[each.name], f"{each.name} was done again {self.told}"
            elif marker.is_complete(self.folder / each.name, each, self.plan.hash):
                self.finished[each.name] = path.read_bytes()

    def check_end(self) -> None:
        (status,) = self.backend.observe("demo")
        assert status.state is State.SUCCEEDED, f"{status} {self.told}"
        assert left_over(self.folder) == [], self.told
        for each in self.plan.stages:
            assert marker.marker_fault(self.folder / each.name, each, self.plan.hash, deep=True) is None
        self.check_finished()
        self.check_attempts()

    def check_attempts(self) -> None:
        """Each stage has one good attempt, its last: a finished one was never begun again."""
        for each in self.plan.stages:
            attempts = record.read_attempts(self.folder / each.name)
            complete = marker.read_marker(self.folder / each.name)
            assert complete is not None
            assert [attempt.attempt for attempt in attempts] == list(range(1, len(attempts) + 1)), self.told
            assert complete.attempt == attempts[-1].attempt, self.told
            assert all(attempt.ended is not None and attempt.reason for attempt in attempts[:-1]), self.told

    @property
    def told(self) -> str:
        return f"after {self.struck}"
