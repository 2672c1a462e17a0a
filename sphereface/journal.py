"""The record of a training run: the zoo's log line, metrics.jsonl, and the list of images that could not be read."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runfolder import atomic, layout
from sphereface.course import Course
from sphereface.elastic import Change

log = logging.getLogger(__name__)


def log_to_stdout() -> None:
    """`2021-10-25 09:21:16,137:INFO:…`, the format of the zoo's log, which people's scripts parse."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s:%(levelname)s:%(message)s"))
    logger = logging.getLogger("sphereface")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@dataclass
class Speed:
    """Images a second since the last reading. The first step is left out: its graph was being compiled.

    Where that step is all there is, its own time is what is read.
    """

    images_per_step: int
    clock: Callable[[], float] = time.monotonic
    _since: float = field(init=False)
    _steps: int = field(default=-1, init=False)
    _compiled_in: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def step(self) -> None:
        """One more step is done."""
        if self._steps < 0:
            self._compiled_in = self.clock() - self._since
            self._since = self.clock()
        self._steps += 1

    def read(self) -> float:
        now = self.clock()
        if self._steps <= 0:
            return self.images_per_step / max(self._compiled_in, 1e-9)
        speed = self.images_per_step * self._steps / max(now - self._since, 1e-9)
        self._since, self._steps = now, 0
        return speed


@dataclass
class Journal:
    """Writes under `output`; a `step` is the number of steps done in the whole run, an `epoch` counts from 1."""

    output: Path
    course: Course
    clock: Callable[[], float] = time.time

    @property
    def metrics(self) -> Path:
        return self.output / layout.METRICS

    def cut(self, step: int, most_bad: float) -> None:
        """Drops what was recorded beyond `step`, from which training goes on; all of it where that is 0.

        An event at `step` is dropped too: what it began came to no checkpoint.

        A list of bad images longer than `most_bad` has ended the run: it begins anew, since some may be mended.
        """
        if step == 0 or len(self._bad_images()) > most_bad:
            (self.output / layout.BAD_IMAGES).unlink(missing_ok=True)
        if self.metrics.exists():
            lines = atomic.read_json_lines(self.metrics)
            kept = [line for line in lines if line.get("step", step + 1) <= step - ("event" in line)]
            atomic.write_text(self.metrics, "".join(f"{json.dumps(line)}\n" for line in kept))

    def record(
        self,
        *,
        step: int,
        loss: float,
        lr: float,
        annealing: float,
        grad_norm: float | None,
        images_per_s: float,
        bad_images: int,
    ) -> None:
        """One log line, whose epoch and iteration count from 0 as in the zoo, and one line of metrics."""
        epoch, _ = self.course.position(step)
        log.info("epoch[%d], iter[%d], loss:%.4f, mean_fps:%.2f imgs/sec", epoch - 1, step - 1, loss, images_per_s)
        line = {
            **self._where(epoch, step), "loss": loss, "lr": lr,
            "annealing": annealing, "grad_norm": grad_norm, "images_per_s": images_per_s, "bad_images": bad_images,
        }  # fmt: skip
        atomic.append_line(self.metrics, json.dumps(line))

    def record_change(self, change: Change) -> None:
        """One log line and one line of metrics, with `event` in it and no loss."""
        log.info("%s", change)
        epoch = min(self.course.place(change.step).epoch + 1, self.course.epochs)
        atomic.append_line(self.metrics, json.dumps(self._where(epoch, change.step) | change.as_json()))

    def _where(self, epoch: int, step: int) -> dict[str, Any]:
        return {
            "time": self.clock(), "epoch": epoch, "step": step, "steps": self.course.steps,
            "steps_per_epoch": self.course.steps_per_epoch, "epochs": self.course.epochs,
        }  # fmt: skip

    def note_bad_images(self, messages: Sequence[str]) -> int:
        """Adds new ones of this rank's to the list that all ranks share; returns how many are in it."""
        path, known = self.output / layout.BAD_IMAGES, self._bad_images()
        new = [message for message in messages if message not in known]
        for message in new:
            atomic.append_line(path, message)
        count = len(known) + len(new)
        if new:
            log.warning("%d images cannot be used so far, the last: %s (all are in %s)", count, new[-1], path)
        return count

    def _bad_images(self) -> set[str]:
        path = self.output / layout.BAD_IMAGES
        return set(path.read_text(errors="replace").splitlines()) if path.exists() else set()

    def last(self) -> dict[str, Any]:
        """The last line of metrics that is no event, or an empty one."""
        lines = [line for line in atomic.read_json_lines(self.metrics) if "event" not in line]
        return lines[-1] if lines else {}
