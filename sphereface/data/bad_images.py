"""Images that cannot be used: counted, named, and bounded, so that they neither end a run nor pass unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from sphereface.data import prefetch
from sphereface.errors import DataError

Made = TypeVar("Made")


class BadImages:
    """Images of a set of `count` that could not be used, and the bound on their share. Threads may share it."""

    def __init__(self, count: int, max_share: float) -> None:
        self._count = count
        self._max_share = max_share
        self._messages: dict[int, str] = {}
        self._lock = threading.Lock()

    def __contains__(self, index: int) -> bool:
        return index in self._messages

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(message for _, message in sorted(self._messages.items()))

    @property
    def most(self) -> float:
        """So many are allowed."""
        return self._max_share * self._count

    def add(self, index: int, message: str) -> None:
        """Remembers an image. Raises DataError once their share exceeds the bound."""
        with self._lock:
            self._messages[index] = message
        self.judge(len(self))

    def judge(self, count: int) -> None:
        """Raises DataError where `count` images, those that other ranks have met among them, are too many."""
        if count > self.most:
            first = "; ".join(self.messages[:3])
            raise DataError(
                f"{count} of {self._count} images cannot be used, more than max_bad_images {self._max_share:g} allows"
                + (f"; the first: {first}" if first else "")
            )


def readable(count: int, make: Callable[[int], Made], bad: BadImages, workers: int) -> Iterator[tuple[int, Made]]:
    """`(index, make(index))` for 0..count-1 in order; those for which `make` raises DataError go to `bad` instead."""

    def attempt(index: int) -> tuple[int, Made] | None:
        try:
            return index, make(index)
        except DataError as error:
            bad.add(index, str(error))
            return None

    for made in prefetch.ordered(attempt, range(count), workers):
        if made is not None:
            yield made
