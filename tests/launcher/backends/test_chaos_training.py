"""A real training in two ranks, its evaluation and its export, struck by SIGKILL: as if nothing had happened.

Moments and victims are seeded; `make chaos` asks for 20 rounds (LAUNCHER_CHAOS_REAL_ROUNDS), the tests of every day
for one. Each round strikes twice in training and once in a stage after it; the first blows take all victims in turn.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from launcher import plan, progress, record
from launcher.backends import supervisor
from launcher.backends.local import LocalBackend
from launcher.facts import Attempt
from launcher.plan import Plan
from launcher.spec import DEFAULT_STAGES, RunSpec, StagePolicy
from launcher.states import State
from runfolder import atomic, layout
from sphereface import checkpoint
from sphereface.errors import CheckpointError
from tests.launcher.chaos import PATIENCE_S, Round
from tests.launcher.standin import left_over, reap, wait_until

ROUNDS = int(os.environ.get("LAUNCHER_CHAOS_REAL_ROUNDS", "1"))
SEED = 20260
RANKS, EPOCHS, STEPS_PER_EPOCH, KEPT = 2, 3, 4, 3
STEPS = EPOCHS * STEPS_PER_EPOCH
VICTIMS = ("scheduler", "rank_0", "supervisor", "rank_1")
START_S = 12.0
"""Import, joining the others and compiling take about this long."""
FREED_S = 60.0
"""How long an attempt may last once one of its processes is gone."""


@dataclass(frozen=True)
class Blow:
    """Kills `victim`, `delay_s` after `stage` has come to `step` (0: after the victim was started)."""

    victim: str
    stage: str
    step: int
    delay_s: float

    def has_come(self, game: Round) -> bool:
        now = game.under_way()
        if self.stage in game.finished:
            return True
        if now is None or now[0] != self.stage:
            return False
        if self.step == 0:
            return game.pid_of(self.victim) is not None
        beat = progress.read_heartbeat(layout.status_folder(game.folder / self.stage, now[1].attempt), 0)
        return beat is not None and beat.step >= self.step


@dataclass
class TrainingRound(Round):
    dice: random.Random = field(default_factory=random.Random)
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Every checkpoint that ever was."""

    def carry_out(self, blow: Blow) -> None:
        self.watch(PATIENCE_S, lambda: blow.has_come(self))
        self.watch(blow.delay_s)
        running = self.under_way()
        if not self.strike(blow.victim, signal.SIGKILL) and not self.strike("rank_0", signal.SIGKILL):
            self.strike("supervisor", signal.SIGKILL)
        if " supervisor" in self.struck[-1]:
            self.check_readable()
            self.come_back()
        elif running:
            self.check_freed(*running)
            self.check_readable()

    def come_back(self) -> None:
        """Submits again: at once, or only when all that the dead supervisor had started has ended by itself."""
        wait_until(lambda: supervisor.holder(self.folder) is None, seconds=10, what="the lock of a dead supervisor")
        (status,) = self.backend.observe("demo")
        if status.state is State.SUCCEEDED:
            return
        assert (status.state, status.reason) == (State.UNKNOWN, "SupervisorLost"), self.told
        if self.dice.random() < 0.5:
            wait_until(lambda: not left_over(self.folder), seconds=FREED_S, what=f"no process left {self.told}")
            self.struck.append("all gone")
        self.resubmit()

    def check_freed(self, stage: str, attempt: Attempt) -> None:
        """The attempt ends, and says who was killed."""
        began = time.monotonic()
        folder = self.folder / stage

        def ended() -> bool:
            self.look()
            found = record.read_attempt(folder, attempt.attempt)
            return found is not None and found.ended is not None

        wait_until(ended, seconds=FREED_S, what=f"the end of {stage}'s attempt {attempt.attempt} {self.told}")
        found = record.read_attempt(folder, attempt.attempt)
        assert found is not None
        self.struck.append(f"{found.reason} {found.rank} after {time.monotonic() - began:.1f} s")
        if found.exit_code == 0:  # it had done its work
            return
        victim = self.struck[-2].split()[1]
        assert found.reason == ("SchedulerFailed" if victim == "scheduler" else "Killed"), self.told
        if stage == layout.TRAIN and victim != "scheduler":
            assert layout.rank_name(str(found.rank)) == victim, self.told

    def check_checkpoints(self) -> None:
        """None is lost but those that were older than the newest KEPT."""
        self.seen |= set(self.checkpoints())
        missing = set(sorted(self.seen)[-KEPT:]) - set(self.checkpoints())
        assert not missing, f"checkpoint {missing} was lost {self.told}"

    def check_readable(self) -> None:
        folder = self.folder / layout.TRAIN / layout.CHECKPOINTS
        for path in checkpoint.listed(folder):
            try:
                checkpoint.read(path)
            except CheckpointError:
                assert not path.exists(), f"{path} cannot be read {self.told}"  # else newer ones took its place

    def check_end(self) -> None:
        super().check_end()
        self.check_readable()
        assert self.checkpoints() == sorted(self.seen)[-KEPT:], self.told
        assert self.checkpoints()[-1] == (EPOCHS, STEPS_PER_EPOCH)
        lines = atomic.read_json_lines(self.folder / layout.TRAIN / layout.METRICS)
        assert [line["step"] for line in lines] == list(range(1, STEPS + 1)), self.told
        self.check_scraps()

    def check_scraps(self) -> None:
        """Nothing half-written stays beside checkpoints and artifacts, which are large."""
        places = [self.folder / stage for stage in DEFAULT_STAGES] + [self.folder / layout.TRAIN / layout.CHECKPOINTS]
        assert [path for place in places for path in place.glob(".*")] == [], self.told


