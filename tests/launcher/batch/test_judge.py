"""One index of a batch, over real processes that run a stand-in of `sphereface evaluate`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import record
from launcher.batch import judge
from launcher.errors import CONFIGURATION_EXIT, UsageError
from launcher.facts import Attempt
from launcher.marker import read_marker
from launcher.spec import StagePolicy
from runfolder import layout

STANDIN = Path(__file__).parent / "standin_evaluate.py"
CHECKPOINTS = {"good.ckpt": "0.9375", "bad.ckpt": "bad", "killed.ckpt": "killed", "fails.ckpt": "fails"}


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "modules" / "sphereface"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(STANDIN, package / "__main__.py")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    storage = tmp_path / "storage"
    storage.mkdir()
    for name, content in CHECKPOINTS.items():
        (storage / name).write_text(content)
    (tmp_path / "list").write_text("\n".join(CHECKPOINTS))
    return storage


def run(storage: Path, name: str, *options: str) -> tuple[int, str]:
    """Exit code and output of the index that judges the checkpoint `name`."""
    argv = [sys.executable, "-m", "launcher.batch.judge", "--name", "june", "--storage", str(storage)]
    environment = {**os.environ, judge.ENV_INDEX: str(list(CHECKPOINTS).index(name))}
    ended = subprocess.run(
        [*argv, "--list", str(storage.parent / "list"), "--heartbeat=3", "--", *options],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


def stage_folder(storage: Path, name: str) -> Path:
    index = list(CHECKPOINTS).index(name)
    return storage / "batch" / "june" / f"{index}-{Path(name).stem}" / layout.EVALUATE


def calls(storage: Path, name: str) -> list[str]:
    return (stage_folder(storage, name) / "calls.log").read_text().split()


def last_attempt(storage: Path, name: str) -> Attempt:
    return record.read_attempts(stage_folder(storage, name))[-1]


def test_a_good_checkpoint_is_judged_once(storage: Path) -> None:
    assert run(storage, "good.ckpt", "--batch_size=8")[0] == 0
    marker = read_marker(stage_folder(storage, "good.ckpt"))
    assert marker is not None
    assert marker.metrics["accuracy"] == 0.9375
    code, output = run(storage, "good.ckpt", "--batch_size=8")
    assert code == 0
    assert "is judged already" in output
    assert calls(storage, "good.ckpt") == ["8"]


def test_another_file_or_another_option_is_another_judgement(storage: Path) -> None:
    run(storage, "good.ckpt")
    run(storage, "good.ckpt", "--batch_size=8")
    (storage / "good.ckpt").write_text("0.5")
    assert run(storage, "good.ckpt", "--batch_size=8")[0] == 0
    assert calls(storage, "good.ckpt") == ["32", "8", "8"]
    marker = read_marker(stage_folder(storage, "good.ckpt"))
    assert marker is not None
    assert marker.metrics["accuracy"] == 0.5
    assert last_attempt(storage, "good.ckpt").attempt == 3


def test_a_bad_checkpoint_fails_its_index_for_good_and_says_why(storage: Path) -> None:
    assert run(storage, "bad.ckpt")[0] == CONFIGURATION_EXIT
    told = last_attempt(storage, "bad.ckpt")
    assert told.reason == "ConfigurationError"
    assert "is cut short" in told.message


def test_a_checkpoint_that_is_not_there(storage: Path) -> None:
    (storage / "good.ckpt").unlink()
    assert run(storage, "good.ckpt")[0] == CONFIGURATION_EXIT
    assert "does not exist" in last_attempt(storage, "good.ckpt").message


@pytest.mark.parametrize(("name", "reason"), [("killed.ckpt", "Killed"), ("fails.ckpt", "StageFailed")])
def test_what_another_attempt_may_mend_is_left_to_the_job(storage: Path, name: str, reason: str) -> None:
    assert run(storage, name)[0] == 1
    assert last_attempt(storage, name).reason == reason
    assert run(storage, name)[0] == 1
    assert last_attempt(storage, name).attempt == 2


def test_an_index_beyond_the_list_says_what_to_do() -> None:
    batch = judge.Batch("june", Path("/storage"), ("a.ckpt",), (), StagePolicy())
    with pytest.raises(UsageError, match="index 1 has no checkpoint: the list has 1; set completions of the Job to 1"):
        judge.index_plan(batch, 1)


def test_outside_an_indexed_job_it_says_so(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [sys.executable, "-m", "launcher.batch.judge", "--name=june", f"--storage={storage}", "--list=/dev/null"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == CONFIGURATION_EXIT
    assert ended.stderr == "error: JOB_COMPLETION_INDEX is not set; this is for pods of an Indexed Job\n"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 0\n"),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_the_kernel_counts_what_it_killed_for_want_of_memory(tmp_path: Path, file: str, text: str) -> None:
    assert judge.oom_kills(tmp_path) == 0
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert judge.oom_kills(tmp_path) == 2
