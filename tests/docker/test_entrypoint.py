from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from docker.build import ROOT

ENTRYPOINT = ROOT / "docker" / "entrypoint"


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        [str(ENTRYPOINT), *command],
        env={"PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(*command: str, **environment: str) -> tuple[int, str]:
    with start(*command, **environment) as process:
        output, _ = process.communicate(timeout=60)
        return process.returncode, output


def test_it_becomes_the_command_so_that_no_shell_is_left_between() -> None:
    with start("sh", "-c", "echo $$") as process:
        output, _ = process.communicate(timeout=60)
    assert output.strip() == str(process.pid)


def test_the_exit_code_is_the_commands() -> None:
    assert outcome("sh", "-c", "exit 42")[0] == 42


def test_signals_reach_the_command() -> None:
    waiting = (
        "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('ready', flush=True); signal.pause()"
    )
    with start("python", "-c", waiting) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 7


def test_arguments_arrive_as_they_are() -> None:
    odd = ["a b", "", "$HOME", "*", "é\n", "--x"]
    code, output = outcome("python", "-c", "import sys; print(sys.argv[1:])", *odd)
    assert (code, output.strip()) == (0, repr(odd))


def test_options_are_pythons() -> None:
    assert outcome("-c", "print(6 * 7)") == (0, "42\n")


def test_no_command_shows_the_launchers_help() -> None:
    code, output = outcome()
    assert code == 0
    assert output.startswith("usage: launcher")


def test_an_unknown_command_ends_with_127() -> None:
    assert outcome("no-such-command")[0] == 127


def test_home_is_tmp_where_it_cannot_be_written(tmp_path: Path) -> None:
    assert outcome("sh", "-c", 'echo "$HOME $TMPDIR"', HOME="/nonexistent") == (0, "/tmp /tmp\n")
    kept = outcome("sh", "-c", 'echo "$HOME $TMPDIR"', HOME=str(tmp_path), TMPDIR=str(tmp_path))
    assert kept == (0, f"{tmp_path} {tmp_path}\n")
