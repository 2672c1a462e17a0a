"""The processes of one attempt of a stage: starting them, seeing which of them live, and ending them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import ascend, names, progress
from launcher.plan import Stage
from launcher.processes import msrun, process_tree, rank, rank_logs, starter
from launcher.processes.process_tree import Process
from launcher.profiles import MSRUN, RANK_TABLE
from runfolder import layout

_INHERITED_ROLE = ("MS_ROLE", "MS_SCHED_HOST", "MS_SCHED_PORT", "MS_WORKER_NUM", "MS_NODE_ID", "RANK_ID", "RANK_SIZE")
_INHERITED_FROM_MPI = ("OMPI_COMM", "PMIX_")
"""What would tell the first rank that it is one of somebody else's: MindSpore takes its number from these."""
_TABLES = (ascend.RANK_TABLE_FILE, ascend.RANK_TABLE_FILE_OLD)
"""MindSpore refuses msrun's ranks with a table that knows nothing of them."""
_POLL_S = 0.05


@dataclass(frozen=True)
class Member:
    """One process of the stage: a rank, the scheduler or msrun, as it was last seen."""

    name: str
    process: Process
    ended: float | None = None
    """When its end was seen, in seconds since 1970."""
    exit_code: int | None = None
    """Negative: ended by that signal; None: it lives, or its parent took the code before it was seen."""

    @property
    def failed(self) -> bool:
        return self.exit_code not in (None, 0)


