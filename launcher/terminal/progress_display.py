"""Showing a run while it goes on, on stderr: a bar where that is a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from launcher.states import State
from launcher.status import Progress, RunStatus
from launcher.terminal import narration, views

LINE_EVERY_S = 10.0
"""Plain progress lines come at each new epoch, and at most this often within one."""


class Display(Protocol):
    def show(self, run: RunStatus) -> None:
        """Called with each look at the run."""

    def close(self) -> None:
        """Called once, however the watching ended."""


class Silent:
    def show(self, run: RunStatus) -> None:
        pass

    def close(self) -> None:
        pass


class Lines:
    """For files, pipes and CI logs."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._before: RunStatus | None = None
        self._shown: Progress | None = None
        self._shown_at = 0.0

    def show(self, run: RunStatus) -> None:
        for line in narration.changes(self._before, run):
            self._print(line)
        self._before = run
        stage = views.current_stage(run)
        progress = stage.progress if stage and stage.state is State.RUNNING else None
        if stage and progress and self._worth_a_line(progress):
            self._print(f"{stage.name}: {views.progress_words(progress)}")
            self._shown, self._shown_at = progress, self._clock()

    def close(self) -> None:
        pass

    def _worth_a_line(self, progress: Progress) -> bool:
        shown = self._shown
        if shown is None or not progress.step:
            return shown is None and progress.step > 0
        if (shown.epoch, shown.steps) != (progress.epoch, progress.steps):
            return True
        return progress.step != shown.step and self._clock() - self._shown_at >= LINE_EVERY_S

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Bar:
    """A tqdm bar a stage that says how far it is; what changes is written above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._before: RunStatus | None = None
        self._bar: Any = None
        self._stage = ""

    def show(self, run: RunStatus) -> None:
        stage = views.current_stage(run)
        if self._bar is not None and (stage is None or stage.name != self._stage or stage.state is not State.RUNNING):
            self.close()
        for line in narration.changes(self._before, run):
            self._print(line)
        self._before = run
        if stage and stage.state is State.RUNNING and stage.progress and stage.progress.steps:
            self._advance(stage.name, stage.progress)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _advance(self, stage: str, progress: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._stage = stage
            form = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
            self._bar = tqdm(
                total=progress.steps, file=self._stream, bar_format=form, dynamic_ncols=True, leave=False, mininterval=0
            )
        self._bar.total = progress.steps
        self._bar.n = progress.step
        epoch = f" epoch {progress.epoch}/{progress.epochs}" if progress.epochs else ""
        self._bar.set_description_str(f"{stage}{epoch}", refresh=False)
        self._bar.set_postfix_str(", ".join(views.speed_words(progress)), refresh=False)
        self._bar.refresh()

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        print(line, file=self._stream, flush=True)


def for_stream(stream: TextIO, clock: Callable[[], float]) -> Display:
    return Bar(stream) if stream.isatty() else Lines(stream, clock)


def on_stderr(clock: Callable[[], float]) -> Display:
    return for_stream(sys.stderr, clock)
