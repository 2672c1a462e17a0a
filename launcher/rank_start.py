"""Where a device's profile starts ranks by rank table: what this pod was given, and the table of all pods' devices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launcher import allocation, ascend, pod_table
from launcher.ascend import Board
from launcher.errors import CONFIGURATION_EXIT, LauncherError, UsageError, WaitTimeout
from launcher.plan import Plan, Stage
from launcher.processes.endings import Ending
from launcher.profiles import RANK_TABLE
from launcher.rank_tables import pods
from launcher.rank_tables.pods import Allocation
from runfolder import layout

DEADLINE_S = 300.0
"""For an operator's table, where the run has no start deadline of its own."""
ANNOTATION_S = 120.0
"""For the device plugin's annotation: it comes within seconds or, where no such plugin writes it, never."""


def is_wanted(plan: Plan, stage: Stage) -> bool:
    return plan.profile.start == RANK_TABLE and stage.ranks > 1


def own(
    plan: Plan,
    stage: Stage,
    pod: int,
    environment: Mapping[str, str],
    stopped: Callable[[], bool],
    say: Callable[[str], None],
    root: Path = Path("/"),
) -> dict[str, Any] | None:
    """What this pod was given, in the form of the device plugin's annotation; None where an operator knows it and
    nobody else. Raises LauncherError."""
    try:
        given = allocation.own_server(
            {**environment, **stage.env},
            root,
            _board(plan),
            stage.processes,
            pod=pod,
            nodes=stage.nodes,
            deadline_s=min(_deadline_s(plan), ANNOTATION_S),
            stopped=stopped,
        )
    except LauncherError:
        if pod_table.operator_writes(_operator(root)):
            return None
        raise
    for text in (f"devices of this pod: {given.source}", *given.notes):
        say(text)
    return pods.annotation(given.allocation)


def write(
    plan: Plan,
    stage: Stage,
    pod: int,
    given: Sequence[Mapping[str, Any] | None],
    stopped: Callable[[], bool],
    say: Callable[[str], None],
    root: Path = Path("/"),
) -> dict[str, str]:
    """Writes `rank_table.json` of the stage; the environment that its ranks find it by. `given` of all pods, in order.

    Every pod writes the same. Raises LauncherError for a table that HCCL would refuse, OSError.
    """
    path = layout.stage_folder(Path(plan.folder), stage.name) / layout.RANK_TABLE
    allocations = [_allocation(each, index) for index, each in enumerate(given) if each is not None]
    operator = _operator(root)
    if pod_table.operator_writes(operator):
        ready = pod_table.operator_table(
            _board(plan), stage.ranks, operator, deadline_s=_deadline_s(plan), stopped=stopped
        )
        mine = given[pod]
        if mine is not None:
            pod_table.require_ranks(ready, _allocation(mine, pod), pod * stage.processes)
    else:
        ready = pod_table.whole_table(allocations, _board(plan))
    for warning in ready.warnings:
        say(f"rank table: {warning}")
    pod_table.write(ready, path)
    return {ascend.RANK_TABLE_FILE: str(path)}


def refused(error: LauncherError) -> Ending:
    """What came too late may come in time when it is tried again; the rest is wrong and stays so."""
    if isinstance(error, WaitTimeout):
        return Ending(1, "StartFailed", str(error))
    return Ending(CONFIGURATION_EXIT, "ConfigurationError", str(error), retry=False)


def _allocation(given: Mapping[str, Any], index: int) -> Allocation:
    return pods.allocation(json.dumps(given), f"what pod {index} was given", index)


def _operator(root: Path) -> Path:
    return root / ascend.OPERATOR_MOUNT.lstrip("/")


def _board(plan: Plan) -> Board:
    if plan.profile.board not in ascend.BOARDS:
        raise UsageError(
            f"device profile {plan.profile.name} starts by rank table but names no board; give it board: "
            f"{', '.join(ascend.BOARDS)}"
        )
    return ascend.BOARDS[plan.profile.board]


def _deadline_s(plan: Plan) -> float:
    return (plan.kubernetes.start_deadline_s if plan.kubernetes else 0.0) or DEADLINE_S
