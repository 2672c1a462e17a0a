from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sphereface import processes
from sphereface.errors import DataError, SpherefaceError


def square(number: int) -> int:
    if number < 0:
        raise DataError(f"{number} is too small")
    if number == 99:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def slow(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order(workers: int) -> None:
    assert list(processes.ordered(square, range(10), workers)) == [n * n for n in range(10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_comes_at_its_place(workers: int) -> None:
    results = processes.ordered(square, [1, 2, 3, -4, 5], workers)
    assert [next(results) for _ in range(3)] == [1, 4, 9]
    with pytest.raises(DataError, match="-4 is too small"):
        next(results)


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(SpherefaceError, match="was killed"):
        list(processes.ordered(square, [1, 99, 3], 2))


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    program = (
        "import sys; from pathlib import Path; from tests.sphereface.test_processes import slow;"
        "from sphereface import processes\n"
        "if __name__ == '__main__':\n"
        "    for pid in processes.ordered(slow, range(10_000), 2):\n"
        f"        with Path({str(file)!r}).open('a') as stream: print(pid, file=stream)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(program)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": root}) as parent:
        wait_for(lambda: file.exists() and len(set(file.read_text().split())) == 2)
        parent.kill()
    wait_for(lambda: not any(Path("/proc", pid).exists() for pid in set(file.read_text().split())))


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
