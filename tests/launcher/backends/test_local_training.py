"""The local backend with the real thing: `sphereface train` in two ranks of MindSpore's msrun, on pictures of noise."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import plan, progress, record
from launcher.backends import supervisor
from launcher.backends.local import LocalBackend
from launcher.processes import rank
from launcher.spec import RunSpec, StagePolicy
from launcher.states import State
from runfolder import atomic, layout
from tests.launcher.standin import left_over, reap, run_path, wait_until

PERSONS, PICTURES, EPOCHS = 4, 4, 3
STEPS_PER_EPOCH = PERSONS * PICTURES // 4  # two ranks of two pictures
LANDMARKS = (32.3, 53.7, 67.5, 53.5, 50.0, 73.7, 35.5, 94.4, 64.7, 94.2)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    folder = run_path(tmp_path)
    supervisor.stop(folder)
    supervisor.sweep(folder, grace_s=0)
    reap()


def noise(folder: Path) -> Path:
    """A training list in the form of CASIA's, and its pictures beside it."""
    import cv2
    import numpy as np

    dice = np.random.default_rng(0)
    lines = []
    for person in range(PERSONS):
        for number in range(PICTURES):
            name = f"{person:03}/{number}.png"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), dice.integers(0, 255, (116, 100, 3), dtype=np.uint8))
            lines.append("\t".join([name, str(person), *map(str, LANDMARKS)]))
    (folder / "landmark.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_a_killed_rank_costs_at_most_the_steps_since_the_last_checkpoint(storage: Path) -> None:
    pictures = noise(storage / "faces")
    train = {
        "train_data_dir": str(pictures / "landmark.txt"),
        "train_img_dir": str(pictures),
        "net": "sphereface4a",
        "per_batch_size": 2,
        "max_epoch": EPOCHS,
        "log_interval": 1,
        "lr": 0.001,
    }
    policy = {"train": StagePolicy(backoff_s=0.1)}
    spec = RunSpec("demo", devices=2, storage=str(storage), stages=("train",), train=train, policy=policy)
    backend = LocalBackend(storage)
    folder = run_path(storage) / layout.TRAIN
    status = layout.status_folder(folder, 1)

    def step() -> int:
        beat = progress.read_heartbeat(status, 1)
        return beat.step if beat else 0

    backend.submit(plan.make_plan(spec))
    wait_until(lambda: step() > STEPS_PER_EPOCH + 1, seconds=200, what="the second epoch")
    pid = rank.read_pid(status, layout.rank_name(1))
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: backend.observe("demo")[0].state.terminal, seconds=200)

    (run,) = backend.observe("demo")
    first, second = record.read_attempts(folder)
    assert run.state is State.SUCCEEDED, run
    assert (first.reason, first.rank, second.exit_code) == ("Killed", 1, 0)
    assert left_over(run_path(storage)) == []
    steps = [line["step"] for line in atomic.read_json_lines(folder / layout.METRICS)]
    assert steps == list(range(1, EPOCHS * STEPS_PER_EPOCH + 1))
    log = (folder / layout.LOGS / "rank_0.log").read_text().partition("--- attempt 2")[2]
    assert "resuming from" in log
    assert "epoch[0]" not in log
