"""Attempts of stages as processes of this machine: one pod at a time, and nothing of it left when it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from launcher import names, pod
from launcher.backends import supervisor
from launcher.errors import BackendError
from launcher.executor import Look
from launcher.plan import Stage
from launcher.processes import process_tree
from runfolder import layout

STOP_S = pod.STOP_GRACE_S + 10.0
"""A pod that was told to stop and has not ended by then is killed; its ranks die with it."""


class LocalExecutor:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pod: subprocess.Popen[bytes] | None = None
        self._attempt = ("", 0)
        self._told: float | None = None
        self._frozen: float | None = None

    def start(self, stage: Stage, attempt: int) -> None:
        marker = {
            names.ENV_RUN: self._folder.name,
            names.ENV_FOLDER: str(self._folder),
            names.ENV_STAGE: stage.name,
            names.ENV_ATTEMPT: str(attempt),
        }
        argv = [sys.executable, "-P", "-m", "launcher.pod", "--folder", str(self._folder), "--stage", stage.name]
        argv += ["--attempt", str(attempt), "--supervisor", str(os.getpid())]
        try:
            self._pod = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # what it prints is in the logs already
                env={**os.environ, **marker},
                start_new_session=True,
            )
        except OSError as error:
            raise BackendError(f"cannot start a process: {error.strerror}") from None
        self._attempt = (stage.name, attempt)
        self._told = self._frozen = None

    def look(self, stage: Stage, attempt: int) -> Look:
        if self._pod is None or self._attempt != (stage.name, attempt):
            return Look(ended=True)
        self._kill_if_deaf(self._pod, stage)
        code = self._pod.poll()
        if code is not None:
            supervisor.sweep(self._folder, grace_s=0.0)
            return Look(ended=True, exit_code=code)
        status = layout.status_folder(layout.stage_folder(self._folder, stage.name), attempt)
        ranks = [layout.pid_file(status, layout.rank_name(number)) for number in range(stage.ranks)]
        return Look(ended=False, working=all(path.exists() for path in ranks))

    def stop(self, stage: Stage, attempt: int) -> None:
        if self._pod is None or self._attempt != (stage.name, attempt):
            return
        self._told = self._told or time.monotonic()
        self._pod.send_signal(signal.SIGTERM)
        self._pod.send_signal(signal.SIGCONT)

    def _kill_if_deaf(self, first: subprocess.Popen[bytes], stage: Stage) -> None:
        """A pod that is stopped (SIGSTOP), or that was told to stop and does not, watches over nothing any more."""
        now = time.monotonic()
        process = process_tree.read(first.pid)
        if process is None or process.state != "T":
            self._frozen = None
        elif self._frozen is None:
            self._frozen = now
        frozen = self._frozen is not None and now - self._frozen > stage.policy.heartbeat_s
        late = self._told is not None and now - self._told > STOP_S
        if frozen or late:
            first.kill()
