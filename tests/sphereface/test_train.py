"""Whole training runs of the smallest network on a handful of made images."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import pytest

from sphereface import align, checkpoint, runtime
from sphereface.checkpoint import Checkpoint
from sphereface.config import resolve
from sphereface.errors import CheckpointError, ConfigError, DivergedError
from sphereface.runtime import Ranks, StopRequest
from sphereface.schedule import learning_rate
from sphereface.status import Heartbeat
from sphereface.train import train

PERSONS, EACH, BATCH = 3, 6, 2
STEPS = PERSONS * EACH // BATCH
DEADLINE = 120.0


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A CASIA-style list of aligned pictures, as the flags of a run."""
    root = tmp_path_factory.mktemp("faces")
    generator = np.random.default_rng(3)
    points = "\t".join(f"{value:.2f}" for value in align.REFERENCE.ravel())
    lines = []
    for person in range(PERSONS):
        patches = generator.integers(0, 256, (8, 7, 3)).astype(np.float32)
        for number in range(EACH):
            picture = cv2.resize(patches, (96, 112)) + generator.normal(0, 20, (112, 96, 3))
            path = Path(f"p{person}/{number}.png")
            (root / path).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(root / path), np.clip(picture, 0, 255).astype(np.uint8))
            lines.append(f"{path}\t{person}\t{points}")
    (root / "list.txt").write_text("\n".join(lines) + "\n")
    return {
        "train_data_dir": str(root / "list.txt"), "train_img_dir": str(root), "net": "sphereface4a",
        "per_batch_size": str(BATCH), "max_epoch": "1", "lr": "0.01", "log_interval": "2", "ckpt_interval": "2",
        "keep_checkpoint_max": "0",
    }  # fmt: skip


@pytest.fixture(scope="module")
def straight(faces: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    output = tmp_path_factory.mktemp("straight")
    assert run_here(faces, output=str(output)) == 0
    return output


def run_here(flags: dict[str, str], **more: Any) -> int:
    config = resolve(None, flags | more)
    runtime.use_device(config)
    return train(config, Ranks(0, 1), Heartbeat(None, 0), StopRequest())


def start(
    flags: dict[str, str], environ: dict[str, str] | None = None, log: IO[str] | int = subprocess.PIPE, **more: Any
) -> subprocess.Popen[str]:
    words = [word for key, value in (flags | more).items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "sphereface.train", *words]
    return subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT, text=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.005)


def metrics(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def names(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "checkpoints").iterdir())


def test_a_finished_run_leaves_checkpoints_metrics_and_a_result(straight: Path) -> None:
    assert names(straight) == [f"0-1_{step}.ckpt" for step in (2, 4, 6, 8, 9)]
    lines = metrics(straight)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 9]
    assert {line["steps"] for line in lines} == {STEPS}
    assert all(np.isfinite(line["loss"]) and line["grad_norm"] > 0 and line["images_per_s"] > 0 for line in lines)
    assert lines[-1]["loss"] < lines[0]["loss"]
    result = json.loads((straight / "result.json").read_text())
    assert result["stage"] == "train"
    assert result["metrics"]["checkpoint"] == "0-1_9.ckpt"
    assert result["metrics"]["loss"] == lines[-1]["loss"]
    assert "checkpoints/0-1_9.ckpt" in result["files"]
    meta = checkpoint.read(straight / "checkpoints" / "0-1_9.ckpt").meta
    assert (meta["net"], meta["num_classes"], meta["epoch"], meta["step"]) == ("sphereface4a", PERSONS, 1, STEPS)


