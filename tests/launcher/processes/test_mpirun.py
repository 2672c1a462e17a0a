"""With a real Open MPI (its wheel is among the requirements of the tests), and programs of Python in place of ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher import names, profiles
from launcher.errors import UsageError
from launcher.processes import mpirun, process_tree, rank
from runfolder import layout

TELL = """
import json, os, sys
names = ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "OMPI_COMMAND", "PMIX_RANK", "OWN")
print(json.dumps({name: os.environ.get(name) for name in names} | {"argv": sys.argv[1:]}), flush=True)
"""
SLEEP = TELL + "\nimport time\ntime.sleep(60)"


@pytest.fixture
def environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "RANK_"))},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "OWN": "two words; $HOME",
        names.ENV_START: profiles.MPIRUN,
        # Where the tests run as root; pods do not.
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }


def start(environment: dict[str, str], folder: Path, program: str, *words: str) -> subprocess.Popen[bytes]:
    """As a pod starts a stage of two ranks: mpirun and each rank become `launcher.processes.rank`."""
    wrapper = ["-m", "launcher.processes.rank", str(os.getpid()), str(folder), str(folder)]
    ranks = ["python", *wrapper, "python", "-c", program, *words]
    argv = [sys.executable, *wrapper, *mpirun.command(ranks, here=2, devices=False)]
    return subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL)


def lines(folder: Path, name: str) -> list[str]:
    path = layout.log_file(folder, name)
    return path.read_text().splitlines()[1:] if path.exists() else []


def until(ready: Callable[[], object], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(folder: Path, name: str) -> bool:
    pid = rank.read_pid(folder, name)
    process = pid and process_tree.read(pid)
    return not process or not process.alive


def test_command_passes_the_argv_on_and_is_no_shell_string() -> None:
    assert mpirun.command(["python", "-m", "x", "a b"], here=8) == [
        "mpirun", "-n", "8", "--bind-to", "none", "python", "-m", "x", "a b",
    ]  # fmt: skip
    assert "--oversubscribe" in mpirun.command(["x"], here=8, devices=False)


def test_over_several_pods_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="mpirun over 2 pods needs ssh between them, which pods do not have; use --no"):
        mpirun.command(["x"], here=8, pods=2)


def test_numbers_of_a_rank_are_those_of_open_mpi() -> None:
    theirs = {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "3", "PATH": "/"}
    assert mpirun.rank_environment(theirs) == {"RANK_ID": "3", "RANK_SIZE": "8", "DEVICE_ID": "3"}
    assert mpirun.rank_environment({"RANK_ID": "1"}) == {}


def test_exit_codes_are_read_from_the_words_of_open_mpi_4_and_5() -> None:
    four = "  Process name: [[61433,1],1]\n  Exit code:    5\n"
    five = "prterun noticed that process rank 2 with PID 23300 on node vm exited on\nsignal 9 (Killed).\n"
    assert mpirun.rank_exits(four) == {1: 5}
    assert mpirun.rank_exits(five) == {2: -9}
    assert mpirun.rank_exits("nothing of the kind") == {}


def test_two_ranks_learn_their_place_and_get_the_environment(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, TELL, "a b", "$HOME")
    assert started.wait(timeout=60) == 0, lines(tmp_path, "mpirun")
    for number in range(2):
        told = json.loads(lines(tmp_path, f"rank_{number}")[0])
        assert (told["RANK_ID"], told["RANK_SIZE"], told["DEVICE_ID"]) == (str(number), "2", str(number))
        assert (told["OWN"], told["argv"]) == ("two words; $HOME", ["a b", "$HOME"])
        assert told["OMPI_COMMAND"]  # with PMIX_RANK that is how MindSpore knows that mpirun started it
        assert told["PMIX_RANK"] == str(number)


def test_a_rank_that_fails_ends_the_other_and_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    program = TELL + "\nimport time\nos.environ['RANK_ID'] == '1' and sys.exit(5)\ntime.sleep(60)"
    started = start(environment, tmp_path, program)
    assert started.wait(timeout=60) == 5
    assert mpirun.rank_exits("\n".join(lines(tmp_path, "mpirun"))) == {1: 5}
    until(lambda: gone(tmp_path, "rank_0"))


def test_a_rank_that_is_killed_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, SLEEP)
    until(lambda: all(lines(tmp_path, f"rank_{number}") for number in range(2)))
    os.kill(rank.read_pid(tmp_path, "rank_0") or 0, signal.SIGKILL)
    assert started.wait(timeout=60) == 128 + signal.SIGKILL
    assert mpirun.rank_exits("\n".join(lines(tmp_path, "mpirun"))) == {0: -signal.SIGKILL}


def test_a_killed_mpirun_leaves_no_rank(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, SLEEP)
    until(lambda: all(lines(tmp_path, f"rank_{number}") for number in range(2)))
    started.kill()
    started.wait(timeout=60)
    until(lambda: all(gone(tmp_path, f"rank_{number}") for number in range(2)))


def test_an_image_without_mpirun_is_told_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    started = start({**environment, "PATH": "/nowhere"}, tmp_path, TELL)
    assert started.wait(timeout=60) == rank.NOT_STARTED_EXIT
    assert lines(tmp_path, "mpirun") == ["launcher: cannot start mpirun: No such file or directory"]
