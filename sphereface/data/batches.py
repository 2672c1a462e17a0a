"""Training batches: the same for every layout of ranks and workers, from whatever step a run goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sphereface.align import HEIGHT, WIDTH
from sphereface.config import Config
from sphereface.data import prefetch, sampling
from sphereface.data.bad_images import BadImages
from sphereface.data.faces import FaceSet
from sphereface.errors import DataError

Batch = tuple[NDArray[np.float32], NDArray[np.int32]]


class Batches:
    """The share of rank `rank` of `group_size` in the batches over `faces`.

    With B = per_batch_size and A = accumulate_steps, a step takes the next B * A * group_size images of the epoch's
    order, and micro-batch a of rank r the (r * A + a)-th B of them; what does not fill a step at the end is left out.
    An image that cannot be read is replaced by the next good one in the epoch's order, and remembered.
    """

    def __init__(self, faces: FaceSet, config: Config, *, rank: int, group_size: int) -> None:
        self._faces = faces
        self._seed = config.seed
        self._color_jitter = config.color_jitter
        self._workers = config.data_workers
        self._each = config.per_batch_size
        self._rank = rank
        self._micro_batches = config.accumulate_steps
        self._together = config.per_batch_size * config.accumulate_steps * group_size
        self.bad = BadImages(len(faces), config.max_bad_images)
        """Images that this rank could not use so far."""
        self.steps_per_epoch = len(faces) // self._together
        if not self.steps_per_epoch:
            accumulated = f" x {self._micro_batches} micro-batches" if self._micro_batches > 1 else ""
            raise DataError(
                f"{len(faces)} training images do not fill one batch of {self._together} "
                f"(per_batch_size {self._each}{accumulated} on {group_size} ranks); set a smaller per_batch_size"
            )

    def epoch(self, epoch: int, seen: int = 0) -> Iterator[Batch]:
        """The steps of an epoch (0-based) after its first `seen` images, micro-batch by micro-batch.

        Each is images float32 (B, 3, 112, 96) BGR, normalised, and labels int32 (B,); A of them are a step.
        Raises DataError when more images are bad than max_bad_images allows. Close it to end its threads early.
        """
        order = sampling.order(len(self._faces), self._seed, epoch)
        how = sampling.augmentation(len(self._faces), self._seed, epoch, self._color_jitter)

        def batch(number: int) -> Batch:
            step, micro = divmod(number, self._micro_batches)
            images = np.empty((self._each, 3, HEIGHT, WIDTH), np.float32)
            labels = np.empty(self._each, np.int32)
            first = seen + step * self._together + (self._rank * self._micro_batches + micro) * self._each
            for place, position in enumerate(range(first, first + self._each)):
                index, canvas = self._good(order, position)
                sampling.augment(canvas, how, position, images[place])
                labels[place] = self._faces.labels[index]
            return images, labels

        steps = (len(self._faces) - seen) // self._together
        yield from prefetch.ordered(batch, range(steps * self._micro_batches), self._workers)

    def _good(self, order: NDArray[np.int64], position: int) -> tuple[int, NDArray[np.uint8]]:
        """The first image that can be read from `position` on, around the end of the epoch."""
        for ahead in range(len(order)):
            index = int(order[(position + ahead) % len(order)])
            if index in self.bad:
                continue
            try:
                return index, self._faces.crop(index)
            except DataError as error:
                self.bad.add(index, str(error))
        raise DataError(f"none of the {len(order)} training images can be read, as in: {self.bad.messages[0]}")
