"""Where each step of a run stands: in which epoch, at which image, and how much the learning rate is scaled. Pure.

As long as the global batch (the images a step of all ranks together) stays as it was, step s is step s mod E of epoch
s div E, with E = images div batch. Where a run goes on with another global batch (`Course.turned`):

- Steps go on being counted from where they were; so lambda, which falls by the step, and the names of checkpoints do.
- The epoch under way goes on at its next unseen image. Its steps are as many as the images that are left fill; what
  does not fill a step at its end is left out, as at the end of every epoch.
- All later epochs have E steps of the new batch.
- The learning rate is scaled by new / old global batch: Goyal et al., "Accurate, Large Minibatch SGD", 2017.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

META = "course"
"""Key of a checkpoint's meta that has the course; one without it had one global batch all the way."""


@dataclass(frozen=True)
class Place:
    """Between two steps of a run: in an epoch (from 0), of which `done` steps on `seen` images are done."""

    epoch: int
    done: int
    seen: int


@dataclass(frozen=True)
class Course:
    """The steps of a run from `first` on, which stands at `start`; those before it may have had other batches."""

    images: int
    """Of the whole set; an epoch uses each at most once."""
    batch: int
    """Images a step of all ranks together."""
    epochs: int
    lr_batch: int
    """Global batch that the configured learning rate is meant for: the one that the run began with."""
    first: int = 0
    start: Place = Place(0, 0, 0)

    @property
    def steps_per_epoch(self) -> int:
        return self.images // self.batch

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.first + self._left + (self.epochs - self.start.epoch - 1) * self.steps_per_epoch

    @property
    def lr_factor(self) -> float:
        return self.batch / self.lr_batch

    @property
    def _left(self) -> int:
        """Steps of the epoch that `first` is in."""
        return (self.images - self.start.seen) // self.batch

    def place(self, step: int) -> Place:
        """Before step `step` (0-based, from `first` on); the end of an epoch is the beginning of the next."""
        on = step - self.first
        if on < self._left:
            return Place(self.start.epoch, self.start.done + on, self.start.seen + on * self.batch)
        epochs, done = divmod(on - self._left, self.steps_per_epoch)
        return Place(self.start.epoch + 1 + epochs, done, done * self.batch)

    def position(self, step: int) -> tuple[int, int]:
        """(epoch from 1, steps done in it) after `step` > `first` steps; the end of an epoch belongs to it."""
        before = self.place(step - 1)
        return before.epoch + 1, before.done + 1

    def unbroken(self, step: int) -> float:
        """The step, of a run that had this batch from its beginning, that has come as far through the images."""
        place = self.place(step)
        return place.epoch * self.steps_per_epoch + place.seen / self.batch

    def turned(self, step: int, batch: int) -> Course:
        """The same run with another global batch from `step` on."""
        return dataclasses.replace(self, batch=batch, first=step, start=self.place(step))

    def as_meta(self) -> dict[str, Any]:
        return {"first": self.first, "start": dataclasses.asdict(self.start), "lr_batch": self.lr_batch}

    @staticmethod
    def begin(images: int, batch: int, epochs: int) -> Course:
        return Course(images, batch, epochs, lr_batch=batch)

    @staticmethod
    def from_meta(meta: Mapping[str, Any], images: int, epochs: int) -> Course:
        """The course of the run that wrote a checkpoint."""
        course = Course.begin(images, meta["global_batch"], epochs)
        if META not in meta:
            return course
        saved = meta[META]
        return dataclasses.replace(
            course, first=saved["first"], start=Place(**saved["start"]), lr_batch=saved["lr_batch"]
        )
