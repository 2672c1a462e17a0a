"""How an attempt of a stage ended, and whose fault it was: the first that failed, not those that fell with it. Pure,
but for reading what the ranks left."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import states
from launcher.errors import CONFIGURATION_EXIT
from launcher.processes import rank, starter
from launcher.processes.stage_processes import Member
from runfolder import layout

BAD_INPUT_EXIT = 2  # of the stage's program
TERMINATED_EXIT = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Ending:
    exit_code: int
    """Of the stage's first process: 0, 1, 42 or 143."""
    reason: str = ""
    message: str = ""
    retry: bool = True
    culprit: str = ""
    """Name of the process whose log tells most: `rank_R`, `scheduler`, `msrun`."""

    @property
    def rank(self) -> int | None:
        number = self.culprit.removeprefix("rank_")
        return int(number) if number.isdecimal() else None


@dataclass(frozen=True)
class RankFailure:
    """What a rank said of its own error before it ended (`rank_R.failure.json`)."""

    rank: int
    time: float
    reason: str
    message: str
    retry: bool
    exit_code: int


def read_failures(status: Path, ranks: int) -> list[RankFailure]:
    return [failure for number in range(ranks) if (failure := _read_failure(status, number))]


def first_failure(
    members: Sequence[Member], failures: Sequence[RankFailure], meanings: Mapping[str, str] | None = None
) -> Ending | None:
    """None while nothing has failed. `meanings` are those of exit codes on the device (`Profile.exit_codes`)."""
    several = any(member.name == rank.SCHEDULER or starter.is_starter(member.name) for member in members)
    died = min((member for member in members if _is_failure(member, members)), key=_order, default=None)
    said = min(failures, key=lambda failure: failure.time, default=None)
    stopped = next((member for member in members if _is_stopped(member)), None)
    if stopped and (died or said):
        return _stopped(stopped)
    if said and (died is None or died.ended is None or said.time <= died.ended):
        return _said(said, several)
    if died is None:
        return None
    begun = any(member.name.startswith("rank_") for member in members)
    ending = _died(died, several, meanings or {})
    return ending if begun or ending.reason != "RankFailed" else replace(ending, reason="StartFailed")


def not_started(error: OSError) -> Ending:
    """The operating system refused to start the stage, or to write what it needs."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return Ending(1, "StorageFull", f"{error.filename}: {error.strerror}", retry=False)
    return Ending(1, "StartFailed", f"the stage could not be started: {error}")


def _read_failure(status: Path, number: int) -> RankFailure | None:
    try:
        value = json.loads(layout.failure_file(status, number).read_bytes())
        return RankFailure(
            rank=number,
            time=float(value["time"]),
            reason=str(value["reason"]),
            message=str(value["message"]),
            retry=bool(value["retry"]),
            exit_code=int(value["exit_code"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_failure(member: Member, members: Sequence[Member]) -> bool:
    """The scheduler may end, well or not, once no rank needs it, but not before; their starter, once all ended well."""
    if not member.failed:
        return False
    ranks = [other for other in members if other.name.startswith("rank_")]
    if member.name == rank.SCHEDULER:
        return not ranks or any(other.ended is None for other in ranks)
    if starter.is_starter(member.name):
        return not ranks or any(other.exit_code != 0 for other in ranks)
    return True


def _is_stopped(member: Member) -> bool:
    return member.ended is None and member.process.state == "T" and not starter.is_starter(member.name)


def _stopped(member: Member) -> Ending:
    """MindSpore's ranks give up after half a minute without one of them or the scheduler: a consequence."""
    reason = "SchedulerFailed" if member.name == rank.SCHEDULER else "RankHung"
    who = member.name.replace("_", " ")
    return Ending(1, reason, f"{who} was stopped (SIGSTOP), and the others failed without it", culprit=member.name)


def _order(member: Member) -> tuple[float, int]:
    """First by time; of those seen together, a killed msrun took its ranks along, and else fell with them."""
    if starter.is_starter(member.name):
        return member.ended or 0.0, 0 if (member.exit_code or 0) < 0 else 3
    return member.ended or 0.0, 2 if member.name == rank.SCHEDULER else 1


def _said(failure: RankFailure, several: bool) -> Ending:
    bad_input = failure.exit_code == BAD_INPUT_EXIT or failure.reason == "ConfigurationError"
    where = f"rank {failure.rank}: " if several else ""
    return Ending(
        exit_code=CONFIGURATION_EXIT if bad_input else 1,
        reason="ConfigurationError" if bad_input else failure.reason,
        message=f"{where}{failure.message}",
        retry=failure.retry and not bad_input,
        culprit=layout.rank_name(failure.rank),
    )


def _died(member: Member, several: bool, meanings: Mapping[str, str]) -> Ending:
    code = 1 if member.exit_code is None else member.exit_code
    # A shell, and so a profile, counts a signal from 128 on.
    meaning = meanings.get(str(code if code >= 0 else 128 - code), "")
    word = states.reason_for(code).word
    if code == rank.NO_LOG_EXIT:
        word = "StorageFull"
    elif member.name == rank.SCHEDULER:
        word = "SchedulerFailed"
    elif meaning and not starter.is_starter(member.name):
        word = meaning
    elif word == "StageFailed" and several:
        word = "RankFailed"
    bad_input = word == "ConfigurationError"
    who = member.name.replace("_", " ") if several else "the stage's program"
    return Ending(
        exit_code=CONFIGURATION_EXIT if bad_input else 1,
        reason=word,
        message=f"{who} {_how(code)}",
        retry=states.reason_of(word).retry,
        culprit=member.name,
    )


def _how(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
