"""Processes of a run killed or stopped at random moments: nothing is lost, nothing is repeated, nothing is left over.

The moments are random but seeded; LAUNCHER_CHAOS_ROUNDS=20 asks for more of them than the tests of every day.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher import marker, record
from launcher.backends import supervisor
from launcher.backends.local import LocalBackend
from launcher.plan import Plan
from launcher.processes import process_tree, rank
from launcher.spec import StagePolicy
from launcher.states import State
from runfolder import layout
from tests.launcher.standin import left_over, reap, run_path, stage, stand_in_plan, steps_done, use_stand_in_msrun

ROUNDS = int(os.environ.get("LAUNCHER_CHAOS_ROUNDS", "3"))
SEED = 20171
STRIKES = 2  # a round, before the run may go on in peace
STEPS = 24
PATIENCE_S = 240.0
POLICY = StagePolicy(retries=50, backoff_s=0.1, heartbeat_s=3.0)
VICTIMS = ("supervisor", "pod", "rank_0", "rank_1", "scheduler", "msrun")


@dataclass
class Round:
    """One run, and what was done to it."""

    backend: LocalBackend
    plan: Plan
    folder: Path
    dice: random.Random
    struck: list[str] = field(default_factory=list)
    saved: int = 0
    """The furthest checkpoint that was ever seen."""

    def play(self) -> None:
        self.backend.submit(self.plan)
        for _ in range(STRIKES):
            self.watch(self.dice.uniform(0.0, 4.0))
            self.strike(self.dice.choice(VICTIMS), self.dice.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP)))
        self.watch(PATIENCE_S)

    def watch(self, seconds: float) -> None:
        """Lets time pass as a user would: looks at the run, and submits again where its supervisor is gone."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            (status,) = self.backend.observe("demo")
            self.check_checkpoints()
            if status.state.terminal:
                return
            if status.state is State.UNKNOWN:
                assert status.reason == "SupervisorLost"
                assert self.backend.submit(self.plan).outcome == "resumed"
            now = supervisor.holder(self.folder)
            if now and supervisor.wake(now):
                self.struck.append("woken")
            time.sleep(0.1)
        assert seconds < PATIENCE_S, f"not ended after {self.struck}: {self.backend.observe('demo')}"

    def strike(self, victim: str, number: signal.Signals) -> None:
        pid = self.pid_of(victim)
        if pid is None:
            return
        self.struck.append(f"{number.name} {victim}")
        process = process_tree.read(pid)
        if process:
            process_tree.send([process], number)

    def pid_of(self, victim: str) -> int | None:
        if victim == "supervisor":
            now = supervisor.holder(self.folder)
            return now.pid if now else None
        attempts = record.read_attempts(self.folder / layout.TRAIN)
        if not attempts or attempts[-1].ended is not None:
            return None
        if victim == "pod":
            return attempts[-1].pid or None
        status = layout.status_folder(self.folder / layout.TRAIN, attempts[-1].attempt)
        return rank.read_pid(status, victim)

    def check_checkpoints(self) -> None:
        """What was saved once stays."""
        names = (path.stem for path in (self.folder / layout.TRAIN / layout.CHECKPOINTS).glob("0-*.ckpt"))
        newest = max((int(name.rpartition("_")[2]) for name in names), default=0)
        assert newest >= self.saved, f"checkpoint {self.saved} was lost after {self.struck}"
        self.saved = newest

    def check_end(self) -> None:
        told = f"after {self.struck}"
        (status,) = self.backend.observe("demo")
        assert status.state is State.SUCCEEDED, f"{status} {told}"
        assert left_over(self.folder) == [], told
        for each in self.plan.stages:
            assert marker.marker_fault(self.folder / each.name, each, self.plan.hash, deep=True) is None
        steps = [step for _, step in steps_done(self.folder)]
        assert set(steps) == set(range(STEPS)), told
        self.check_attempts(told)

    def check_attempts(self, told: str) -> None:
        """Each stage has one good attempt, its last: a finished one was never begun again."""
        for each in self.plan.stages:
            attempts = record.read_attempts(self.folder / each.name)
            complete = marker.read_marker(self.folder / each.name)
            assert complete is not None
            assert [attempt.attempt for attempt in attempts] == list(range(1, len(attempts) + 1)), told
            assert complete.attempt == attempts[-1].attempt, told
            assert all(attempt.ended is not None and attempt.reason for attempt in attempts[:-1]), told


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    use_stand_in_msrun(tmp_path / "site", monkeypatch)
    yield tmp_path
    folder = run_path(tmp_path)
    supervisor.stop(folder)
    supervisor.sweep(folder, grace_s=0)
    reap()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_run_survives_whatever_is_killed_or_stopped(storage: Path, number: int) -> None:
    folder = run_path(storage)
    train = stage(folder, "train", "--steps", str(STEPS), "--step_s", "0.15", processes=2, policy=POLICY)
    plan = stand_in_plan(storage, train, stage(folder, "export", "--steps", "2", policy=POLICY))
    game = Round(LocalBackend(storage), plan, folder, random.Random(SEED + number))  # noqa: S311

    game.play()

    game.check_end()