def test_a_run_interrupted_twice_ends_with_the_same_bits(faces: dict[str, str], straight: Path, tmp_path: Path) -> None:
    process = start(faces, output=tmp_path, ckpt_interval=100)
    wait_for(lambda: (tmp_path / "metrics.jsonl").exists(), process)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=DEADLINE)[0]
    assert process.returncode == 143, output
    assert "the same command goes on from there" in output
    [saved] = names(tmp_path)
    stopped_at = checkpoint.read(tmp_path / "checkpoints" / saved).meta["step"]
    assert 2 <= stopped_at < STEPS

    process = start(faces, output=tmp_path, ckpt_interval=1)
    wait_for(lambda: len(names(tmp_path)) > 1, process)
    process.kill()
    process.communicate()

    assert run_here(faces, output=str(tmp_path)) == 0
    resumed, reference = (checkpoint.read(folder / "checkpoints" / "0-1_9.ckpt") for folder in (tmp_path, straight))
    for name, value in (reference.weights | {f"m {name}": value for name, value in reference.moments.items()}).items():
        other = resumed.moments[name[2:]] if name.startswith("m ") else resumed.weights[name]
        np.testing.assert_array_equal(value, other, name)
    assert [line["step"] for line in metrics(tmp_path)] == [line["step"] for line in metrics(straight)]
    assert not [name for name in names(tmp_path) if name.startswith(".")]
    assert run_here(faces, output=str(tmp_path)) == 0  # nothing is left to do


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"net": "sphereface20a"}, "trained with net sphereface4a, this run has sphereface20a"),
        ({"margin": "cosface"}, "trained with margin asoftmax, this run has cosface"),
        (
            {"per_batch_size": "3"},
            "trained with a global batch of 2, this run has 3 .* set per_batch_size x accumu.* to 2",
        ),
        (
            {"per_batch_size": "1"},
            r"a global batch of 2, this run has 1 \(1 rank x 1 micro-batch of 1\); "
            "set accumulate_steps to 2 to keep it, or elastic_batch to scale to go on with 1",
        ),
        ({"freeze": "1"}, "trained with freeze , this run has 1"),
    ],
)
def test_a_resume_of_another_run_is_refused(
    changed: dict[str, str], text: str, faces: dict[str, str], straight: Path
) -> None:
    before = (straight / "result.json").read_bytes()
    with pytest.raises(CheckpointError, match=text) as caught:
        run_here(faces | changed, output=str(straight))
    assert "\n" not in str(caught.value)
    assert (straight / "result.json").read_bytes() == before


