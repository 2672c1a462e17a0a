"""What the first process of a stage prints: every rank's lines under its number, whole, and a few words of its own.

The same lines are kept as `logs/attempt_A.log`, in the same order and before they are printed: what was seen of a pod
can be read there when the pod is gone, and what a reader missed is there already.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from launcher.processes.rank_logs import LineTail
from launcher.processes.stage_processes import StageProcesses
from runfolder import atomic, layout

POD = "pod"
"""Name of the log that keeps the words of its own."""
MAX_BYTES = 15_000
"""A longer line is printed as several: container runtimes split lines at 16 KiB, and each in its own way."""
_AT_ONCE = 1000
_OWN = "[launcher] "
_PREFIX = re.compile(r"\[rank (\d+)\] ")


def parse(line: str) -> tuple[int | None, str]:
    """Rank and text of a line that was printed; the rank is None for words of the stage's first process itself."""
    if line.startswith(_OWN):
        return None, line[len(_OWN) :]
    found = _PREFIX.match(line)
    return (int(found.group(1)), line[found.end() :]) if found else (None, line)


def is_ours(line: str) -> bool:
    """Whether it was printed here; whatever else a container says has no prefix, and no copy is kept of it."""
    return line.startswith(_OWN) or _PREFIX.match(line) is not None


def begins(line: str, stage: str, attempt: int) -> bool:
    """Whether it is the first line of the attempt."""
    return line.startswith(_OWN + begin_words(stage, attempt))


def begin_words(stage: str, attempt: int) -> str:
    """How the first line of every attempt begins."""
    return f"attempt {attempt} of {stage} begins"


class PodOutput:
    """Of pod 0: what all ranks write, of other pods too, whose logs lie on the same storage. Of another pod: what its
    own ranks write, and no copy of that is kept."""

    def __init__(self, stage_folder: Path, attempt: int, pod: int = 0) -> None:
        self._pod = pod
        self._log = layout.log_file(stage_folder / layout.LOGS, POD)
        self._copy = layout.attempt_log(stage_folder, attempt)
        self._tails: list[tuple[int, LineTail]] = []
        self._closed = False

    def follow(self, processes: StageProcesses) -> None:
        """From now on shows what the ranks of this attempt write."""
        numbers = processes.numbers if self._pod else range(processes.stage.ranks)
        self._tails = [
            (number, LineTail(processes.log(name), processes.offsets[name]))
            for number, name in ((number, layout.rank_name(number)) for number in numbers)
        ]

    def forward(self, *, final: bool = False) -> None:
        for number, tail in self._tails:
            lines = _prefixed(f"[rank {number}] ", tail.read(final=final))
            while batch := list(islice(lines, _AT_ONCE)):
                self._print(batch)

    def say(self, text: str) -> None:
        """On stdout, and kept in the log; a log that cannot be written must not end the stage."""
        text = f"pod {self._pod}: {text}" if self._pod else text
        self._print(list(_prefixed(_OWN, [text])))
        stamp = datetime.now().isoformat(sep=" ", timespec="milliseconds").replace(".", ",")
        with contextlib.suppress(OSError):
            atomic.append_line(self._log, f"{stamp}:INFO:{text}")

    def _print(self, lines: Sequence[str]) -> None:
        if not self._pod:
            with contextlib.suppress(OSError):
                # Closed each time: only then does a network file system show them to others.
                atomic.append_lines(self._copy, lines)
        if self._closed:
            return
        try:
            sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
            sys.stdout.buffer.flush()
        except OSError:  # whoever read it has gone; what is buffered must not fail again at the interpreter's end
            self._closed = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prefixed(prefix: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for line in text.split("\n"):
            data = line.encode()
            if len(data) <= MAX_BYTES:
                yield prefix + line
                continue
            begin = 0
            while begin < len(data):
                end = begin + MAX_BYTES
                while end < len(data) and data[end] & 0xC0 == 0x80:  # not inside a letter
                    end -= 1
                yield prefix + data[begin:end].decode()
                begin = end
