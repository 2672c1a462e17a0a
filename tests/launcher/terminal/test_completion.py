from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.terminal import completion


def complete(line: str, folder: Path) -> list[str]:
    """What the shell's function is answered for a line that ends at the cursor."""
    answer = folder / "answer"
    subprocess.run(
        [sys.executable, "-m", "launcher"],
        env={
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SHELL": "bash",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "LAUNCHER_STORAGE": str(folder),
            "LAUNCHER_BACKEND": "local",
        },
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return [word.strip() for word in answer.read_text().split("\x0b") if word.strip()]


def test_verbs(tmp_path: Path) -> None:
    assert complete("launcher s", tmp_path) == ["submit", "status"]


def test_flags_of_a_verb(tmp_path: Path) -> None:
    assert {"--set", "--stages", "--storage"} <= set(complete("launcher submit --s", tmp_path))


def test_device_names(tmp_path: Path) -> None:
    assert {"ascend910", "ascend910b"} <= set(complete("launcher submit --device a", tmp_path))


def test_actions_and_names_of_profiles(tmp_path: Path) -> None:
    assert complete("launcher profiles ", tmp_path) == ["list", "show", "check"]
    assert {"ascend910", "ascend910b"} <= set(complete("launcher profiles show a", tmp_path))


def test_names_of_runs_come_from_the_storage(tmp_path: Path) -> None:
    from launcher import record
    from launcher.plan import make_plan
    from launcher.spec import RunSpec

    plan = make_plan(RunSpec("demo", storage=str(tmp_path)))
    record.write_plan(Path(plan.folder), plan)
    record.write_run(Path(plan.folder), record.new_run(plan, "local", 1.0))
    assert complete("launcher status d", tmp_path) == ["demo"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_code(shell: str) -> None:
    assert "launcher" in completion.shell_code(shell)


def test_the_shell_code_is_valid_bash() -> None:
    done = subprocess.run(["bash", "-n"], input=completion.shell_code("bash"), text=True, check=False)
    assert done.returncode == 0
