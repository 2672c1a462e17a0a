"""What tells the first process of a stage to end it: a signal, its supervisor's end, or a later attempt."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from launcher import record
from launcher.processes import endings, process_tree
from launcher.processes.endings import Ending

_FENCE_S = 1.0


class Stop:
    """Whether this process was told to stop, by a signal or by its supervisor's end."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self, supervisor: int | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if supervisor is not None:
            process_tree.die_with_parent(signal.SIGTERM)
            self.asked = os.getppid() != supervisor

    def _on_signal(self, _number: int, _frame: object) -> None:
        self.asked = True


class Orders:
    """From outside: to stop, or that the run has given this attempt up, because a node that was lost to the cluster
    may still carry it out."""

    def __init__(self, stop: Stop, stage_folder: Path, attempt: int) -> None:
        self._stop = stop
        self._stage_folder = stage_folder
        self._attempt = attempt
        self._looked = 0.0

    def stopped(self) -> bool:
        return self._stop.asked

    def over(self) -> Ending | None:
        """None: go on. Looks at the storage once a second at most."""
        if self._stop.asked:
            return Ending(endings.TERMINATED_EXIT, "Terminated", "told to stop")
        if time.monotonic() - self._looked < _FENCE_S:
            return None
        self._looked = time.monotonic()
        if record.is_given_up(self._stage_folder, self._attempt):
            return Ending(1, "Superseded", "the run has given this attempt up")
        return None
