"""Training: faces in, checkpoints out. `python -m sphereface.train --config …` is `sphereface train --config …`.

The state of a run is the number of its step, the weights and their momenta; learning rate, annealing, order of the
images and their augmentation are functions of the step. So a run that was interrupted anywhere and resumed ends, on a
CPU, with the same bits as one that was not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runfolder import atomic, layout
from sphereface import checkpoint, runtime, status
from sphereface.checkpoint import Checkpoint
from sphereface.config import Config
from sphereface.errors import CheckpointError, ConfigError
from sphereface.journal import Journal, Speed

log = logging.getLogger(__name__)


def train(config: Config, ranks: runtime.Ranks, heartbeat: status.Heartbeat, stop: runtime.StopRequest) -> int:
    """Trains to the end or until asked to stop; returns the exit code. Raises SpherefaceError."""
    from sphereface import data

    faces = data.open_training(config)
    batches = data.Batches(faces, config, rank=ranks.rank, group_size=ranks.size)
    run = Run.prepare(config, ranks, faces, batches.steps_per_epoch)
    log.info(
        "%s: %d images of %d identities, %d epochs of %d steps of %d x %d images; %s, %s",
        config.dataset, len(faces), faces.num_classes, config.max_epoch, run.steps_per_epoch,
        ranks.size, config.per_batch_size, config.net, config.margin,
    )  # fmt: skip
    finished = _loop(run, batches, heartbeat, stop)
    if not finished:
        log.info("stopped after step %d of %d as asked; the same command goes on from there", run.step, run.steps)
        return stop.exit_code
    if ranks.is_master:
        _write_result(run, batches.bad_images)
    return 0


@dataclass
class Run:
    """A training run in this process: what is trained, and how far it is."""

    config: Config
    ranks: runtime.Ranks
    steps_per_epoch: int
    meta: dict[str, Any]
    network: Any
    head: Any
    train_step: Any
    step: int
    """Steps done, of the whole run."""

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.config.max_epoch

    @property
    def output(self) -> Path:
        return Path(self.config.output)

    @staticmethod
    def prepare(config: Config, ranks: runtime.Ranks, faces: Any, steps_per_epoch: int) -> Run:
        """Network, head and optimiser at their starting point: new, from a pretrained file, or where a run stopped."""
        from sphereface.margin import Head
        from sphereface.model import SphereNet
        from sphereface.step import Loss, TrainStep

        folder = config.checkpoint_folder
        latest = _latest(config, folder)
        network = SphereNet(config.net, config.conv_bias, config.seed)
        head = Head(config, faces.num_classes)
        if config.train_pretrained and latest is None:
            _start_from(Path(config.train_pretrained), config, network, head)
        for parameter in _frozen(config, network):
            parameter.requires_grad = False
        train_step = TrainStep(Loss(network, head), config, ranks.size)
        meta = describe(config, ranks, faces, steps_per_epoch)
        run = Run(config, ranks, steps_per_epoch, meta, network, head, train_step, 0)
        if latest is not None:
            run._resume(latest)
        return run

    @property
    def parameters(self) -> list[Any]:
        return [*self.network.get_parameters(), *self.head.get_parameters()]

    def position(self, step: int) -> tuple[int, int]:
        """(epoch from 1, steps done in it) after `step` steps."""
        return (step - 1) // self.steps_per_epoch + 1, (step - 1) % self.steps_per_epoch + 1

    def save(self) -> Path:
        """Writes the checkpoint of this step, and only then deletes what is too many."""
        epoch, steps = self.position(self.step)
        folder, rank = self.config.checkpoint_folder, self.ranks.rank
        path = folder / checkpoint.file_name(rank, epoch, steps)
        meta = {**self.meta, "epoch": epoch, "step": self.step}
        weights = {parameter.name: parameter.asnumpy() for parameter in self.parameters}
        moments = {
            parameter.name.removeprefix(checkpoint.MOMENTS): parameter.asnumpy()
            for parameter in self.train_step.moments
        }
        checkpoint.save(path, Checkpoint(weights, moments, meta))
        checkpoint.prune(folder, rank, self.config.keep_checkpoint_max)
        return path

    def _resume(self, path: Path) -> None:
        saved = checkpoint.read(path)
        for key, word in _MUST_MATCH.items():
            if saved.meta.get(key) != self.meta[key]:
                raise CheckpointError(
                    f"{path}: was trained with {word} {saved.meta.get(key)}, this run has {self.meta[key]}; "
                    "mend the configuration, or give another output (or save_ckpt_path)"
                )
        checkpoint.assign(path, self.parameters, saved.weights)
        checkpoint.assign(path, self.train_step.moments, saved.moments, checkpoint.MOMENTS)
        self.step = saved.meta["step"]
        log.info("resuming from %s: step %d of %d", path, self.step, self.steps)


_MUST_MATCH = {
    "net": "net",
    "conv_bias": "conv_bias",
    "num_classes": "num_classes",
    "margin": "margin",
    "global_batch": "a global batch of",
    "steps_per_epoch": "steps an epoch of",
    "classes": "identities with digest",
}


def describe(config: Config, ranks: runtime.Ranks, faces: Any, steps_per_epoch: int) -> dict[str, Any]:
    """What a checkpoint says of its run; `epoch` and `step` are added at each save."""
    digest = hashlib.sha256("\n".join(faces.names).encode()).hexdigest()[:16]
    settings = dataclasses.asdict(config)
    settings.pop("given")
    return {
        "net": config.net, "conv_bias": config.conv_bias, "num_classes": faces.num_classes, "classes": digest,
        "margin": config.margin, "seed": config.seed, "steps_per_epoch": steps_per_epoch,
        "global_batch": config.per_batch_size * ranks.size, "config": settings,
    }  # fmt: skip


def _latest(config: Config, folder: Path) -> Path | None:
    """The checkpoint to resume from. Raises ConfigError where one is there that must not be resumed."""
    found = checkpoint.listed(folder, 0)
    if not found:
        return None
    if not config.resume:
        raise ConfigError(
            f"{folder}: holds checkpoints of an earlier run ({found[-1].name}), and resume is false; "
            "give another output (or save_ckpt_path)"
        )
    return checkpoint.newest(folder)


def _start_from(path: Path, config: Config, network: Any, head: Any) -> None:
    """Weights of a pretrained file, ours or the zoo's; its head only where the identities are as many."""
    path = checkpoint.newest(path)
    pretrained = checkpoint.read(path)
    net, bias, classes = checkpoint.architecture(path, pretrained)
    if (net, bias) != (config.net, config.conv_bias):
        raise CheckpointError(
            f"{path}: holds {net} with conv_bias {str(bias).lower()}, "
            f"but net is {config.net} with conv_bias {str(config.conv_bias).lower()}"
        )
    checkpoint.assign(path, network.get_parameters(), pretrained.weights)
    if config.new_head:
        return
    ours = head.num_classes
    if classes != ours:
        theirs = "no head" if classes is None else f"a head for {classes} identities"
        raise CheckpointError(f"{path}: has {theirs}, the training list has {ours}; set new_head to start a new head")
    checkpoint.assign(path, head.get_parameters(), pretrained.weights)


