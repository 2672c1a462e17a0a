"""Watches one attempt's processes until it has ended or has to be ended. What it finds becomes the attempt's end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from launcher import progress
from launcher.gang import Gang
from launcher.processes import endings, process_tree, rank
from launcher.processes.endings import Ending
from launcher.processes.hang import HangWatch, Seen
from launcher.processes.orders import Orders
from launcher.processes.pod_output import PodOutput
from launcher.processes.process_tree import Process
from launcher.processes.stage_processes import Member, StageProcesses

TICK_S = 0.2
LINGER_S = 60.0
"""How long the ranks' starter may stay after the last rank has ended well."""


def watch(
    processes: StageProcesses, orders: Orders, gang: Gang, output: PodOutput, meanings: Mapping[str, str]
) -> Ending:
    """Returns once the attempt has ended or has to be ended. `meanings` are those of exit codes on the device."""
    policy = processes.stage.policy
    hangs = HangWatch(policy)
    every = min(5.0, policy.heartbeat_s / 8)
    began = judged = time.monotonic()
    while True:
        now, clock = time.time(), time.monotonic()
        exit_code = processes.first_exit()
        members = processes.look(now)
        output.forward()
        over = orders.over()
        if over and not (exit_code == 0 and over.reason == "Terminated"):
            return over
        failures = endings.read_failures(processes.status, processes.stage.ranks)
        if failure := endings.first_failure(members, failures, meanings) or gang.failed():
            return failure
        well = processes.ended_well()
        if exit_code == 0 or (well is not None and (exit_code is not None or now - well > LINGER_S)):
            return Ending(0)
        if policy.deadline_s and clock - began > policy.deadline_s:
            return Ending(1, "DeadlineExceeded", f"took longer than {policy.deadline_s:g} s", retry=False)
        if clock - judged >= every:
            judged = clock
            if hang := _hang(hangs, clock, processes, gang):
                return hang
        time.sleep(TICK_S)


def _hang(hangs: HangWatch, clock: float, processes: StageProcesses, gang: Gang) -> Ending | None:
    """Of several pods, the first judges the ranks of all: one may rightly wait for a rank that works in another pod."""
    everything = process_tree.snapshot()
    living = [member for member in processes.members.values() if member.ended is None]
    seen = {member.name: _seen(member, processes, everything) for member in living}
    workers = [seen[name] for name in processes.ranks if name in seen]
    helpers = [seen[name] for name in (rank.SCHEDULER, processes.starter) if name in seen]
    if any(name not in processes.members for name in processes.ranks):
        workers += helpers[-1:]  # msrun has still to start the others
    gang.show(workers)
    if gang.pod:
        return None
    hang = hangs.judge(clock, [*workers, *gang.others()], helpers)
    if silent := gang.silent(processes.stage.policy.heartbeat_s):
        return silent
    if hang is None:
        return None
    if processes.is_done(hang.name):
        return Ending(0)  # only its exit hangs, and is ended with what else is left
    reason = "SchedulerFailed" if hang.name == rank.SCHEDULER else "RankHung"
    return Ending(1, reason, hang.message, culprit=hang.name)


def _seen(member: Member, processes: StageProcesses, everything: Mapping[int, Process]) -> Seen:
    state, cpu_s = member.process.state, processes.cpu_s(member, everything)
    waited_s = processes.waited_s(member, everything)
    seen = Seen(member.name, stopped=state == "T", cpu_s=cpu_s, waited_s=waited_s, reads=state == "D")
    number = processes.numbers[processes.ranks.index(member.name)] if member.name in processes.ranks else None
    beat = None if number is None else progress.read_heartbeat(processes.status, number)
    return replace(seen, phase=beat.phase, epoch=beat.epoch, step=beat.step) if beat else seen
