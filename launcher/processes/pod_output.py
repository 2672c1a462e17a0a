"""What the first process of a stage prints: every rank's lines under its number, whole, and a few words of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime
from pathlib import Path

from launcher.processes.rank_logs import LineTail
from launcher.processes.stage_processes import StageProcesses
from runfolder import atomic, layout

POD = "pod"
"""Name of the log that keeps the words of its own."""


class PodOutput:
    def __init__(self, logs: Path) -> None:
        self._log = layout.log_file(logs, POD)
        self._tails: list[tuple[int, LineTail]] = []
        self._closed = False

    def follow(self, processes: StageProcesses) -> None:
        """From now on shows what the ranks of this attempt write."""
        self._tails = [
            (number, LineTail(processes.log(name), processes.offsets[name]))
            for number, name in enumerate(processes.ranks)
        ]

    def forward(self, *, final: bool = False) -> None:
        for number, tail in self._tails:
            for line in tail.read(final=final):
                self._print(f"[{number}] {line}")

    def say(self, text: str) -> None:
        """On stdout, and kept in the log; a log that cannot be written must not end the stage."""
        self._print(f"[launcher] {text}")
        stamp = datetime.now().isoformat(sep=" ", timespec="milliseconds").replace(".", ",")
        with contextlib.suppress(OSError):
            atomic.append_line(self._log, f"{stamp}:INFO:{text}")

    def _print(self, line: str) -> None:
        if self._closed:
            return
        try:
            sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()
        except OSError:  # whoever read it has gone; what is buffered must not fail again at the interpreter's end
            self._closed = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
