"""How msrun starts the ranks of one stage on one machine: its command line, and what its failures look like."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
TOPOLOGY_TIMEOUT_S = 300
"""Becomes MS_TOPO_TIMEOUT, without which ranks look for a dead scheduler for ever. Eight imports of MindSpore on two
cores take a minute; a rank that dies meanwhile is seen by the pod, which does not wait for this."""

_PORT_TAKEN = ("Address already in use", "Failed to init the tcp server", "Failed to create the TCP server")
_WORKER_EXIT = re.compile(r"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


@dataclass(frozen=True)
class Team:
    """The ranks that work together, and which of them are this machine's: one pod of several."""

    ranks: int
    here: int
    pod: int = 0
    """0, 1, …; its ranks follow those of the pods before it."""
    host: str = HOST
    """Address of pod 0, which runs the scheduler."""
    port: int = 0


def command(argv: Sequence[str], team: Team, log_dir: Path) -> list[str]:
    """The command line that runs `argv`, which begins with "python", once a rank and in pod 0 as their scheduler.

    `--tail_worker_log` names a rank that does not exist: the pod shows the ranks' lines itself, whole.
    """
    return [
        sys.executable,
        "-m",
        "mindspore.parallel.cluster.run",
        f"--worker_num={team.ranks}",
        f"--local_worker_num={team.here}",
        f"--node_rank={team.pod}",
        f"--master_addr={team.host}",
        f"--master_port={team.port}",
        f"--cluster_time_out={TOPOLOGY_TIMEOUT_S}",
        f"--log_dir={log_dir}",
        "--join=True",
        f"--tail_worker_log={team.ranks}",
        *argv,
    ]


def free_port(host: str = HOST) -> int:
    """A port that was free just now; another process may still take it before the scheduler does."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


def port_was_taken(scheduler_log: str) -> bool:
    return any(words in scheduler_log for words in _PORT_TAKEN)


def worker_exits(msrun_log: str) -> dict[int, int]:
    """Exit codes (negative: a signal) that msrun reported, by process id, first failure first."""
    return {int(pid): int(code) for pid, code in _WORKER_EXIT.findall(msrun_log)}
