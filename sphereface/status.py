"""What a rank tells whoever started it: a heartbeat while it lives, and a failure file when it ends badly.

Both are written only where SPHEREFACE_STATUS_DIR is set. The scheduler process of msrun computes nothing and writes
neither (it is given rank 0's number).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runfolder import atomic, layout

SCHEMA = 1
INTERVAL = 1.0
"""Seconds between heartbeats while the phase stays the same."""


def folder(environ: Mapping[str, str]) -> Path | None:
    """The folder of the status files, or None where nobody watches."""
    name = environ.get(layout.STATUS_DIR_VARIABLE)
    return Path(name) if name and environ.get("MS_ROLE") != "MS_SCHED" else None


@dataclass
class Heartbeat:
    """Heartbeats of one rank; without a folder it does nothing. A heartbeat that cannot be written ends no training."""

    folder: Path | None
    rank: int
    clock: Callable[[], float] = time.time
    _phase: str = field(default="", init=False)
    _place: dict[str, int] = field(default_factory=dict, init=False)
    _last: float = field(default=0.0, init=False)

    def beat(self, phase: str, *, epoch: int = 0, step: int = 0, steps: int = 0) -> None:
        """`phase` is one of start, compile, save, done, or the stage; epoch from 1, `step` of `steps` done."""
        now = self.clock()
        self._place = {"epoch": epoch, "step": step, "steps": steps}
        soon = phase == self._phase and now - self._last < INTERVAL
        last = 0 < steps <= step  # is what stays to be seen, however soon it comes
        if self.folder is None or (soon and not last):
            return
        self._phase, self._last = phase, now
        value = {
            "schema": SCHEMA, "pid": os.getpid(), "rank": self.rank, "time": now,
            "phase": phase, **self._place,
        }  # fmt: skip
        with contextlib.suppress(OSError):
            atomic.write_json(layout.heartbeat_file(self.folder, self.rank), value)

    def done(self) -> None:
        """Nothing is left to do here or on any other rank: however this process ends now, it has ended well."""
        self.beat(layout.DONE, **self._place)


def report_failure(
    environ: Mapping[str, str], *, reason: str, message: str, retry: bool, exit_code: int, now: float
) -> None:
    """Leaves `rank_R.failure.json`, as far as the disk lets it."""
    where = folder(environ)
    if where is None:
        return
    rank = int(environ.get("RANK_ID") or 0)
    value = {
        "schema": SCHEMA, "rank": rank, "time": now,
        "reason": reason, "message": message, "retry": retry, "exit_code": exit_code,
    }  # fmt: skip
    with contextlib.suppress(OSError):
        atomic.write_json(layout.failure_file(where, rank), value)
