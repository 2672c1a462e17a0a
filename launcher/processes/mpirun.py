"""How Open MPI's mpirun starts the ranks of one stage on one machine, and how a rank learns its number there.

MindSpore's collectives on GPU start this way, or by msrun. Sources: MindSpore, communication/management.py and
_comm_helper.py (2.10); Open MPI's manual of mpirun. Tried with Open MPI 5.0 and no GPU: MindSpore's ranks find each
other, and on processors go no further.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from launcher.errors import UsageError

_NUMBERS = {
    "RANK_ID": "OMPI_COMM_WORLD_RANK",
    "RANK_SIZE": "OMPI_COMM_WORLD_SIZE",
    "DEVICE_ID": "OMPI_COMM_WORLD_LOCAL_RANK",
}
_EXIT = re.compile(r"Process name: \[.*,(\d+)\]\s+Exit code:\s+(\d+)")
_SIGNAL = re.compile(r"process\s+rank\s+(\d+)\s+with\s+PID\s+\d+\s+on\s+node\s+\S+\s+exited\s+on\s+signal\s+(\d+)")


def command(argv: Sequence[str], *, here: int, pods: int = 1, devices: bool = True) -> list[str]:
    """The command line that runs `argv` once a rank; all of this environment goes to them, and no shell is between.

    `devices`: each rank has one of its own; without, more ranks than processor cores are allowed. Raises UsageError
    for several pods.
    """
    if pods > 1:
        raise UsageError(
            f"mpirun over {pods} pods needs ssh between them, which pods do not have; use --nodes 1, or a profile with "
            "start: msrun"
        )
    # Each rank reads its data with threads of its own; mpirun's default ties all of them to one core.
    shared = [] if devices else ["--oversubscribe"]
    return ["mpirun", "-n", str(here), "--bind-to", "none", *shared, *argv]


def rank_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """RANK_ID, RANK_SIZE and DEVICE_ID of a process that mpirun has started; empty for any other."""
    return {ours: environment[theirs] for ours, theirs in _NUMBERS.items() if theirs in environment}


def rank_exits(log: str) -> dict[int, int]:
    """Exit codes (negative: a signal) that mpirun reported, by rank; it names the first that failed, and ends all."""
    found = {int(rank): -int(number) for rank, number in _SIGNAL.findall(log)}
    return found | {int(rank): int(code) for rank, code in _EXIT.findall(log)}
