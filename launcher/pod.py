"""The first process of a stage: starts its ranks, shows their logs, watches them, and says how the attempt ended.

    python -m launcher.pod --folder RUN_FOLDER --stage train --attempt 2

It is the same on one machine, as a child of the run's supervisor, and in a container, as its first process. Exit code:
0 the stage is complete and its marker written, 1 it failed, 42 its configuration is wrong, 74 its storage takes
nothing any more, 143 it was told to stop.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import marker, names, rank_start, record
from launcher import plan as plans
from launcher.errors import CONFIGURATION_EXIT, STORAGE_EXIT, LauncherError, StorageError, UsageError
from launcher.facts import Attempt
from launcher.gang import END_S, TOLD_S, End, Gang
from launcher.plan import Plan, Stage
from launcher.pod_watch import TICK_S, watch
from launcher.processes import endings, msrun, process_tree, rank, rank_logs
from launcher.processes.endings import Ending
from launcher.processes.orders import Orders, Stop
from launcher.processes.pod_output import PodOutput, begin_words
from launcher.processes.stage_processes import StageProcesses
from runfolder import layout

STOP_GRACE_S = 15.0
"""A rank that is told to stop finishes its step and saves a checkpoint."""
FAILURE_GRACE_S = 4.0
"""After a failure the others wait in an all-reduce and cannot save anything."""
_GRACE_S = {"Terminated": STOP_GRACE_S, "DeadlineExceeded": STOP_GRACE_S, "Superseded": 0.0}
LAST_LINES = 15
MAX_SHOWN = 500
"""Characters of a line that are kept of the last lines; the log has all of them."""
_PORTS_TRIED = 4


@dataclass(frozen=True)
class Work:
    """One attempt of a stage in this pod."""

    plan: Plan
    processes: StageProcesses
    orders: Orders
    gang: Gang
    output: PodOutput


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m launcher.pod", description="First process of a stage.")
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--stage", required=True)
    attempt = os.environ.get(names.ENV_ATTEMPT)
    parser.add_argument(
        "--attempt", type=int, default=attempt, required=attempt is None, help=f"1, 2, …; default: {names.ENV_ATTEMPT}"
    )
    parser.add_argument("--supervisor", type=int, help="process id of the parent with which this process ends")
    parser.add_argument("--plan", type=Path, help="plan from which the run folder is made, without a runner")
    given = parser.parse_args(arguments)
    stop = Stop()
    stop.listen(given.supervisor)
    process_tree.adopt_orphans()
    try:
        if given.plan:
            _begin_without_runner(given.plan, given.folder, given.stage)
        return run(given.folder, given.stage, given.attempt, stop, pod=_pod(os.environ))
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return STORAGE_EXIT if isinstance(error, StorageError) else CONFIGURATION_EXIT


def run(folder: Path, stage_name: str, attempt: int, stop: Stop, *, pod: int = 0) -> int:
    """Raises NotFound for a folder without a plan, UsageError for a stage that is not in it, StorageError."""
    plan = record.effective_plan(folder)
    if stage_name not in [stage.name for stage in plan.stages]:
        raise UsageError(f"run '{plan.run}' has no stage '{stage_name}'")
    stage = plan.stage(stage_name)
    if pod >= stage.nodes:
        raise UsageError(f"stage '{stage_name}' of run '{plan.run}' has {stage.nodes} pod(s), and none of number {pod}")
    stage_folder = layout.stage_folder(folder, stage.name)
    if record.is_given_up(stage_folder, attempt):
        print(f"[launcher] attempt {attempt} of {stage.name} was given up before it began", flush=True)
        return 1
    begun = Attempt(attempt, time.time(), pid=os.getpid())
    if marker.is_complete(stage_folder, stage, plan.hash):
        print(f"[launcher] {stage.name} is complete already", flush=True)
        if pod == 0:
            record.write_attempt(stage_folder, replace(begun, ended=time.time(), exit_code=0))
        return 0
    processes = StageProcesses(stage, folder, attempt, pod, plan.profile.start)
    gang = Gang(processes.status, stage.nodes, pod)
    if pod == 0:
        record.write_attempt(stage_folder, begun)
    with record.storage_errors(stage_folder):
        if pod == 0:
            (stage_folder / layout.RESULT).unlink(missing_ok=True)  # of an attempt that did not complete the stage
        gang.forget(processes.names)
    output = PodOutput(stage_folder, attempt, pod)
    output.say(f"{begin_words(stage.name, attempt)}, {stage.processes} process(es)")
    work = Work(plan, processes, Orders(stop, stage_folder, attempt), gang, output)
    told = _told(begun, _alone(work), processes) if stage.nodes == 1 else _together(work, begun)
    return _finish(stage_folder, plan, stage, told, output) if pod == 0 else told.exit_code or 0


def _pod(environment: Mapping[str, str]) -> int:
    name = next((name for name in names.ENV_INDEXES if environment.get(name)), names.ENV_POD)
    text = environment.get(name) or "0"
    if not text.isdecimal():
        raise UsageError(f"{name} is '{text}', but must be the number of this pod: 0, 1, …")
    return int(text)


def _begin_without_runner(given: Path, folder: Path, stage_name: str) -> None:
    """Makes the run folder where no runner has, and sees that the stage's turn has come. Raises LauncherError."""
    try:
        plan = plans.from_json(json.loads(given.read_bytes()))
    except (OSError, ValueError) as error:
        raise LauncherError(f"{given}: no plan can be read there: {error}") from None
    record.write_plan(folder, plan)
    for need in plan.stage(stage_name).needs if stage_name in [stage.name for stage in plan.stages] else ():
        if not marker.is_complete(layout.stage_folder(folder, need), plan.stage(need), plan.hash):
            raise UsageError(f"{stage_name} of run '{plan.run}' needs {need}, which is not complete; start that first")


