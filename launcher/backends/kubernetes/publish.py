"""What the runner tells the world of its run: the record and the progress on the storage, into the status ConfigMap."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from launcher import progress, record
from launcher.backends.kubernetes import run_status
from launcher.backends.kubernetes.api import Api
from launcher.errors import ApiError, BackendError
from launcher.record import RunRecord, StageRecord
from launcher.status import Progress, RunStatus
from runfolder import layout

CHANGED_S = 2.0
PROGRESS_S = 5.0
LAST_WORD_S = 300.0
"""How long the end of the run is tried to be told; then another runner has to."""
_PAUSE_S = 2.0


class Publisher:
    """`offer` whatever is known as often as you like: it is sent when it is new, and not too often."""

    def __init__(
        self,
        api: Api,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._folder = folder
        self._clock = clock
        self._steady = steady
        self._sleep = sleep
        self._tried: float | None = None
        self._known: RunRecord | None = None
        self._sent: RunStatus | None = None

    def offer(self, now: RunRecord) -> None:
        """A cluster that does not take it now is offered it again."""
        pause = CHANGED_S if now != self._known else PROGRESS_S
        if self._tried is not None and self._steady() - self._tried < pause:
            return
        self._tried = self._steady()
        try:
            self._send(now)
        except BackendError as error:
            print(f"the run's status cannot be published: {error}", file=sys.stderr, flush=True)

    def finish(self, now: RunRecord) -> None:
        """The last word. Raises BackendError where the cluster does not take it; if it forbids that, it is left so."""
        until = self._steady() + LAST_WORD_S
        while True:
            try:
                self._send(now)
                return
            except BackendError as error:
                print(f"the run's end cannot be published: {error}", file=sys.stderr, flush=True)
                if isinstance(error, ApiError) and error.status in (403, 404):
                    return
                if self._steady() > until:
                    raise
                self._sleep(_PAUSE_S)

    def _send(self, now: RunRecord) -> None:
        found = {stage.name: self._progress(now, stage) for stage in now.stages if stage.attempts}
        told = record.to_status(now, self._folder, {name: far for name, far in found.items() if far})
        if told != self._sent:
            run_status.publish(self._api, told)
        self._known, self._sent = now, told

    def _progress(self, now: RunRecord, stage: StageRecord) -> Progress | None:
        folder = layout.stage_folder(self._folder, stage.name)
        status = layout.status_folder(folder, stage.attempts)
        ranks = now.nodes * now.devices if stage.name == layout.TRAIN else 1
        return progress.read(folder, status, ranks=ranks, now=self._clock())
