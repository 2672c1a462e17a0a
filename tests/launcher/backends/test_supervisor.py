from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launcher import names
from launcher.backends import supervisor
from launcher.backends.supervisor import Holder
from launcher.errors import BackendError
from runfolder import layout
from tests.launcher.standin import left_over, wait_until

HOLD = (
    "import sys, time; from pathlib import Path; from launcher.backends import supervisor\n"
    "with supervisor.lock(Path(sys.argv[1])) as held:\n"
    "    print(held is not None, flush=True); held and held.announce(); print(flush=True); time.sleep(600)\n"
)


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    process.stdout.readline()
    return process


def test_one_process_holds_the_lock_and_others_see_who(tmp_path: Path) -> None:
    assert supervisor.holder(tmp_path) is None
    process = hold(tmp_path)
    try:
        assert supervisor.holder(tmp_path) == Holder(process.pid, socket.gethostname())
        with supervisor.lock(tmp_path, wait_s=0.1) as held:
            assert held is None
    finally:
        process.kill()
        process.communicate()

    assert supervisor.holder(tmp_path) is None
    with supervisor.lock(tmp_path) as held:
        assert held is not None
        assert supervisor.holder(tmp_path) == Holder(None, "")


def test_a_stopped_supervisor_is_woken(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        now = supervisor.holder(tmp_path)
        assert now is not None
        assert not supervisor.wake(now)
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: (seen := now.process) is not None and seen.state == "T")

        assert supervisor.wake(now)

        wait_until(lambda: (seen := now.process) is not None and seen.state != "T")
    finally:
        process.kill()
        process.communicate()


def test_stop_ends_a_supervisor_even_one_that_was_stopped(tmp_path: Path) -> None:
    assert not supervisor.stop(tmp_path)
    process = hold(tmp_path)
    process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()

    assert supervisor.stop(tmp_path)

    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - begun < supervisor.STOP_S


def test_a_supervisor_that_cannot_begin_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="ended at once: error: no run"):
        supervisor.start(tmp_path)


def test_sweep_ends_the_processes_of_this_run_only(tmp_path: Path) -> None:
    code = "import time; time.sleep(600)"
    folders = [tmp_path / "a", tmp_path / "b"]
    mine, other = (
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, names.ENV_FOLDER: str(folder)})
        for folder in folders
    )
    try:
        wait_until(lambda: all(left_over(folder) for folder in folders))

        supervisor.sweep(folders[0], grace_s=10)

        assert mine.wait() == -signal.SIGTERM
        assert other.poll() is None
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


def test_the_lock_is_a_file_of_the_run_folder(tmp_path: Path) -> None:
    with supervisor.lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [layout.SUPERVISOR_LOCK]