def _frozen(config: Config, network: Any) -> list[Any]:
    parts = tuple(
        prefix
        for part in config.frozen_parts
        for prefix in (("fc5.",) if part == "fc5" else (f"conv{part}_", f"relu{part}_"))
    )
    return [parameter for parameter in network.get_parameters() if parts and parameter.name.startswith(parts)]


def _loop(run: Run, batches: Any, heartbeat: status.Heartbeat, stop: runtime.StopRequest) -> bool:
    """Runs the steps that are left. Returns whether all were done, false where a rank was asked to stop."""
    from sphereface import diagnosis

    config, ranks = run.config, run.ranks
    journal = Journal(run.output, run.steps_per_epoch, config.max_epoch)
    saves = ranks.is_master or not config.is_save_on_master
    if saves:
        checkpoint.sweep(config.checkpoint_folder, ranks.rank)
    if ranks.is_master:
        journal.cut(run.step)
    speed = Speed(config.per_batch_size * ranks.size)
    speed.begin()
    heartbeat.beat("compile", epoch=run.step // run.steps_per_epoch + 1, step=run.step, steps=run.steps)
    while run.step < run.steps:
        first = run.step % run.steps_per_epoch
        for images, labels in batches.epoch(run.step // run.steps_per_epoch, first):
            inputs = Inputs.of(run, images, labels, stop)
            loss, norm, stopping = (float(value.asnumpy()) for value in run.train_step(*inputs.tensors()))
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise diagnosis.explain(run, inputs, loss, norm)
            run.step += 1
            speed.step()
            epoch, steps = run.position(run.step)
            ends = steps == run.steps_per_epoch
            if ranks.is_master and (run.step % config.log_interval == 0 or ends):
                journal.record(
                    step=run.step, loss=loss, lr=inputs.rate, annealing=inputs.annealing, grad_norm=norm,
                    speed=speed.read(), bad=batches.bad_images,
                )  # fmt: skip
            if saves and (ends or stopping or run.step % config.ckpt_interval == 0):
                heartbeat.beat("save", epoch=epoch, step=run.step, steps=run.steps)
                run.save()
            heartbeat.beat("train", epoch=epoch, step=run.step, steps=run.steps)
            if stopping:
                return run.step == run.steps
    return True


@dataclass(frozen=True)
class Inputs:
    """What one step is computed from."""

    images: NDArray[np.float32]
    labels: NDArray[np.int32]
    rate: float
    annealing: float
    stop: float

    @staticmethod
    def of(run: Run, images: NDArray[np.float32], labels: NDArray[np.int32], stop: runtime.StopRequest) -> Inputs:
        from sphereface.margin import annealing
        from sphereface.schedule import learning_rate

        rate = learning_rate(run.config, run.step, run.steps_per_epoch)
        return Inputs(images, labels, rate, annealing(run.config, run.step), float(bool(stop.signal)))

    def tensors(self) -> tuple[Any, ...]:
        import mindspore as ms

        scalars = (ms.Tensor(value, ms.float32) for value in (self.rate, self.annealing, self.stop))
        return (ms.Tensor(self.images), ms.Tensor(self.labels), *scalars)


def _write_result(run: Run, bad_images: tuple[str, ...]) -> None:
    """`result.json`, the last thing a finished run writes."""
    last = Journal(run.output, run.steps_per_epoch, run.config.max_epoch).last()
    folder = run.config.checkpoint_folder
    saved = checkpoint.listed(folder, run.ranks.rank)
    metrics = {
        "epochs": run.config.max_epoch, "steps": run.steps, "loss": last.get("loss"),
        "images_per_s": last.get("images_per_s"), "bad_images": len(bad_images), "checkpoint": saved[-1].name,
    }  # fmt: skip
    inside = [path.relative_to(run.output).as_posix() for path in saved if path.is_relative_to(run.output)]
    value = {"schema": 1, "stage": layout.TRAIN, "metrics": metrics, "files": [*inside, layout.METRICS]}
    atomic.write_json(run.output / layout.RESULT, value)
    log.info("finished: %d steps, loss %.4f, %s", run.steps, metrics["loss"] or math.nan, saved[-1])


if __name__ == "__main__":
    import sys

    from sphereface.cli import main

    raise SystemExit(main(["train", *sys.argv[1:]]))