def _finish(stage_folder: Path, plan: Plan, stage: Stage, told: Attempt, output: PodOutput) -> int:
    """Writes what makes the attempt's end known: the marker, its last words, its record."""
    if told.exit_code == 0:
        ending = _mark(stage_folder, stage, plan, told.attempt)
        if ending.exit_code:
            told = replace(_ended(told, ending), rank=0 if stage.ranks > 1 else None)
    for line in [_summary(stage, told), *told.last_lines, *_known_failure(plan, stage, told)]:
        output.say(line)
    if told.reason != "Superseded":  # its end is written already, and truer
        record.write_attempt(stage_folder, told)
    return told.exit_code or 0


def _known_failure(plan: Plan, stage: Stage, told: Attempt) -> list[str]:
    """What the last lines show that is known of such devices, with the remedy."""
    if not told.exit_code or plan.profile_of(stage).device_target != "Ascend":
        return []
    from launcher.failures import recognise

    found = recognise.first(told.last_lines)
    return [f"known failure: {found.failure.title}; {found.failure.remedy}"] if found else []


def _alone(work: Work) -> Ending:
    environment = dict(os.environ)
    plan, stage, orders = work.plan, work.processes.stage, work.orders
    try:
        if rank_start.is_wanted(plan, stage):
            given = rank_start.own(plan, stage, 0, environment, orders.stopped, work.output.say)
            environment |= rank_start.write(plan, stage, 0, [given], orders.stopped, work.output.say)
    except OSError as error:
        return endings.not_started(error)
    except LauncherError as error:
        return orders.over() or rank_start.refused(error)
    return _carry_out(work, environment)


def _together(work: Work, begun: Attempt) -> Attempt:
    """One pod of several: begins when all are there; pod 0 tells the end of all, the others their own to it."""
    gang, orders, processes = work.gang, work.orders, work.processes
    try:
        ending = _met(work)
    except OSError as error:
        ending = endings.not_started(error)
    except LauncherError as error:
        ending = orders.over() or rank_start.refused(error)
    told = _told(begun, ending, processes)
    if gang.pod not in gang.ends():
        with suppress(OSError):
            gang.tell(End(gang.pod, time.time(), ending, told.last_lines))
    if gang.pod:
        if ending.exit_code:
            _await_told(processes, begun.attempt)
        return told
    if ending.exit_code == 0:
        ending = gang.complete(END_S, orders.over)
        told = _ended(told, ending)
    first = gang.first_failure()
    if first and first.pod and ending.exit_code and ending.reason != "Superseded":
        told = replace(_ended(told, first.ending), rank=first.ending.rank, last_lines=first.last_lines)
    return told


