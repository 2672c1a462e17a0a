from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sphereface import __version__, cli
from sphereface.commands import train
from sphereface.errors import DivergedError


def raising(error: BaseException) -> Any:
    def run(_arguments: argparse.Namespace) -> int:
        raise error

    return run


def test_help_names_every_verb_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    script = (
        "import sys; from sphereface import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "loaded = {'mindspore', 'numpy', 'cv2'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for verb, text in cli.VERBS.items():
        assert verb in done.stdout
        assert text.split()[0] in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sphereface {__version__}\n"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    assert f"usage: sphereface {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["trian"], ["train", "--unknown", "1"]])
def test_usage_errors_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_bad_input_is_one_line_and_leaves_a_failure_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPHEREFACE_STATUS_DIR", str(tmp_path))
    assert cli.main(["train", "--lr", "fast"]) == 2
    message = "lr must be a number, not 'fast'"
    assert capsys.readouterr().err == f"sphereface: error: {message}\n"
    failure = json.loads((tmp_path / "rank_0.failure.json").read_text())
    assert (failure["reason"], failure["message"]) == ("ConfigurationError", message)
    assert (failure["exit_code"], failure["retry"]) == (2, False)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DivergedError("NaN at\nstep 3"), 1, "NaN at step 3"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/0-1_1.ckpt"), 1, "/data/0-1_1.ckpt: No space left"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data"), 1, "/data: Permission denied"),
        (OSError(errno.ECONNRESET, "Connection reset"), 1, "unexpected ConnectionResetError"),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by zero"),
    ],
)
def test_errors_are_one_line(
    error: Exception, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SPHEREFACE_STATUS_DIR", raising=False)
    monkeypatch.setattr(train, "run", raising(error))
    assert cli.main(["train"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("sphereface: error: ")
    assert text in shown
    assert shown.count("\n") == 1


def test_a_fault_of_ours_is_traced_in_a_stages_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPHEREFACE_STATUS_DIR", str(tmp_path))
    monkeypatch.setattr(train, "run", raising(ZeroDivisionError("division by zero")))
    assert cli.main(["train"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert json.loads((tmp_path / "rank_0.failure.json").read_text())["retry"] is True


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(train, "run", raising(KeyboardInterrupt()))
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == ""
