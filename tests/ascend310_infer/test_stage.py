"""`sphereface infer310`, a stage of a run, with the real programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runfolder import layout
from runfolder.programs import FOLDER
from sphereface import cli, lfw_file
from tests.ascend310_infer.conftest import Faces, Programs

pytestmark = pytest.mark.infer310


@pytest.fixture(autouse=True)
def found(release: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(release.folder))
    (tmp_path / "status").mkdir()
    monkeypatch.setenv(layout.STATUS_DIR_VARIABLE, str(tmp_path / "status"))


def call(verb: str, faces: Faces, **keys: object) -> int:
    pairs = {"datasrc": faces.images, "datatxt_src": faces.landmarks, "pairtxt_src": faces.pairs}
    return cli.main([verb, *(f"--{key}={value}" for key, value in {**pairs, **keys}.items())])


def test_its_result_is_that_of_evaluate(
    model: Path, checkpoints: Path, faces: Faces, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call("evaluate", faces, ckpt_files=checkpoints, output=tmp_path / "evaluate") == 0
    python = capfd.readouterr().out
    assert call("infer310", faces, mindir_path=model, output=tmp_path / "infer310", batch_size=7) == 0
    said = capfd.readouterr()
    assert said.out == python
    assert said.err.splitlines()[0].startswith("7 of 40 images, ")
    ours, theirs = (json.loads((tmp_path / stage / "result.json").read_text()) for stage in ("infer310", "evaluate"))
    assert ours["stage"] == "infer310"
    assert ours["metrics"] == pytest.approx(theirs["metrics"], abs=5e-5)
    assert all((tmp_path / "infer310" / name).stat().st_size for name in ours["files"])
    read = [lfw_file.read(tmp_path / stage / layout.LFW) for stage in ("infer310", "evaluate")]
    assert read[0].checkpoint_sha256 == read[1].checkpoint_sha256
    beat = json.loads(layout.heartbeat_file(tmp_path / "status", 0).read_text())
    assert (beat["phase"], beat["step"], beat["steps"]) == ("infer310", 40, 40)


def test_what_it_refuses_is_the_programs_own_line(
    exported: Path, faces: Faces, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    direct = exported / "sphereface.mindir"
    assert call("infer310", faces, mindir_path=direct, output=tmp_path / "out") == 2
    said = capfd.readouterr().err
    assert said.startswith(f"sphereface: error: {direct}: is MINDIR version 3")
    assert said.count("\n") == 1
    failure = json.loads(layout.failure_file(tmp_path / "status", 0).read_text())
    assert (failure["reason"], failure["retry"]) == ("ConfigurationError", False)


def test_a_device_that_is_not_there_is_told_by_our_own_key(
    model: Path, faces: Faces, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call("infer310", faces, mindir_path=model, output=tmp_path / "out", infer_device="ascend310") == 1
    said = capfd.readouterr().err
    assert said.startswith("sphereface: error: device ascend310 0: cannot be used here")
    assert said.endswith("or take infer_device cpu\n")
