"""Sending what a stage writes to a store: checkpoints as they appear, all the rest at its end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from sphereface.errors import TransferError
from sphereface.stores import Store

log = logging.getLogger(__name__)

Files = Callable[[], Iterable[tuple[Path, str]]]
"""What is there now to be sent: files that are whole, and their names in the store."""
INTERVAL = 5.0
"""Seconds between two looks."""


class Uploads:
    """Sends in a thread of its own, so that no training waits for a network; what fails is tried again."""

    def __init__(self, store: Store, files: Files, interval: float = INTERVAL) -> None:
        self._store = store
        self._files = files
        self._interval = interval
        self._sent: dict[str, tuple[int, int, int]] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="uploads", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns once nothing is under way."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def send(self, files: Files) -> None:
        """Sends what was not sent yet, or has changed since. Raises TransferError."""
        for source, name in files():
            try:
                state = source.stat()
                seen = (state.st_ino, state.st_mtime_ns, state.st_size)
                if self._sent.get(name) == seen:
                    continue
                if not self._store.holds(source, name):
                    self._store.upload(source, name)
                    log.info("uploaded %s to %s", name, self._store.url)
            except FileNotFoundError:  # an old checkpoint was deleted meanwhile
                continue
            self._sent[name] = seen

    def _follow(self) -> None:
        while not self._ending.wait(self._interval):
            try:
                self.send(self._files)
            except TransferError as error:
                log.warning("not uploaded: %s; trying again", error)
            except Exception:
                log.exception("uploads go on at the end of the stage")
                return
