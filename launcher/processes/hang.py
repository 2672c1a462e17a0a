"""Whether the processes of a stage have come to a stand: judged by progress, processor time and stops. Pure.

Ranks that wait for one another in an all-reduce use no processor at all (measured with MindSpore on CPU), so one dead
or stopped rank makes all of them silent, and silence alone does not say whose fault it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.spec import StagePolicy

BUSY_SHARE = 0.05
"""Share of one processor above which a rank is at work; threads that only keep connections alive use less."""
STARVED_SHARE = 0.5
"""Share of its time that it runs or wants to, above which it is at work too: eight ranks in a pod of a small share, on
a busy node, get a tenth of a processor each and wait for the rest (measured: 90 to 300 %; at rest under 5 %)."""
TRAINING = "train"
"""Phase in which the ranks go step by step together. In any other, some may rightly wait for one of them."""


@dataclass(frozen=True)
class Seen:
    """One living process of a stage, as it is seen now."""

    name: str
    """`rank_R`, `scheduler` or `msrun`."""
    stopped: bool
    cpu_s: float
    """Processor seconds that it and the processes below it have used."""
    waited_s: float = 0.0
    """Seconds that their threads were ready and had no processor; less than before where a thread has ended."""
    reads: bool = False
    """It waits for its storage just now, as while it imports from a slow one: that is work too."""
    phase: str = ""
    """Of a rank's heartbeat; empty before the first."""
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Hang:
    name: str
    """Of the process that the others wait for."""
    message: str


@dataclass
class _Track:
    progress: tuple[str, int, int]
    progressed: float
    worked: float
    cpu_s: float
    waited_s: float
    stopped_since: float | None = None
    passed_since: float | None = None
    """Since when another rank is further in the phase in which they go together."""


class HangWatch:
    """Looks at the ranks again and again; times are seconds of one steady clock."""

    def __init__(self, policy: StagePolicy, *, max_gap_s: float = 15.0) -> None:
        self._policy = policy
        self._max_gap_s = max_gap_s
        self._tracks: dict[str, _Track] = {}
        self._last_look: float | None = None
        self._there: set[str] = set()
        self._left = -math.inf

    def judge(self, now: float, workers: Sequence[Seen], helpers: Sequence[Seen] = ()) -> Hang | None:
        """None while nothing is wrong. Processes that have ended are left out.

        `workers` are the ranks, and until all of them have begun whoever starts them; `helpers` may be idle, but not
        stopped.
        """
        if self._last_look is not None and now - self._last_look > self._max_gap_s:
            self._tracks.clear()  # the watcher itself was stopped; what it did not see it cannot judge
        self._last_look = now
        self._note_left(now, workers)
        for look in (*workers, *helpers):
            self._note(now, look)
        self._note_passed(now, workers)
        return self._stopped(now, [*workers, *helpers]) or self._silent(now, workers) or self._stalled(now, workers)

    def _note_left(self, now: float, ranks: Sequence[Seen]) -> None:
        """The others may have waited for one that has just ended, and those of another pod are seen later."""
        there = {look.name for look in ranks}
        if self._there - there:
            self._left = now
        self._there = there

    def _note(self, now: float, look: Seen) -> None:
        progress = (look.phase, look.epoch, look.step)
        track = self._tracks.setdefault(look.name, _Track(progress, now, now, look.cpu_s, look.waited_s))
        track.waited_s = min(track.waited_s, look.waited_s)
        if progress != track.progress:
            track.progress, track.progressed, track.passed_since = progress, now, None
            self._worked(track, now, look)
        elif look.reads or _is_at_work(look.cpu_s - track.cpu_s, look.waited_s - track.waited_s, now - track.worked):
            self._worked(track, now, look)
        if not look.stopped:
            track.stopped_since = None
        elif track.stopped_since is None:
            track.stopped_since = now

    def _note_passed(self, now: float, ranks: Sequence[Seen]) -> None:
        for look in ranks:
            track = self._tracks[look.name]
            if not any(_is_further(other, look) for other in ranks):
                track.passed_since = None
            elif track.passed_since is None:
                track.passed_since = now

    def _worked(self, track: _Track, now: float, look: Seen) -> None:
        track.worked, track.cpu_s, track.waited_s = now, look.cpu_s, look.waited_s

    def _stopped(self, now: float, everyone: Sequence[Seen]) -> Hang | None:
        for look in everyone:
            since = self._tracks[look.name].stopped_since
            if since is not None and now - since >= self._policy.heartbeat_s:
                return Hang(look.name, f"{_words(look)} has been stopped (SIGSTOP) for {now - since:.0f} s")
        return None

    def _silent(self, now: float, ranks: Sequence[Seen]) -> Hang | None:
        limit = now - self._policy.heartbeat_s
        silent = [look for look in ranks if max(self._left, self._tracks[look.name].worked) <= limit]
        if not silent:
            return None
        working = [look for look in ranks if look not in silent]
        # The one that is furthest back is the one that the others wait for.
        behind = min(silent, key=lambda look: (look.epoch, look.step, self._tracks[look.name].worked))
        since = now - self._tracks[behind.name].worked
        if working and not self._left_behind(now, behind, working):
            return None
        return Hang(behind.name, f"{_words(behind)} has neither progressed nor used its processor for {since:.0f} s")

    def _left_behind(self, now: float, silent: Seen, working: Sequence[Seen]) -> bool:
        """Whether all who work are in the common phase and further: nobody is left whom the silent one may wait for.

        A rank says its steps about every second, one of another pod later still: where a wait ends, some are seen a
        step further before others are.
        """
        since = self._tracks[silent.name].passed_since
        long = since is not None and now - since >= self._policy.heartbeat_s
        return long and all(_is_further(look, silent) for look in working)

    def _stalled(self, now: float, ranks: Sequence[Seen]) -> Hang | None:
        limit = now - self._policy.stall_s
        stalled = [look for look in ranks if max(self._left, self._tracks[look.name].progressed) <= limit]
        if not stalled or len(stalled) < len(ranks):
            return None
        behind = min(stalled, key=lambda look: (look.epoch, look.step, self._tracks[look.name].progressed))
        since = now - self._tracks[behind.name].progressed
        return Hang(behind.name, f"{_words(behind)} has made no step for {since:.0f} s, though it is busy")


def _is_at_work(cpu_s: float, waited_s: float, elapsed_s: float) -> bool:
    return cpu_s > BUSY_SHARE * elapsed_s or cpu_s + waited_s > STARVED_SHARE * elapsed_s


def _is_further(look: Seen, other: Seen) -> bool:
    return look.phase == other.phase == TRAINING and (look.epoch, look.step) > (other.epoch, other.step)


def _words(look: Seen) -> str:
    return look.name.replace("_", " ")
