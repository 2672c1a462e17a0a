"""The command line over the real local backend: real supervisors and processes that run a stand-in of sphereface."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cli import main
from tests.launcher.conftest import Call, Outcome
from tests.launcher.standin import left_over, run_path, wait_until

STANDIN = Path(__file__).parent / "standin_sphereface.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a launcher.yaml, in which `python -m sphereface` is the stand-in."""
    package = tmp_path / "modules" / "sphereface"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(STANDIN, package / "__main__.py")
    (tmp_path / "launcher.yaml").write_text(
        "name: demo\n"
        "train: {train_img_dir: ., max_epoch: 3}\n"
        "evaluate: {datatxt_src: launcher.yaml, pairtxt_src: launcher.yaml, datasrc: .}\n"
        "policy: {train: {retries: 0}}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAUNCHER_BACKEND", "local")
    for name in ("XDG_CONFIG_HOME", "LAUNCHER_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    main(["delete", "demo"])
    assert left_over(run_path(tmp_path)) == []


@pytest.fixture
def launcher(folder: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def launcher(*words: str) -> Outcome:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return launcher


def test_a_run_from_submit_to_delete(folder: Path, launcher: Call) -> None:
    done = launcher("submit", "--follow")
    assert done.code == 0, done.err
    assert done.out.startswith("run/demo created\nLFWACC=0.9700 std=0.0100 thd=0.2500\n\nSTAGE ")
    assert "sphereface.mindir" in done.out
    assert "train: Succeeded" in done.err

    again = launcher("submit", "--follow")
    assert again.out.startswith("run/demo unchanged (Succeeded)\nLFWACC=0.9700")
    assert launcher("submit", "--devices", "2").code == 6
    assert launcher("wait", "demo").out == "run/demo Succeeded\n"
    assert launcher("list").out.splitlines()[1].split()[:3] == ["demo", "Succeeded", "3/3"]
    stages = json.loads(launcher("status", "demo", "-o", "json").out)["stages"]
    assert [stage["state"] for stage in stages] == ["Succeeded"] * 3
    assert launcher("logs", "demo", "--stage", "evaluate", "--rank", "0").out.splitlines()[-1] == "evaluate begins"
    assert launcher("cancel", "demo").out == "run/demo unchanged (Succeeded)\n"
    assert launcher("status", "dema").err.rstrip().endswith("(did you mean 'demo'?)")
    assert launcher("delete", "demo").out == "run/demo deleted\n"
    assert not run_path(folder).exists()
    assert launcher("status", "demo").code == 3


def test_a_wrong_configuration_fails_with_its_last_lines(launcher: Call) -> None:
    failed = launcher("submit", "--wait", "--set", "train.seed=13")
    assert failed.code == 1
    assert "error: seed must not be 13" in failed.err
    assert failed.err.splitlines()[-1].startswith("error: run/demo Failed in train: ConfigurationError")
    assert launcher("wait", "demo").code == 1


def test_cancel_and_resume(launcher: Call) -> None:
    launcher("submit", "--set", "train.max_epoch=50")
    wait_until(lambda: "train      Running" in launcher("status", "demo").out)
    assert launcher("wait", "demo", "--timeout", "0").code == 5
    assert launcher("cancel", "demo").out == "run/demo cancelled\n"
    assert launcher("wait", "demo").code == 1
    resumed = launcher("resume", "demo", "--wait")
    assert (resumed.code, resumed.out.splitlines()[0]) == (0, "run/demo resumed")


def test_interrupting_a_following_leaves_the_run_alone(launcher: Call) -> None:
    command = [sys.executable, "-m", "launcher", "submit", "--set", "train.max_epoch=40", "--follow"]

    def as_in_a_terminal() -> None:
        """A shell starts what it puts into the background with SIGINT ignored, and so these tests, maybe."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal
    ) as following:
        assert following.stderr is not None
        assert any(line == "train: Running\n" for line in following.stderr), "it ended before the stage began"
        following.send_signal(signal.SIGINT)
        _, err = following.communicate(timeout=30)
    assert following.returncode == 130
    assert "run/demo goes on without this terminal" in err
    assert launcher("wait", "demo", "--timeout", "2m").out == "run/demo Succeeded\n"
