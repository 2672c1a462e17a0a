"""Going on from a checkpoint with other ranks than those that wrote it.

A step computes the mean gradient of ranks x accumulate_steps micro-batches of per_batch_size images, and which images
these are depends on their product alone (see `data.Batches`): 8 ranks, 4 ranks of 2 micro-batches and 1 of 8 do the
same steps but for the order of their sums. Another product is another global batch, and goes on only where
elastic_batch says "scale"; see `course` for what then becomes of epochs and learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sphereface.config import Config
from sphereface.course import Course
from sphereface.errors import CheckpointError


@dataclass(frozen=True)
class Shares:
    """How a step's images are shared out."""

    ranks: int
    accumulate_steps: int
    per_batch_size: int

    @property
    def batch(self) -> int:
        """The global batch."""
        return self.ranks * self.accumulate_steps * self.per_batch_size

    def as_json(self) -> dict[str, int]:
        return {**asdict(self), "global_batch": self.batch}

    def __str__(self) -> str:
        ranks = "rank" if self.ranks == 1 else "ranks"
        micro = "micro-batch" if self.accumulate_steps == 1 else "micro-batches"
        return f"{self.ranks} {ranks} x {self.accumulate_steps} {micro}"

    @staticmethod
    def of(config: Config, ranks: int) -> Shares:
        return Shares(ranks, config.accumulate_steps, config.per_batch_size)

    @staticmethod
    def from_meta(meta: Mapping[str, Any]) -> Shares:
        """Of the run that wrote a checkpoint; one without `ranks` is from before there were micro-batches."""
        each = meta["config"]["per_batch_size"]
        ranks = meta.get("ranks", meta["global_batch"] // each)
        return Shares(ranks, meta["config"].get("accumulate_steps", 1), each)


@dataclass(frozen=True)
class Change:
    """That a run goes on, after `step` steps, with other shares than before."""

    step: int
    was: Shares
    now: Shares

    @property
    def factor(self) -> float:
        """By which the learning rate is scaled."""
        return self.now.batch / self.was.batch

    def __str__(self) -> str:
        batch = (
            f"global batch {self.was.batch} kept"
            if self.was.batch == self.now.batch
            else f"global batch {self.was.batch} -> {self.now.batch}, lr x{self.factor:g}"
        )
        was = f"{self.was.ranks} x {self.was.accumulate_steps}"
        return f"resumed at step {self.step} with {self.now} (was {was}), {batch}"

    def as_json(self) -> dict[str, Any]:
        """As `metrics.jsonl` has it."""
        return {"event": "resumed", **self.now.as_json(), "was": self.was.as_json(), "lr_scaled_by": self.factor}


def go_on(
    path: Path, meta: Mapping[str, Any], config: Config, now: Shares, images: int
) -> tuple[Course, Change | None]:
    """The course of a run that goes on from the checkpoint at `path` with that meta, and the change if there is one.

    Raises CheckpointError where the data is not what it was, or the global batch is not and was to be kept.
    """
    course = Course.from_meta(meta, images, config.max_epoch)
    if meta["steps_per_epoch"] != course.steps_per_epoch:
        raise CheckpointError(
            f"{path}: cannot resume: it was trained with steps an epoch: {meta['steps_per_epoch']}, "
            f"this run has {course.steps_per_epoch} ({images} images); mend the configuration, or give another output"
        )
    was = Shares.from_meta(meta)
    if was == now:
        return course, None
    if was.batch == now.batch:
        return course, Change(meta["step"], was, now)
    if config.elastic_batch == "keep":
        raise CheckpointError(
            f"{path}: cannot resume: it was trained with a global batch of {was.batch}, this run has {now.batch} "
            f"({now} of {now.per_batch_size}); {_advice(was, now)}, or elastic_batch to scale to go on with {now.batch}"
        )
    return course.turned(meta["step"], now.batch), Change(meta["step"], was, now)


def _advice(was: Shares, now: Shares) -> str:
    """How to keep the global batch."""
    micro, rest = divmod(was.batch, now.ranks * now.per_batch_size)
    if micro and not rest:
        return f"set accumulate_steps to {micro} to keep it"
    each, rest = divmod(was.batch, now.ranks)
    if rest:
        return f"start a number of ranks that divides {was.batch} to keep it"
    return f"set per_batch_size x accumulate_steps to {each} to keep it"