def _met(work: Work) -> Ending:
    """Waits for the other pods, and then carries this one's ranks out. Raises OSError, LauncherError."""
    plan, gang, orders, output = work.plan, work.gang, work.orders, work.output
    environment, stage = dict(os.environ), work.processes.stage
    by_table = rank_start.is_wanted(plan, stage)
    work.processes.prepare()  # before the others can begin: their logs count from here
    given = rank_start.own(plan, stage, gang.pod, environment, orders.stopped, output.say) if by_table else None
    gang.enter(socket.gethostname(), msrun.free_port(""), given)
    start_s = plan.kubernetes.start_deadline_s if plan.kubernetes else 0.0
    if ending := gang.meet(start_s, orders.over, output.say):
        return ending
    if by_table:
        everything = [card.given for _, card in sorted(gang.cards().items())]
        environment |= rank_start.write(plan, stage, gang.pod, everything, orders.stopped, output.say)
    host = gang.address(environment.get(names.ENV_SERVICE, ""))
    return _carry_out(work, environment, host, gang.port())


def _carry_out(work: Work, environment: Mapping[str, str], host: str = msrun.HOST, port: int = 0) -> Ending:
    """With a `port` the start is one of several pods', and all must meet there."""
    processes, output = work.processes, work.output
    for _ in range(_PORTS_TRIED):
        try:
            if not port:
                processes.prepare()
            output.follow(processes)
            processes.start(environment, host, port)
            meanings = work.plan.profile_of(processes.stage).exit_codes
            ending = watch(processes, work.orders, work.gang, output, meanings)
        except OSError as error:
            ending = endings.not_started(error)
        if ending.exit_code and port:
            _tell_early(work, ending)
        stuck = processes.stop(_GRACE_S.get(ending.reason, FAILURE_GRACE_S))
        output.forward(final=True)
        if stuck:
            output.say(f"could not be ended: process {', '.join(str(process.pid) for process in stuck)}")
        if port or ending.culprit != rank.SCHEDULER or not _port_was_taken(processes):
            break
        output.say("another process took the scheduler's port; trying the next one")
    return ending


def _tell_early(work: Work, ending: Ending) -> None:
    """At once: the others fail for this in a moment, and pod 0 tells the first."""
    lines = _told(Attempt(0, 0.0), ending, work.processes).last_lines
    with suppress(OSError):
        work.gang.tell(End(work.gang.pod, time.time(), ending, lines))


def _await_told(processes: StageProcesses, attempt: int) -> None:
    """Until pod 0 has written why the attempt ended: the cluster ends all pods as soon as one has failed."""
    until = time.monotonic() + TOLD_S
    folder = processes.logs.parent
    while time.monotonic() < until:
        known = record.read_attempt(folder, attempt)
        if known is None or known.ended is not None:
            return
        time.sleep(TICK_S)


def _port_was_taken(processes: StageProcesses) -> bool:
    log = rank_logs.LineTail(processes.log(rank.SCHEDULER), processes.offsets[rank.SCHEDULER])
    return msrun.port_was_taken("\n".join(log.read(final=True)))


def _mark(stage_folder: Path, stage: Stage, plan: Plan, attempt: int) -> Ending:
    try:
        with record.storage_errors(stage_folder):
            image = os.environ.get(names.ENV_IMAGE, "")
            made = marker.make_marker(stage_folder, stage, plan.hash, attempt, image=image)
            marker.write_marker(stage_folder, made)
    except marker.MarkerError as error:
        return Ending(1, "NoMarker", str(error), culprit=layout.rank_name(0))
    except StorageError as error:
        return Ending(1, "StorageFull", str(error), retry=False)
    return Ending(0)


def _told(begun: Attempt, ending: Ending, processes: StageProcesses) -> Attempt:
    lines: tuple[str, ...] = ()
    if ending.culprit in processes.offsets:
        lines = rank_logs.last_lines(processes.log(ending.culprit), LAST_LINES, processes.offsets[ending.culprit])
        lines = tuple(line[:MAX_SHOWN] for line in lines)
    ended = replace(_ended(begun, ending), last_lines=lines)
    return replace(ended, rank=ending.rank if processes.stage.ranks > 1 else None)


def _ended(begun: Attempt, ending: Ending) -> Attempt:
    return replace(
        begun,
        ended=time.time(),
        exit_code=ending.exit_code,
        reason=ending.reason,
        message=ending.message,
        retry=ending.retry,
    )


def _summary(stage: Stage, ended: Attempt) -> str:
    if ended.exit_code == 0:
        return f"attempt {ended.attempt} of {stage.name} is complete"
    lines = "; its last lines:" if ended.last_lines else ""
    return f"attempt {ended.attempt} of {stage.name} ended, {ended.reason}: {ended.message}{lines}"


if __name__ == "__main__":
    sys.exit(main())
