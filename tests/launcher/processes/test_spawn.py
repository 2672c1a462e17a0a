"""With real processes: small programs of Python in place of ranks."""

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

from launcher.errors import CONFIGURATION_EXIT
from launcher.processes import msrun, process_tree, spawn

TELL = """
import json, os, sys, pathlib
names = ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "RANK_TABLE_FILE", "MS_ROLE", "MINDSPORE_HCCL_CONFIG_PATH")
told = {name: os.environ.get(name) for name in names} | {"pid": os.getpid(), "argv": sys.argv[2:]}
draft = pathlib.Path(sys.argv[1], "draft" + os.environ["RANK_ID"])
draft.write_text(json.dumps(told))
draft.rename(pathlib.Path(sys.argv[1], "rank" + os.environ["RANK_ID"]))
"""
SLEEP = TELL + "\nimport time\ntime.sleep(60)"
FAIL_LAST = (
    TELL
    + """
import time
while os.environ["RANK_ID"] == "2":
    len(list(pathlib.Path(sys.argv[1]).glob("rank[012]"))) == 3 and os._exit(5)
    time.sleep(0.01)
time.sleep(60)
"""
)
"""Rank 2 fails, once all have told of themselves."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    table = tmp_path / "rank_table.json"
    table.write_text("{}")
    return {**os.environ, "RANK_TABLE_FILE": str(table), "MS_ROLE": "MS_SCHED", "MINDSPORE_HCCL_CONFIG_PATH": "/old"}


def start(
    environment: dict[str, str], tmp_path: Path, program: str, *words: str, here: int = 3, devices: tuple[int, ...] = ()
) -> subprocess.Popen[str]:
    argv = spawn.command(
        ["python", "-c", program, str(tmp_path), *words], here=here, first=0, total=here, devices=devices
    )
    return subprocess.Popen(argv, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def told(tmp_path: Path, rank: int) -> dict[str, object]:
    path = tmp_path / f"rank{rank}"
    until(path.exists)
    return dict(json.loads(path.read_text()))


def until(ready: Callable[[], bool], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: object) -> bool:
    process = process_tree.read(int(str(pid)))
    return process is None or not process.alive


def test_command_is_a_module_of_ours_and_the_argv_unchanged() -> None:
    command = spawn.command(["python", "-m", "x", "--", "--ranks=9"], here=4, first=4, total=8, devices=(4, 5, 6, 7))
    assert command[:3] == [sys.executable, "-m", "launcher.processes.spawn"]
    assert command[3:8] == ["--ranks=4", "--first=4", "--total=8", "--devices=4,5,6,7", "--"]
    assert command[8:] == ["python", "-m", "x", "--", "--ranks=9"]


def test_a_rank_learns_its_place_from_its_environment(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, TELL, "--epochs", "3", "--", "-x", here=2, devices=(5, 4))
    output, _ = started.communicate(timeout=30)
    assert (started.returncode, output) == (0, "")
    found = [told(tmp_path, rank) for rank in range(2)]
    assert [one["RANK_ID"] for one in found] == ["0", "1"]
    assert [one["DEVICE_ID"] for one in found] == ["5", "4"]
    assert {(one["RANK_SIZE"], one["RANK_TABLE_FILE"]) for one in found} == {("2", environment["RANK_TABLE_FILE"])}
    assert {(one["MS_ROLE"], one["MINDSPORE_HCCL_CONFIG_PATH"]) for one in found} == {(None, None)}
    assert found[0]["argv"] == ["--epochs", "3", "--", "-x"]


def test_ranks_of_a_later_pod_go_on_counting_and_devices_do_not() -> None:
    own = spawn.rank_environment({"PATH": "/bin"}, 9, 16, 1)
    assert own == {"PATH": "/bin", "RANK_ID": "9", "RANK_SIZE": "16", "DEVICE_ID": "1"}


def test_the_first_failure_ends_the_others_and_is_told_first(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, FAIL_LAST)
    pids = [told(tmp_path, rank)["pid"] for rank in range(3)]
    output, _ = started.communicate(timeout=30)
    assert started.returncode == 5
    exits = msrun.worker_exits(output)
    assert next(iter(exits.items())) == (pids[2], 5)
    assert exits == {pids[2]: 5, pids[0]: -signal.SIGTERM, pids[1]: -signal.SIGTERM}
    assert all(gone(pid) for pid in pids)


def test_a_rank_that_was_killed_is_told_with_its_signal(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, SLEEP)
    pids = [int(str(told(tmp_path, rank)["pid"])) for rank in range(3)]
    os.kill(pids[1], signal.SIGKILL)
    output, _ = started.communicate(timeout=30)
    assert started.returncode == 128 + signal.SIGKILL
    assert next(iter(msrun.worker_exits(output).items())) == (pids[1], -signal.SIGKILL)


def test_a_rank_that_does_not_listen_is_killed_after_the_grace(environment: dict[str, str], tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SLEEP
    started = start(environment, tmp_path, deaf, here=1)
    pid = told(tmp_path, 0)["pid"]
    began = time.monotonic()
    started.terminate()
    output, _ = started.communicate(timeout=30)
    assert started.returncode == spawn.TERMINATED_EXIT
    assert time.monotonic() - began >= spawn.GRACE_S
    assert msrun.worker_exits(output) == {pid: -signal.SIGKILL}


def test_told_to_stop_it_tells_the_ranks(environment: dict[str, str], tmp_path: Path) -> None:
    started = start(environment, tmp_path, SLEEP)
    pids = [told(tmp_path, rank)["pid"] for rank in range(3)]
    started.terminate()
    started.communicate(timeout=30)
    assert started.returncode == spawn.TERMINATED_EXIT
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize("victim", ["spawn", "its parent"])
def test_a_killed_parent_leaves_no_rank(environment: dict[str, str], tmp_path: Path, victim: str) -> None:
    argv = spawn.command(["python", "-c", SLEEP, str(tmp_path)], here=2, first=0, total=2)
    program = f"import subprocess; subprocess.run({argv!r})"
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment)
    pids = [told(tmp_path, rank)["pid"] for rank in range(2)]
    spawned = next(
        one for one in process_tree.descendants(parent.pid, process_tree.snapshot()) if one.parent == parent.pid
    )
    os.kill(spawned.pid if victim == "spawn" else parent.pid, signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in [*pids, spawned.pid]))
    parent.wait(timeout=20)


def test_a_program_that_is_not_there_is_one_line(environment: dict[str, str]) -> None:
    argv = spawn.command(["/no/such/program"], here=1, first=0, total=1)
    ran = subprocess.run(argv, env=environment, text=True, capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (127, "launcher: cannot start /no/such/program: No such file or directory\n")


@pytest.mark.parametrize(
    ("devices", "table", "words"),
    [
        ((0,), None, "--devices must be 2 different numbers, one a rank"),
        ((1, 1), None, "--devices must be 2 different numbers, one a rank"),
        ((), "", "RANK_TABLE_FILE is not set"),
        ((), "/no/such/table.json", "RANK_TABLE_FILE is /no/such/table.json, and no such file is there"),
    ],
)
def test_a_start_that_cannot_work_is_42_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    devices: tuple[int, ...],
    table: str | None,
    words: str,
) -> None:
    monkeypatch.setenv("RANK_TABLE_FILE", environment["RANK_TABLE_FILE"] if table is None else table)
    argv = spawn.command(["true"], here=2, first=0, total=2, devices=devices)
    assert spawn.main(argv[3:]) == CONFIGURATION_EXIT
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
