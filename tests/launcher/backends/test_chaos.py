"""Processes of a run killed or stopped at random moments: nothing is lost, nothing is repeated, nothing is left over.

The moments are random but seeded; LAUNCHER_CHAOS_ROUNDS=20 asks for more of them than the tests of every day. What the
stages run is a stand-in; `test_chaos_training` does the same to a real training.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.backends import supervisor
from launcher.backends.local import LocalBackend
from launcher.spec import StagePolicy
from tests.launcher.chaos import PATIENCE_S, Round
from tests.launcher.standin import reap, run_path, stage, stand_in_plan, steps_done, use_stand_in_msrun

ROUNDS = int(os.environ.get("LAUNCHER_CHAOS_ROUNDS", "3"))
SEED = 20171
STRIKES = 2  # a round, before the run may go on in peace
STEPS = 24
POLICY = StagePolicy(retries=50, backoff_s=0.1, heartbeat_s=3.0)
VICTIMS = ("supervisor", "pod", "rank_0", "rank_1", "scheduler", "msrun")


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
    game = Round(LocalBackend(storage), plan, folder)
    dice = random.Random(SEED + number)  # noqa: S311

    game.backend.submit(plan)
    for _ in range(STRIKES):
        game.watch(dice.uniform(0.0, 4.0))
        game.strike(dice.choice(VICTIMS), dice.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP)))
    game.watch(PATIENCE_S)

    game.check_end()
    assert {step for _, step in steps_done(folder)} == set(range(STEPS)), game.told
