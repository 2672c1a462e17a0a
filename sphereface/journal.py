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
    """Images a second since the last reading. The first step counts neither: its graph is being compiled."""

    images_per_step: int
    clock: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None, init=False)
    _steps: int = field(default=0, init=False)
    _began: float = field(default=0.0, init=False)

    def begin(self) -> None:
        self._began = self.clock()

    def step(self) -> None:
        if self._since is None:
            self._since = self.clock()
        else:
            self._steps += 1

    def read(self) -> float:
        now = self.clock()
        if self._since is None or self._steps == 0:
            return self.images_per_step / max(now - self._began, 1e-9)
        speed = self.images_per_step * self._steps / max(now - self._since, 1e-9)
        self._since, self._steps = now, 0
        return speed


@dataclass
class Journal:
    """Writes under `output`; `step` is the number of steps done in the whole run, `epoch` counts from 1."""

    output: Path
    steps_per_epoch: int
    epochs: int
    clock: Callable[[], float] = time.time
    _bad: int = field(default=0, init=False)

    @property
    def metrics(self) -> Path:
        return self.output / layout.METRICS

    def cut(self, step: int) -> None:
        """Drops what was recorded beyond `step`, the step that training goes on from."""
        kept = [line for line in atomic.read_json_lines(self.metrics) if line.get("step", step + 1) <= step]
        if kept or self.metrics.exists():
            atomic.write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def record(
        self, *, step: int, loss: float, lr: float, annealing: float, grad_norm: float, speed: float, bad: Sequence[str]
    ) -> None:
        """One log line and one line of metrics, after `step` steps."""
        epoch = (step - 1) // self.steps_per_epoch + 1
        log.info("epoch[%d], iter[%d], loss:%.4f, mean_fps:%.2f imgs/sec", epoch - 1, step - 1, loss, speed)
        line: dict[str, Any] = {
            "time": self.clock(), "epoch": epoch, "step": step,
            "steps": self.steps_per_epoch * self.epochs, "steps_per_epoch": self.steps_per_epoch,
            "epochs": self.epochs, "loss": loss, "lr": lr, "annealing": annealing, "grad_norm": grad_norm,
            "images_per_s": speed, "bad_images": len(bad),
        }  # fmt: skip
        atomic.append_line(self.metrics, json.dumps(line))
        self._record_bad(bad)

    def _record_bad(self, bad: Sequence[str]) -> None:
        if len(bad) > self._bad:
            log.warning("%d images could not be read so far (latest: %s); see %s", len(bad), bad[-1], layout.BAD_IMAGES)
            atomic.write_text(self.output / layout.BAD_IMAGES, "".join(f"{line}\n" for line in bad))
            self._bad = len(bad)

    def last(self) -> dict[str, Any]:
        """The last line of metrics, or an empty one."""
        last: dict[str, Any] = {}
        for last in atomic.read_json_lines(self.metrics):  # noqa: B007 - the last one is what is wanted
            pass
        return last
