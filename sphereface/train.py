"""Training: faces in, checkpoints out. `python -m sphereface.train --config …` is `sphereface train --config …`."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runfolder import layout
from sphereface import checkpoint, diagnosis, runtime
from sphereface.config import Config
from sphereface.data import Batches, open_training
from sphereface.journal import Journal, Speed
from sphereface.margin import annealing
from sphereface.run import Run, prepare
from sphereface.schedule import learning_rate
from sphereface.stage import open_output, write_result
from sphereface.status import Heartbeat

log = logging.getLogger(__name__)

MAX_OVERFLOWS = 20
"""Steps in a row whose gradient may overflow float16 (amp) and be passed over, before training counts as diverged."""


def train(config: Config, ranks: runtime.Ranks, heartbeat: Heartbeat, stop: runtime.StopRequest) -> int:
    """Trains to the end, or until asked to stop; returns the exit code. Raises SpherefaceError."""
    faces = open_training(config)
    batches = Batches(faces, config, rank=ranks.rank, group_size=ranks.size)
    run = prepare(config, ranks, faces)
    accumulated = f"{config.accumulate_steps} x " if config.accumulate_steps > 1 else ""
    log.info(
        "%s: %d images of %d identities; %s, %s; %d epochs of %d steps of %d x %s%d images",
        config.dataset, len(faces), faces.num_classes, config.net, config.margin,
        config.max_epoch, run.course.steps_per_epoch, ranks.size, accumulated, config.per_batch_size,
    )  # fmt: skip
    journal = Journal(run.output, run.course)
    if ranks.is_master:
        open_output(config, (layout.METRICS, layout.RESULT))
        journal.cut(run.step, batches.bad.most)
        if run.change is not None:
            journal.record_change(run.change)
    if not Loop(run, batches, journal, heartbeat, stop).finish():
        log.info("stopped after step %d of %d as asked; the same command goes on from there", run.step, run.steps)
        return stop.exit_code
    if ranks.is_master:
        _write_result(run, journal)
    return 0


@dataclass(frozen=True)
class Inputs:
    """What one step, or a micro-batch of it, is computed from: images (B, 3, 112, 96), labels (B,), and scalars;
    `stop` is 0 or 1.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int32]
    rate: float
    annealing: float
    stop: float

    def tensors(self) -> tuple[Any, ...]:
        import mindspore as ms

        scalars = (ms.Tensor(value, ms.float32) for value in (self.rate, self.annealing, self.stop))
        return (ms.Tensor(self.images), ms.Tensor(self.labels), *scalars)


@dataclass
class Loop:
    """The steps that are left of a run, with all that is written on the way."""

    run: Run
    batches: Batches
    journal: Journal
    heartbeat: Heartbeat
    stop: runtime.StopRequest
    overflows: int = 0
    """Steps in a row that were passed over."""

    def finish(self) -> bool:
        """Returns whether all steps were done; false where a rank was asked to stop."""
        run, config = self.run, self.run.config
        speed = Speed(run.course.batch)
        self._beat("compile")
        self.stop.defer()
        while run.step < run.steps:
            place = run.course.place(run.step)
            for number, batch in enumerate(self.batches.epoch(place.epoch, place.seen), start=1):
                inputs = self._inputs(*batch)
                if number % config.accumulate_steps:
                    run.train_step.add(*inputs.tensors())
                    self._beat("train")  # a step of many micro-batches is no stall
                    continue
                loss, norm, stopping = (float(value.asnumpy()) for value in run.train_step(*inputs.tensors()))
                self._check(inputs, loss, norm)
                run.step += 1
                speed.step()
                ends = run.course.place(run.step).done == 0
                if ends or run.step % config.log_interval == 0:
                    self._record(inputs, loss, norm, speed)
                if run.saves and (ends or stopping or run.step % config.ckpt_interval == 0):
                    self._beat("save")
                    run.save()
                self._beat("train")
                if stopping:
                    return run.step == run.steps
        return True

    def _inputs(self, images: NDArray[np.float32], labels: NDArray[np.int32]) -> Inputs:
        run, config = self.run, self.run.config
        rate = learning_rate(config, run.course.unbroken(run.step), run.course.steps_per_epoch) * run.course.lr_factor
        return Inputs(images, labels, rate, annealing(config, run.step), float(self.stop.asked > 0))

    def _check(self, inputs: Inputs, loss: float, norm: float) -> None:
        """Raises DivergedError where the step was not finite, save for a few overflows of float16."""
        if math.isfinite(loss) and math.isfinite(norm):
            self.overflows = 0
            return
        self.overflows += 1
        if not self.run.config.amp or not math.isfinite(loss) or self.overflows >= MAX_OVERFLOWS:
            raise diagnosis.explain(self.run, inputs, loss, norm)
        log.warning("step %d passed over: its gradient overflowed float16", self.run.step + 1)

    def _record(self, inputs: Inputs, loss: float, norm: float, speed: Speed) -> None:
        count = self.journal.note_bad_images(self.batches.bad.messages)
        self.batches.bad.judge(count)
        if self.run.ranks.is_master:
            self.journal.record(
                step=self.run.step, loss=loss, lr=inputs.rate, annealing=inputs.annealing,
                grad_norm=norm if math.isfinite(norm) else None, images_per_s=speed.read(), bad_images=count,
            )  # fmt: skip

    def _beat(self, phase: str) -> None:
        run = self.run
        epoch = min(run.course.place(run.step).epoch + 1, run.config.max_epoch)
        self.heartbeat.beat(phase, epoch=epoch, step=run.step, steps=run.steps)


def _write_result(run: Run, journal: Journal) -> None:
    """`result.json`, the last thing that a finished run writes."""
    last = journal.last()
    saved = checkpoint.listed(run.config.checkpoint_folder, run.ranks.rank)
    files = [*saved, *(run.output / name for name in (layout.METRICS, layout.BAD_IMAGES))]
    metrics = {
        "epochs": run.config.max_epoch, "steps": run.steps, "loss": last.get("loss"),
        "images_per_s": last.get("images_per_s"), "bad_images": last.get("bad_images", 0), "checkpoint": saved[-1].name,
    }  # fmt: skip
    inside = [path.relative_to(run.output).as_posix() for path in files if path.is_relative_to(run.output)]
    kept = [name for name in inside if (run.output / name).exists()]
    write_result(run.output, layout.TRAIN, metrics, kept)
    log.info("finished: %d epochs, %d steps; %s", run.config.max_epoch, run.steps, saved[-1])


if __name__ == "__main__":
    import sys

    from sphereface.cli import main

    raise SystemExit(main(["train", *sys.argv[1:]]))
