from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runfolder.programs import FOLDER, INFER
from sphereface import cli

STANDIN = Path(__file__).with_name("standin_infer310.py")
LINE = "LFWACC=0.9000 std=0.0100 thd=0.3000\n"
GIVEN = {"mindir_path": "/m.lite.mindir", "pairtxt_src": "/p.txt", "datatxt_src": "/l.txt", "datasrc": "/i"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in, which is the one that is found."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / INFER).write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN} "$@"\n')
    (folder / INFER).chmod(0o755)
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "status"
    folder.mkdir()
    monkeypatch.setenv("SPHEREFACE_STATUS_DIR", str(folder))
    return folder


def words(output: Path, **more: Any) -> list[str]:
    return ["infer310", *(f"--{key}={value}" for key, value in {**GIVEN, "output": output, **more}.items())]


def test_the_program_is_told_what_the_keys_say_and_its_result_is_the_stages(
    programs: Path, status: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "infer310"
    assert cli.main(words(output, infer_device="ascend310", device_id=2, batch_size=8)) == 0
    said = capfd.readouterr()
    assert said.out == LINE
    assert said.err.splitlines()[0] == "7 of 40 images, 81.5 images/s"
    assert json.loads((output / "given.json").read_text()) == {
        "mindir_path": "/m.lite.mindir", "pairs": "/p.txt", "landmarks": "/l.txt", "image_path": "/i",
        "device": "ascend310", "device_id": "2", "batch_size": "8", "output": str(output),
    }  # fmt: skip
    result = json.loads((output / "result.json").read_text())
    assert (result["schema"], result["stage"]) == (1, "infer310")
    assert (result["metrics"]["accuracy"], result["metrics"]["checkpoint"]) == (0.9, "0-1_10.ckpt")
    assert result["metrics"]["line"] == LINE.strip()
    assert all((output / name).is_file() for name in result["files"])
    beat = json.loads((status / "rank_0.heartbeat").read_text())
    assert (beat["phase"], beat["step"], beat["steps"]) == ("infer310", 40, 40)


@pytest.mark.parametrize(
    ("trouble", "code", "reason", "message"),
    [
        (f"2 {INFER}: error: /m.lite.mindir: no such model", 2, "ConfigurationError", "/m.lite.mindir: no such model"),
        (f"1 {INFER}: error: device ascend310 0: cannot be used", 1, "StageFailed", "device ascend310 0: cannot be us"),
        (f"1 {INFER}: error: /o: cannot be written: No space left", 1, "StorageFull", "/o: cannot be written: No sp"),
        ("3 terminate called", 1, "StageFailed", f"{INFER} ended with exit code 3; its last line: terminate called"),
        ("SIGNAL 9", 1, "StageFailed", f"{INFER} was ended by SIGKILL; its last line: 7 of 40 images"),
    ],
)
def test_a_failure_is_told_once_in_the_programs_words(
    programs: Path, status: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    trouble: str, code: int, reason: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("STANDIN_INFER310", trouble)
    output = tmp_path / "infer310"
    output.mkdir()
    (output / "result.json").write_text("{}")
    assert cli.main(words(output)) == code
    failure = json.loads((status / "rank_0.failure.json").read_text())
    assert (failure["reason"], failure["exit_code"]) == (reason, code)
    assert failure["message"].startswith(message)
    assert capfd.readouterr().err.splitlines()[-1] == f"sphereface: error: {failure['message']}"
    assert list(output.iterdir()) == []


def test_sigterm_ends_the_program_too(programs: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "STANDIN_INFER310": "wait"}
    with subprocess.Popen([sys.executable, "-m", "sphereface", *words(tmp_path)], env=environ) as stage:
        until = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        stage.send_signal(signal.SIGTERM)
        assert stage.wait(30) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert not (tmp_path / "result.json").exists()


def test_a_program_that_leaves_no_result_of_its_own_has_failed(
    programs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (programs / INFER).write_text("#!/bin/sh\necho LFWACC=1\n")
    assert cli.main(words(tmp_path)) == 1
    assert "ended well, but" in capfd.readouterr().err
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"mindir_path": "", "datasrc": ""}, "mindir_path, datasrc: not set; infer310 needs a model"),
        ({"infer_device": "ascend910"}, "infer_device must be one of cpu, ascend310, ascend310p, not 'ascend910'"),
        ({}, f"{INFER} is not in "),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert cli.main(words(tmp_path / "out", **more)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_stage_starts_without_mindspore(programs: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from sphereface import cli\n"
        f"assert cli.main({words(tmp_path / 'out')!r}) == 0\n"
        "assert not {'mindspore', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
