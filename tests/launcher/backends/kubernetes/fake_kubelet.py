"""Pods whose logs grow, are rotated and break off, and the storage that keeps the same lines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from launcher import names, read_log
from launcher.errors import ApiError, Unreachable
from launcher.processes import pod_output
from launcher.read_log import Record, Wanted
from runfolder import atomic, layout
from tests.launcher.backends.kubernetes.fake_api import FakeApi

BEGAN = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC).timestamp()


@dataclass
class Log:
    """A container's log: only its newest file is ever shown."""

    lines: list[str] = field(default_factory=list)
    """Of the newest file, with their stamps."""
    printed: list[str] = field(default_factory=list)
    """All that was ever printed, without stamps."""


class FakeKubelet(FakeApi):
    """`before_log` is called before each answer, so that a log can grow, rotate or raise between two of them."""

    def __init__(self, folder: Path, run: str = "demo") -> None:
        super().__init__()
        self.folder = folder
        self.run = run
        self.kubelet: dict[str, Log] = {}
        self.nanoseconds = itertools.count(1)
        self.before_log: Callable[[], None] = lambda: None
        self.cut: Callable[[int], int] = lambda length: length
        """How many of so many lines an answer gives before it ends without a sign."""

    def start(self, stage: str, attempt: int, phase: str = "Running") -> str:
        """A pod of that attempt; its container runs, unless the phase is Pending."""
        name = f"{names.stage_job(self.run, stage, attempt)}-x"
        self.put("pods", {"metadata": {"name": name, "labels": names.labels(self.run, names.STAGE, stage, attempt)}})
        self.kubelet.setdefault(name, Log())
        self.phase(name, phase)
        return name

    def phase(self, pod: str, phase: str) -> None:
        states = {"Pending": "waiting", "Running": "running"}
        state = {states.get(phase, "terminated"): {"startedAt": "2026-11-24T12:00:00Z"}}
        status = {"phase": phase, "containerStatuses": [{"name": names.CONTAINER, "state": state}]}
        self.put("pods", {**self.objects[("pods", pod)], "status": status})

    def print(self, pod: str, *texts: str) -> None:
        """Kept on the storage first, as `PodOutput` does; what has no prefix comes from somewhere else."""
        labels = self.objects[("pods", pod)]["metadata"]["labels"]
        stage, attempt = labels[names.LABEL_STAGE], int(labels[names.LABEL_ATTEMPT])
        ours = [text for text in texts if pod_output.is_ours(text)]
        if ours:
            atomic.append_lines(layout.attempt_log(layout.stage_folder(self.folder, stage), attempt), ours)
        log = self.kubelet[pod]
        log.printed += texts
        log.lines += [f"{self._stamp()} {text}" for text in texts]

    def rotate(self, pod: str) -> None:
        self.kubelet[pod].lines = []

    def log(self, pod: str, query: Mapping[str, str]) -> Iterator[str]:
        self.before_log()
        self._called("log", "pods", pod)
        self._known("pods", pod)
        lines = list(self.kubelet[pod].lines)
        if "tailLines" in query:
            lines = lines[-int(query["tailLines"]) :]
        yield from lines[: self.cut(len(lines))]

    def _stamp(self) -> str:
        number = next(self.nanoseconds)
        when = datetime.fromtimestamp(BEGAN + number // 10**9, UTC)
        return f"{when:%Y-%m-%dT%H:%M:%S}.{number % 10**9:09d}Z"


class FakeKept:
    """The copies on the storage; `before_read` is called first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before_read: Callable[[], None] = lambda: None
        self.asked: list[Wanted] = []

    def read(self, wanted: Wanted) -> Iterator[Record]:
        self.before_read()
        self.asked.append(wanted)

        yield from read_log.read(self.folder, wanted, BEGAN)


def prefixed(rank: int, *texts: str) -> list[str]:
    return [f"[rank {rank}] {text}" for text in texts]


def gone() -> Unreachable:
    return Unreachable("the cluster cannot be reached")


def silent() -> ApiError:
    return ApiError("the node does not answer", 500)
