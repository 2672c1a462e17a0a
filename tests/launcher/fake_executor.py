"""A StageExecutor without processes: attempts end as they were told to, and leave the files that a pod leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from launcher import marker, record
from launcher.errors import BackendError
from launcher.executor import Look
from launcher.facts import Attempt
from launcher.plan import Plan, Stage
from runfolder import atomic, layout

LOOKS = 3
"""So many looks see an attempt at work before it ends."""


@dataclass
class FakeExecutor:
    """`fates` by (stage, attempt): complete (the default), fails, refused, killed, hangs, unstartable, full."""

    plan: Plan
    clock: Callable[[], float]
    fates: dict[tuple[str, int], str] = field(default_factory=dict)
    started: list[tuple[str, int]] = field(default_factory=list)
    stopped: list[tuple[str, int]] = field(default_factory=list)
    scripts: dict[tuple[str, int], list[Look]] = field(default_factory=dict)
    """Looks that come first, in this order; one that has ended is the last."""
    on_look: Callable[[], None] = lambda: None
    _looks: int = 0

    def start(self, stage: Stage, attempt: int) -> None:
        self.started.append((stage.name, attempt))
        self._looks = 0
        if self._fate(stage, attempt) == "unstartable":
            raise BackendError("cannot start a process: no memory")

    def look(self, stage: Stage, attempt: int) -> Look:
        if (stage.name, attempt) not in self.started:
            return Look(ended=True)
        self.on_look()
        if script := self.scripts.get((stage.name, attempt)):
            return script[0] if script[0].ended else script.pop(0)
        self._looks += 1
        fate = self._fate(stage, attempt)
        if (stage.name, attempt) in self.stopped:
            return self._end(stage, attempt, 143, "Terminated")
        if self._looks <= LOOKS or fate == "hangs":
            return Look(ended=False, working=self._looks > 1)
        if fate == "killed":
            return Look(ended=True, exit_code=-9)
        if fate == "fails":
            return self._end(stage, attempt, 1, "RankFailed")
        if fate == "refused":
            return self._end(stage, attempt, 42, "ConfigurationError")
        self._complete(stage, attempt)
        return self._end(stage, attempt, 0, "")

    def stop(self, stage: Stage, attempt: int) -> None:
        self.stopped.append((stage.name, attempt))

    def _fate(self, stage: Stage, attempt: int) -> str:
        return self.fates.get((stage.name, attempt), "complete")

    def _complete(self, stage: Stage, attempt: int) -> None:
        folder = self._folder(stage)
        atomic.write_text(folder / "checkpoints" / "0-1_1.ckpt", "weights")
        result = {"schema": 1, "stage": stage.name, "metrics": {}, "files": ["checkpoints/0-1_1.ckpt"]}
        atomic.write_json(folder / layout.RESULT, result)
        marker.write_marker(folder, marker.make_marker(folder, stage, self.plan.hash, attempt))

    def _end(self, stage: Stage, attempt: int, code: int, reason: str) -> Look:
        message = f"{stage.name} said why" if code else ""
        ended = Attempt(attempt, self.clock(), self.clock(), code, reason, message)
        record.write_attempt(self._folder(stage), ended)
        return Look(ended=True, exit_code=code)

    def _folder(self, stage: Stage) -> Path:
        return layout.stage_folder(Path(self.plan.folder), stage.name)
