from __future__ import annotations

from pathlib import Path

import pytest

from launcher import profiles
from launcher.errors import UsageError
from launcher.processes import starter
from launcher.processes.msrun import Team

LOGS = Path("/logs")
TEAM = Team(8, 4, 1, "10.0.0.7", 5000)


def test_every_start_of_a_profile_has_a_name_and_a_command() -> None:
    for start in profiles.STARTS:
        assert starter.is_starter(starter.name_of(start))
        assert starter.is_starter(starter.name_of(start, 3))
        assert starter.command(start, ["python", "-m", "x"], Team(8, 8), LOGS)[-2:] == ["-m", "x"]
    assert [starter.name_of("msrun", 0), starter.name_of("rank-table", 2)] == ["msrun", "spawn_2"]
    assert not any(starter.is_starter(name) for name in ("rank_0", "scheduler", "spawned", "msrun_x"))


def test_each_start_gives_a_pod_its_own_ranks() -> None:
    assert "--node_rank=1" in starter.command("msrun", ["python"], TEAM, LOGS)
    assert {"--ranks=4", "--first=4", "--total=8"} <= set(starter.command("rank-table", ["python"], TEAM, LOGS))
    with pytest.raises(UsageError, match="needs ssh"):
        starter.command("mpirun", ["python"], TEAM, LOGS)


def test_only_msrun_has_a_scheduler() -> None:
    assert [starter.has_scheduler(start) for start in profiles.STARTS] == [True, False, False]


def test_exits_are_told_by_rank_in_the_order_of_failure() -> None:
    log = (
        "Worker process 12 exit with exception. Error code: 3.\n"
        "Worker process 99 exit with exception. Error code: 4.\n"
        "Worker process 11 exit with exception. Error code: -9.\n"
    )
    by_pid = {11: "rank_0", 12: "rank_1"}
    for start in ("msrun", "rank-table"):
        assert list(starter.exits(start, log, by_pid.get).items()) == [("rank_1", 3), ("rank_0", -9)]
    told = "  Process name: [[61433,1],1]\n  Exit code:    5\n"
    assert starter.exits("mpirun", told, by_pid.get) == {"rank_1": 5}