def blows(number: int, dice: random.Random) -> list[Blow]:
    """Those of a round, in their order."""
    early, late = (max(0, step) for step in sorted(dice.sample(range(-3, STEPS), 2)))  # a start takes as long as three
    victims = [VICTIMS[number % len(VICTIMS)], dice.choice(VICTIMS)]
    after = DEFAULT_STAGES[1 + number % 2]
    return [
        *(
            Blow(victim, layout.TRAIN, step, dice.uniform(0.0, 1.0 if step else START_S))
            for victim, step in zip(victims, (early, late), strict=True)
        ),
        Blow(dice.choice(("supervisor", "rank_0")), after, 0, dice.uniform(0.0, 6.0)),
    ]


def make_plan(faces: Path, storage: Path, run: str, stages: tuple[str, ...]) -> Plan:
    train = {
        "train_data_dir": str(faces / "train" / "landmark.txt"),
        "train_img_dir": str(faces / "train" / "images"),
        "net": "sphereface4a",
        "per_batch_size": 2,
        "max_epoch": EPOCHS,
        "ckpt_interval": 2,
        "keep_checkpoint_max": KEPT,
        "log_interval": 1,
        "lr": 0.001,
    }
    test = faces / "test"
    evaluate = {"datatxt_src": "landmark.txt", "pairtxt_src": "pairs.txt", "datasrc": "images"}
    spec = RunSpec(
        run,
        devices=RANKS,
        storage=str(storage),
        stages=stages,
        train=train,
        evaluate={key: str(test / name) for key, name in evaluate.items()},
        export={"file_format": "MINDIR,ONNX"},
        policy=dict.fromkeys(stages, StagePolicy(retries=10, backoff_s=0.1)),
    )
    return plan.make_plan(spec)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A few faces, and under them the runs."""
    folder = tmp_path_factory.mktemp("chaos")
    few = ["--identities", "4", "--images", "4", "--test-identities", "20", "--test-images", "2"]
    subprocess.run([sys.executable, "-m", "sphereface", "synth", str(folder), *few], check=True, capture_output=True)
    yield folder
    for run in (folder / layout.RUNS).iterdir():
        supervisor.stop(run)
        supervisor.sweep(run, grace_s=0)
    reap()


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> checkpoint.Checkpoint:
    """What a training that nobody struck has come to."""
    backend = LocalBackend(place)
    backend.submit(make_plan(place, place, "calm", (layout.TRAIN,)))
    wait_until(lambda: backend.observe("calm")[0].state.terminal, seconds=PATIENCE_S)
    assert backend.observe("calm")[0].state is State.SUCCEEDED
    return checkpoint.read(layout.run_folder(place, "calm") / layout.TRAIN / layout.CHECKPOINTS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_training_comes_to_the_same_weights(
    place: Path, tmp_path: Path, undisturbed: checkpoint.Checkpoint, number: int
) -> None:
    dice = random.Random(SEED + number)  # noqa: S311
    planned = make_plan(place, tmp_path, "demo", DEFAULT_STAGES)
    game = TrainingRound(LocalBackend(tmp_path), planned, Path(planned.folder), dice=dice)
    began = time.monotonic()
    try:
        game.backend.submit(planned)
        for blow in blows(number, dice):
            game.carry_out(blow)
        game.watch(PATIENCE_S)
        game.check_end()
        reached = checkpoint.read(game.folder / layout.TRAIN / layout.CHECKPOINTS)
    finally:
        print(f"round {number}: {time.monotonic() - began:.0f} s, {'; '.join(game.struck)}")
        supervisor.stop(game.folder)
        supervisor.sweep(game.folder, grace_s=0)
        reap()
    assert reached.meta["step"] == STEPS
    for ours, theirs in ((reached.weights, undisturbed.weights), (reached.moments, undisturbed.moments)):
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs), game.told
    game.backend.delete("demo")  # half a gigabyte
