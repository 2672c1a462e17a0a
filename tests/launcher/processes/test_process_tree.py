from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.processes import process_tree
from tests.launcher.standin import wait_until

SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).wait()"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def python(code: str, started: list[subprocess.Popen[str]], **marker: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, **marker}
    )
    started.append(process)
    return process


def test_reads_a_process_and_its_parent(started: list[subprocess.Popen[str]]) -> None:
    child = process_tree.read(python(SLEEP, started).pid)

    assert child is not None
    assert child.parent == os.getpid()
    assert child.alive
    assert process_tree.read(2**22 + 1) is None


def test_exit_code_of_a_process_that_nobody_waited_for_is_read(started: list[subprocess.Popen[str]]) -> None:
    pids = [python(code, started).pid for code in ("raise SystemExit(7)", "import os; os.kill(os.getpid(), 9)")]

    def codes() -> list[int | None]:
        seen = [process_tree.read(pid) for pid in pids]
        return [os.waitstatus_to_exitcode(p.wait_status) if p and p.state == "Z" else None for p in seen]

    wait_until(lambda: codes() == [7, -signal.SIGKILL])


def test_descendants_are_found_through_all_generations(started: list[subprocess.Popen[str]]) -> None:
    parent = python(PARENT, started)
    wait_until(lambda: process_tree.descendants(parent.pid, process_tree.snapshot()))
    (below,) = process_tree.descendants(parent.pid, process_tree.snapshot())

    mine = {process.pid for process in process_tree.descendants(os.getpid(), process_tree.snapshot())}

    assert {parent.pid, below.pid} <= mine
    os.kill(below.pid, signal.SIGKILL)


def test_marked_finds_processes_by_all_of_their_marks(started: list[subprocess.Popen[str]]) -> None:
    mark = f"test-{os.getpid()}"
    both = python(SLEEP, started, MARK=mark, STAGE="a")
    python(SLEEP, started, MARK=mark, STAGE="b")
    wait_until(lambda: len(process_tree.marked({"MARK": mark})) == 2)

    assert [process.pid for process in process_tree.marked({"MARK": mark, "STAGE": "a"})] == [both.pid]


def test_end_kills_what_does_not_listen_and_tells_only_the_topmost(started: list[subprocess.Popen[str]]) -> None:
    mark = f"test-{os.getpid()}"
    deaf = python(DEAF, started, MARK=mark)
    tree = python(PARENT, started, MARK=mark)
    assert deaf.stdout is not None
    deaf.stdout.readline()
    wait_until(lambda: len(process_tree.marked({"MARK": mark})) == 3)

    left = process_tree.end(lambda: process_tree.marked({"MARK": mark}), grace_s=0.5)

    assert left == []
    assert process_tree.marked({"MARK": mark}) == []
    assert (deaf.wait(), tree.wait()) == (-signal.SIGKILL, -signal.SIGTERM)


def test_end_reaches_a_stopped_process(started: list[subprocess.Popen[str]]) -> None:
    mark = f"test-{os.getpid()}"
    process = python(SLEEP, started, MARK=mark)
    wait_until(lambda: process_tree.marked({"MARK": mark}))
    process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()

    process_tree.end(lambda: process_tree.marked({"MARK": mark}), grace_s=60)

    assert process.wait() == -signal.SIGTERM
    assert time.monotonic() - begun < 50


def test_a_signal_meant_for_an_ended_process_never_reaches_its_successor(started: list[subprocess.Popen[str]]) -> None:
    process = python(SLEEP, started)
    seen = process_tree.read(process.pid)
    assert seen is not None
    stranger = process_tree.Process(seen.pid, seen.parent, "S", 0.0, seen.birth - 1, 0)

    process_tree.send([stranger], signal.SIGKILL)

    time.sleep(0.1)
    assert process.poll() is None


def test_a_process_tied_to_its_parent_dies_with_it(tmp_path: Path, started: list[subprocess.Popen[str]]) -> None:
    tied = (
        "import os, signal, time; from launcher.processes import process_tree;"
        "process_tree.die_with_parent(signal.SIGKILL);"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    )
    parent = python(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {tied!r}]).wait()", started)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    pid = int((tmp_path / "pid").read_text())

    parent.kill()

    wait_until(lambda: (process := process_tree.read(pid)) is None or not process.alive)


def test_threads_that_want_a_processor_and_have_none_are_seen(started: list[subprocess.Popen[str]]) -> None:
    """Two that are tied to one processor share it."""
    place = min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, [{place}]); exec('while True: pass')"
    both = [python(busy, started), python(busy, started)]

    wait_until(lambda: all(process_tree.waited_s(each.pid) > 0.2 for each in both))

    idle = python(SLEEP, started)
    wait_until(lambda: (now := process_tree.read(idle.pid)) is not None and now.state == "S")
    assert process_tree.waited_s(idle.pid) < process_tree.waited_s(both[0].pid)