class StageProcesses:
    """One attempt on this machine. Call `start`, then `look` again and again, then `stop` in every case."""

    def __init__(self, stage: Stage, run_folder: Path, attempt: int, pod: int = 0, start: str = MSRUN) -> None:
        """`pod` of the attempt's `stage.nodes`: only its ranks are here. `start`: one of `profiles.STARTS`."""
        folder = layout.stage_folder(run_folder, stage.name)
        self.stage = stage
        self.status = layout.status_folder(folder, attempt)
        self.logs = folder / layout.LOGS
        self.members: dict[str, Member] = {}
        self._first: subprocess.Popen[bytes] | None = None
        self._pod = pod
        first = pod * stage.processes
        self.numbers = range(first, first + stage.processes)
        self.ranks = [layout.rank_name(number) for number in self.numbers]
        self.starter = starter.name_of(start, pod)
        self._start = start
        self._several = stage.ranks > 1
        scheduler = [rank.SCHEDULER] if pod == 0 and starter.has_scheduler(start) else []
        self.names = [*self.ranks, *([*scheduler, self.starter] if self._several else [])]
        self._marker = {
            names.ENV_RUN: run_folder.name,
            names.ENV_FOLDER: str(run_folder),
            names.ENV_STAGE: stage.name,
            names.ENV_ATTEMPT: str(attempt),
            names.ENV_POD: str(pod),
            names.ENV_START: start,
        }
        self.offsets: dict[str, int] = {}
        """Where the last start begins in each log."""

    def log(self, name: str) -> Path:
        return layout.log_file(self.logs, name)

    def prepare(self) -> None:
        """From here on its logs are this start's; those of ranks in other pods too. Raises OSError."""
        self.status.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in self.names:
            layout.pid_file(self.status, name).unlink(missing_ok=True)
        everyone = [layout.rank_name(number) for number in range(self.stage.ranks)]
        self.offsets = {name: rank_logs.size(self.log(name)) for name in (*self.names, *everyone)}
        self.members.clear()

    def start(self, environment: Mapping[str, str], host: str = msrun.HOST, port: int = 0) -> None:
        """Starts the stage's program with one more environment below the stage's own, after `prepare`. The scheduler
        of several ranks is at `host` and `port`. Raises OSError."""
        wrapper = ["-m", "launcher.processes.rank", str(os.getpid()), str(self.status), str(self.logs)]
        argv = [*wrapper, *self.stage.argv]
        if self._several:
            team = msrun.Team(self.stage.ranks, self.stage.processes, self._pod, host, port or msrun.free_port())
            logs = self.status / self.starter
            argv = [*wrapper, *starter.command(self._start, ["python", *argv], team, logs)]
        self._first = subprocess.Popen(
            [sys.executable, *argv],
            stdin=subprocess.DEVNULL,
            env=self._environment(environment),
            cwd=self.status,  # MindSpore leaves files where it runs
        )
        first = process_tree.read(self._first.pid) or Process(self._first.pid, 0, "X", 0.0, 0, 0)
        name = self.starter if self._several else self.ranks[0]
        self.members[name] = Member(name, first)

    def look(self, now: float) -> list[Member]:
        """All processes of the stage that were seen so far, living or ended."""
        for name in self.names:
            member = self.members.get(name) or self._find(name)
            if member and member.ended is None:
                self.members[name] = self._seen(member, now)
        if self._several and any(self._is_untold(name) for name in self.ranks):
            self._ask_starter()
        for name in self.ranks:
            self._excuse(name)
        if sum(self._fell(name, now) for name in self.ranks) > 1:
            self._put_first(now)
        return list(self.members.values())

    def ended_well(self) -> float | None:
        """When the last rank ended, where all of them have and none badly."""
        ranks = [self.members[name] for name in self.ranks if name in self.members]
        ended = [member.ended for member in ranks if member.ended is not None and not member.failed]
        return max(ended) if len(ended) == len(self.ranks) else None

    def is_done(self, name: str) -> bool:
        """Whether it is a rank that has said that all of them are done: nothing but their exits is left."""
        if name not in self.ranks or name not in self.members:
            return False
        beat = progress.read_heartbeat(self.status, self.numbers[self.ranks.index(name)])
        return beat is not None and (beat.phase, beat.pid) == (layout.DONE, self.members[name].process.pid)

    def first_exit(self) -> int | None:
        """How the process that holds all the others (msrun, or the one rank) ended; None while it lives."""
        return self._first.poll() if self._first else None

    def cpu_s(self, member: Member, processes: Mapping[int, Process]) -> float:
        """Processor seconds of a member and of all processes below it."""
        below = process_tree.descendants(member.process.pid, processes)
        return member.process.cpu_s + sum(process.cpu_s for process in below)

    def waited_s(self, member: Member, processes: Mapping[int, Process]) -> float:
        """Seconds in which the same processes were ready and had no processor."""
        below = process_tree.descendants(member.process.pid, processes)
        return sum(process_tree.waited_s(process.pid) for process in (member.process, *below))

    def stop(self, grace_s: float) -> list[Process]:
        """Ends every process of the stage: SIGTERM to the ranks, after `grace_s` SIGKILL to all that is left.

        Returns what could not be ended, normally nothing.
        """
        self.look(time.time())
        # msrun kills all ranks as soon as one has ended, also the one that still saves its checkpoint: it has to wait.
        process_tree.send(self._alive([self.starter]), signal.SIGSTOP)
        process_tree.send(self._alive(self.ranks), signal.SIGTERM)
        until = time.monotonic() + grace_s
        while self._alive(self.ranks) and time.monotonic() < until:
            time.sleep(_POLL_S)
            self.look(time.time())
        left = process_tree.end(self._left, grace_s=0.0)
        if self._first:
            self._first.wait()
        return left

    def _left(self) -> list[Process]:
        """Whatever still lives of the stage: below this process, or with the stage's marker."""
        below = process_tree.descendants(os.getpid(), process_tree.snapshot())
        self._reap(below)
        found = {process.pid: process for process in [*below, *process_tree.marked(self._marker)] if process.alive}
        return list(found.values())

    def _reap(self, below: Iterable[Process]) -> None:
        first = self._first.pid if self._first else 0
        for process in below:
            if not process.alive and process.parent == os.getpid() and process.pid != first:
                os.waitpid(process.pid, os.WNOHANG)

    def _seen(self, member: Member, now: float) -> Member:
        pid = member.process.pid
        if self._first and pid == self._first.pid and (code := self._first.poll()) is not None:
            return replace(member, ended=now, exit_code=code)
        process = process_tree.read(pid)
        if process is None or (member.process.birth and process.birth != member.process.birth):
            return replace(member, ended=now)
        if not process.alive:
            code = os.waitstatus_to_exitcode(process.wait_status) if process.state == "Z" else None
            return replace(member, process=process, ended=now, exit_code=code)
        return replace(member, process=process)

    def _is_untold(self, name: str) -> bool:
        member = self.members.get(name)
        return member is not None and member.ended is not None and member.exit_code is None

    def _ask_starter(self) -> None:
        """msrun may have waited for a rank before its exit code was seen; it reports the codes that are not 0."""
        for name, code in self._reported().items():
            if self._is_untold(name):
                self.members[name] = replace(self.members[name], exit_code=code)

    def _excuse(self, name: str) -> None:
        """A rank that had said that all of them are done has ended well, though a signal ended it: MindSpore may crash
        at its exit, and msrun kills the others for it."""
        member = self.members.get(name)
        if member is not None and (member.exit_code or 0) < 0 and self.is_done(name):
            self.members[name] = replace(member, exit_code=0)

    def _fell(self, name: str, now: float) -> bool:
        member = self.members.get(name)
        return member is not None and member.failed and member.ended == now

    def _put_first(self, now: float) -> None:
        """Of ranks that were seen dead at once, msrun names the first; it killed the others for it."""
        first = next(iter(self._reported()), None)
        if first is not None and self._fell(first, now):
            self.members[first] = replace(self.members[first], ended=now - _POLL_S)

    def _reported(self) -> Mapping[str, int]:
        """Exit codes that the starter told, by rank, first failure first."""
        log = rank_logs.LineTail(self.log(self.starter), self.offsets[self.starter])
        by_pid = {self.members[name].process.pid: name for name in self.ranks if name in self.members}
        return starter.exits(self._start, "\n".join(log.read(final=True)), by_pid.get)

    def _alive(self, wanted: Iterable[str]) -> list[Process]:
        found = [self.members[name] for name in wanted if name in self.members]
        return [member.process for member in found if member.ended is None]

    def _find(self, name: str) -> Member | None:
        pid = rank.read_pid(self.status, name)
        if pid is None:
            return None
        process = process_tree.read(pid)
        # Ended already, and waited for: its exit code is then for msrun to tell.
        return Member(name, process or Process(pid, 0, "X", 0.0, 0, 0))

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        own = {name: value for name, value in environment.items() if not _is_role(name)}
        if self._start != RANK_TABLE or not self._several:
            own = {name: value for name, value in own.items() if name not in _TABLES}
        own |= {"PYTHONUNBUFFERED": "1", layout.STATUS_DIR_VARIABLE: str(self.status)}
        if self._several:
            own.setdefault("GLOG_v", "3")  # errors only: MindSpore's cluster warns several times a second
        else:
            own |= {"RANK_ID": "0", "RANK_SIZE": "1", "DEVICE_ID": own.get("DEVICE_ID", "0")}
        # msrun starts the `python` that it finds on PATH.
        own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
        return {**own, **self.stage.env, **self._marker}


def _is_role(name: str) -> bool:
    return name in _INHERITED_ROLE or name.startswith(_INHERITED_FROM_MPI)
