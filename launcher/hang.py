"""Whether the ranks of a stage have come to a stand: judged by progress, processor time and stopped processes. Pure.

Ranks that wait for one another in an all-reduce use no processor at all (measured with MindSpore on CPU), so one dead
or stopped rank makes all of them silent, and silence alone does not say whose fault it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from launcher.spec import StagePolicy

BUSY_SHARE = 0.05
"""Share of one processor above which a rank is at work; threads that only keep connections alive use less."""
TRAINING = "train"
"""Phase in which the ranks go step by step together. In any other, some may rightly wait for one of them."""


@dataclass(frozen=True)
class RankLook:
    """One living rank, as it is seen now."""

    rank: int
    stopped: bool
    cpu_s: float
    """Processor seconds that it and the processes below it have used."""
    phase: str = ""
    """Of its heartbeat; empty before the first."""
    epoch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Hang:
    message: str
    rank: int | None
    """None: the scheduler."""


@dataclass
class _Track:
    progress: tuple[str, int, int]
    progressed: float
    worked: float
    cpu_s: float
    stopped_since: float | None = None


class HangWatch:
    """Looks at the ranks again and again; times are seconds of one steady clock."""

    def __init__(self, policy: StagePolicy, *, max_gap_s: float = 15.0) -> None:
        self._policy = policy
        self._max_gap_s = max_gap_s
        self._tracks: dict[int, _Track] = {}
        self._last_look: float | None = None
        self._scheduler_stopped: float | None = None

    def judge(self, now: float, ranks: Sequence[RankLook], *, scheduler_stopped: bool = False) -> Hang | None:
        """None while nothing is wrong. Ranks that have ended are left out of `ranks`."""
        if self._last_look is not None and now - self._last_look > self._max_gap_s:
            self._tracks.clear()  # the watcher itself was stopped; what it did not see it cannot judge
            self._scheduler_stopped = None
        self._last_look = now
        for look in ranks:
            self._note(now, look)
        if not scheduler_stopped:
            self._scheduler_stopped = None
        elif self._scheduler_stopped is None:
            self._scheduler_stopped = now
        return self._stopped(now, ranks) or self._silent(now, ranks) or self._stalled(now, ranks)

    def _note(self, now: float, look: RankLook) -> None:
        progress = (look.phase, look.epoch, look.step)
        track = self._tracks.setdefault(look.rank, _Track(progress, now, now, look.cpu_s))
        if progress != track.progress:
            track.progress, track.progressed, track.worked, track.cpu_s = progress, now, now, look.cpu_s
        elif look.cpu_s - track.cpu_s > BUSY_SHARE * (now - track.worked):
            track.worked, track.cpu_s = now, look.cpu_s
        if not look.stopped:
            track.stopped_since = None
        elif track.stopped_since is None:
            track.stopped_since = now

    def _stopped(self, now: float, ranks: Sequence[RankLook]) -> Hang | None:
        limit = self._policy.heartbeat_s
        for look in ranks:
            since = self._tracks[look.rank].stopped_since
            if since is not None and now - since >= limit:
                return Hang(f"rank {look.rank} has been stopped (SIGSTOP) for {now - since:.0f} s", look.rank)
        since = self._scheduler_stopped
        if since is not None and now - since >= limit:
            return Hang(f"the scheduler has been stopped (SIGSTOP) for {now - since:.0f} s", None)
        return None

    def _silent(self, now: float, ranks: Sequence[RankLook]) -> Hang | None:
        silent = [look for look in ranks if now - self._tracks[look.rank].worked >= self._policy.heartbeat_s]
        if not silent:
            return None
        working = [look for look in ranks if look not in silent]
        # The one that is furthest back is the one that the others wait for.
        behind = min(silent, key=lambda look: (look.epoch, look.step, self._tracks[look.rank].worked))
        since = now - self._tracks[behind.rank].worked
        if working and not _left_behind(behind, working):
            return None
        return Hang(f"rank {behind.rank} has neither progressed nor used its processor for {since:.0f} s", behind.rank)

    def _stalled(self, now: float, ranks: Sequence[RankLook]) -> Hang | None:
        stalled = [look for look in ranks if now - self._tracks[look.rank].progressed >= self._policy.stall_s]
        if not stalled or len(stalled) < len(ranks):
            return None
        behind = min(stalled, key=lambda look: (look.epoch, look.step, self._tracks[look.rank].progressed))
        since = now - self._tracks[behind.rank].progressed
        return Hang(f"rank {behind.rank} has made no step for {since:.0f} s, though it is busy", behind.rank)


def _left_behind(silent: RankLook, working: Sequence[RankLook]) -> bool:
    """Whether all who work are in the common phase and further: nobody is left whom the silent one may wait for."""
    return silent.phase == TRAINING and all(
        look.phase == TRAINING and (look.epoch, look.step) > (silent.epoch, silent.step) for look in working
    )