def test_without_resume_earlier_checkpoints_are_refused(faces: dict[str, str], straight: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds checkpoints of an earlier run \(0-1_9\.ckpt\), but resume is false"):
        run_here(faces, output=str(straight), resume=False)


def test_transfer_from_a_zoo_file_freezes_exactly_what_it_is_told(
    faces: dict[str, str], straight: Path, tmp_path: Path
) -> None:
    pretrained = checkpoint.read(checkpoint.newest(straight / "checkpoints")).weights
    zoo = {f"network.{name}": value for name, value in pretrained.items()}
    zoo["network.fc6.weight"] = np.ones((512, 10), np.float32)
    checkpoint.save(tmp_path / "zoo.ckpt", Checkpoint(zoo, {}, {}))
    flags = faces | {"train_pretrained": str(tmp_path / "zoo.ckpt"), "output": str(tmp_path), "per_batch_size": "9"}
    with pytest.raises(CheckpointError, match="a head for 10 identities, the training data has 3; set new_head"):
        run_here(flags)
    with pytest.raises(CheckpointError, match="holds sphereface4a with conv_bias false, but net is sphereface10a"):
        run_here(flags, net="sphereface10a")
    assert run_here(flags, new_head=True, freeze="1, 3, fc5") == 0
    trained = checkpoint.read(checkpoint.newest(tmp_path / "checkpoints")).weights
    same = {name for name, value in trained.items() if np.array_equal(value, zoo[f"network.{name}"])}
    kept = {f"{kind}{stage}_1.{part}" for stage in (1, 3) for kind, part in (("conv", "weight"), ("relu", "w"))}
    assert same == kept | {"fc5.weight", "fc5.bias"}


def test_divergence_is_named_at_its_step(faces: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(
        DivergedError, match=r"diverged at step 2 \(epoch 1, lr .*lower lr .*, or set clip_grad_norm"
    ) as caught:
        run_here(faces, output=str(tmp_path), lr=1e30, ckpt_interval=1)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["0-1_1.ckpt"]
    saved = checkpoint.read(tmp_path / "checkpoints" / "0-1_1.ckpt")
    assert all(np.isfinite(value).all() for value in saved.weights.values())


@pytest.fixture(scope="module")
def together(faces: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by two ranks of half the batch."""
    output = tmp_path_factory.mktemp("together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "MS_SCHED_HOST": "127.0.0.1", "MS_SCHED_PORT": str(port), "MS_WORKER_NUM": "2", "MS_TOPO_TIMEOUT": "60",
        "RANK_SIZE": "2", "SPHEREFACE_STATUS_DIR": str(output / "status"),
        "GLOG_v": "3", "MS_SUBMODULE_LOG_v": "{DEVICE:1}",
    }  # fmt: skip
    roles = [{"MS_ROLE": "MS_SCHED", "RANK_ID": "0"}]
    roles += [{"MS_ROLE": "MS_WORKER", "MS_NODE_ID": rank, "RANK_ID": rank, "DEVICE_ID": rank} for rank in ("0", "1")]
    flags = faces | {"per_batch_size": "1", "output": str(output)}
    with ExitStack() as stack:
        processes = []  # as msrun does, but ours to end
        for role in roles:
            log = stack.enter_context((output / f"{role['MS_ROLE']}_{role['RANK_ID']}.log").open("w+"))
            processes.append(stack.enter_context(start(flags, os.environ | shared | role, log)))
            stack.callback(processes[-1].kill)
        end = time.monotonic() + 2 * DEADLINE
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, end - time.monotonic()))
            # MindSpore may crash at the exit of a rank that is done.
            crashed = (process.returncode or 0) < 0 and process.pid in done(output / "status")
            assert process.returncode == 0 or crashed, [text[-2000:] for text in logs(output)]
    return output


def logs(together: Path) -> list[str]:
    return [path.read_text() for path in sorted(together.glob("MS_*.log"))]


def done(status: Path) -> set[int]:
    """Processes of the ranks that said that all are done."""
    told = [json.loads(path.read_text()) for path in status.glob("*.heartbeat")]
    return {each["pid"] for each in told if each["phase"] == "done"}


def test_ranks_say_that_they_are_done_when_all_are(together: Path) -> None:
    assert len(done(together / "status")) == 2


def test_a_rank_that_is_held_up_is_waited_for(together: Path) -> None:
    told = [re.findall(r"comm op exec timeout \w+ been set (\d+) seconds", log) for log in logs(together)]
    assert told == [[], ["3600"], ["3600"]]


def test_two_ranks_are_one_with_twice_the_batch(straight: Path, together: Path) -> None:
    assert_as_trained(together, straight)
    assert sorted(path.name for path in (together / "status").iterdir()) == ["rank_0.heartbeat", "rank_1.heartbeat"]
    assert names(together) == names(straight)


def assert_as_trained(output: Path, reference: Path) -> None:
    """The same steps, losses and weights but for the order of sums."""
    found, expected = ([line for line in metrics(folder) if "event" not in line] for folder in (output, reference))
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    assert [line["lr"] for line in found] == [line["lr"] for line in expected]
    np.testing.assert_allclose([line["loss"] for line in found], [line["loss"] for line in expected], rtol=1e-4)
    one, other = (checkpoint.read(checkpoint.newest(folder / "checkpoints")) for folder in (output, reference))
    assert (one.path.name, one.meta["step"]) == (other.path.name, other.meta["step"])
    for name, value in one.weights.items():
        difference = np.linalg.norm(value - other.weights[name]) / np.linalg.norm(other.weights[name])
        assert difference < 1e-4, name


def test_micro_batches_go_the_way_of_one_batch(faces: dict[str, str], tmp_path: Path) -> None:
    flags = faces | {"max_epoch": "2", "ckpt_interval": "100", "log_interval": "1"}
    assert run_here(flags, output=str(tmp_path / "one")) == 0
    assert run_here(flags, output=str(tmp_path / "micro"), per_batch_size=1, accumulate_steps=2) == 0
    assert [line["step"] for line in metrics(tmp_path / "micro")] == list(range(1, 2 * STEPS + 1))
    assert names(tmp_path / "micro") == ["0-1_9.ckpt", "0-2_9.ckpt"]
    assert_as_trained(tmp_path / "micro", tmp_path / "one")
    meta = checkpoint.read(tmp_path / "micro" / "checkpoints" / "0-2_9.ckpt").meta
    assert (meta["ranks"], meta["config"]["accumulate_steps"], meta["global_batch"]) == (1, 2, 2)


def stopped(run: Path, after: int, output: Path) -> Path:
    """A copy of a run as it was when the checkpoint of step `after` of its first epoch was its newest, and only one."""
    (output / "checkpoints").mkdir(parents=True)
    for name in ("metrics.jsonl", f"checkpoints/0-1_{after}.ckpt"):
        shutil.copy(run / name, output / name)
    return output


def test_what_two_ranks_began_goes_on_as_one_of_two_micro_batches(
    faces: dict[str, str], straight: Path, together: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = stopped(together, 4, tmp_path / "run")
    caplog.set_level(logging.INFO, logger="sphereface")
    assert run_here(faces, output=str(output), per_batch_size=1, accumulate_steps=2) == 0
    assert "resumed at step 4 with 1 rank x 2 micro-batches (was 2 x 1), global batch 2 kept" in caplog.messages
    assert_as_trained(output, straight)
    [event] = [line for line in metrics(output) if "event" in line]
    assert (event["event"], event["step"], event["steps"], event["lr_scaled_by"]) == ("resumed", 4, STEPS, 1.0)
    assert event["was"] == {"ranks": 2, "accumulate_steps": 1, "per_batch_size": 1, "global_batch": 2}
    assert names(output) == names(straight)[1:]
    assert run_here(faces, output=str(output)) == 0  # as one batch of two again, with nothing left to do
    assert json.loads((output / "result.json").read_text())["metrics"]["loss"] == metrics(output)[-2]["loss"]


def test_another_global_batch_goes_on_at_the_next_image_where_it_may(
    faces: dict[str, str], straight: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = stopped(straight, 4, tmp_path / "run")  # 8 of 18 images are seen
    flags = faces | {
        "per_batch_size": "3", "max_epoch": "2", "log_interval": "1", "ckpt_interval": "6", "output": str(output)
    }  # fmt: skip
    caplog.set_level(logging.INFO, logger="sphereface")
    assert run_here(flags, elastic_batch="scale") == 0
    assert "resumed at step 4 with 1 rank x 1 micro-batch (was 1 x 1), global batch 2 -> 3, lr x1.5" in caplog.messages
    assert names(output) == ["0-1_4.ckpt", "0-1_6.ckpt", "0-1_7.ckpt", "0-2_5.ckpt", "0-2_6.ckpt"]
    lines = metrics(output)
    assert [line["step"] for line in lines] == [2, 4, 4, *range(5, 14)]
    assert [line["epoch"] for line in lines[3:]] == 3 * [1] + 6 * [2]
    assert {line["steps"] for line in lines[2:]} == {13}
    config = resolve(None, flags)
    unbroken = [8 / 3, 11 / 3, 14 / 3, *range(6, 12)]
    assert [line["lr"] for line in lines[3:]] == pytest.approx([1.5 * learning_rate(config, at, 6) for at in unbroken])

    again = stopped(output, 6, tmp_path / "again")
    assert run_here(flags, output=str(again)) == 0  # scaled already
    one, other = (checkpoint.read(folder / "checkpoints" / "0-2_6.ckpt") for folder in (output, again))
    for name, value in one.weights.items():
        np.testing.assert_array_equal(value, other.weights[name], name)
    assert [line["step"] for line in metrics(again)] == [line["step"] for line in lines]


def test_a_checkpoint_from_before_micro_batches_goes_on_as_ever(
    faces: dict[str, str], straight: Path, tmp_path: Path
) -> None:
    output = stopped(straight, 4, tmp_path / "run")
    old = checkpoint.read(output / "checkpoints" / "0-1_4.ckpt")
    new_keys = {"accumulate_steps", "elastic_batch"}
    meta = {key: value for key, value in old.meta.items() if key not in ("course", "ranks")}
    meta["config"] = {key: value for key, value in meta["config"].items() if key not in new_keys}
    checkpoint.save(old.path, Checkpoint(old.weights, old.moments, meta))
    assert run_here(faces, output=str(output)) == 0
    assert not [line for line in metrics(output) if "event" in line]
    one, other = (checkpoint.read(folder / "checkpoints" / "0-1_9.ckpt") for folder in (output, straight))
    for name, value in one.weights.items():
        np.testing.assert_array_equal(value, other.weights[name], name)
