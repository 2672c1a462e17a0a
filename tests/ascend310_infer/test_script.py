"""scripts/run_infer_310.sh by its published command line, and what it says of wrong ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ascend310_infer.conftest import ROOT, Faces, Programs

pytestmark = pytest.mark.infer310


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of its own, so that results do not lie in the checkout."""
    for name in ("run_infer_310.sh", "zoo.sh"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy2(ROOT / "scripts" / name, tmp_path / "scripts" / name)
    return tmp_path / "scripts"


def call(scripts: Path, *words: object, lite: Path, target: str = "CPU") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "SPHEREFACE_DEVICE_TARGET": target, "SPHEREFACE_LITE": str(lite)}
    command = ["bash", str(scripts / "run_infer_310.sh"), *map(str, words)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_the_published_command_line(scripts: Path, release: Programs, model: Path, faces: Faces) -> None:
    dataset = faces.images.parent
    with_preprocessing = call(scripts, model, "sphereface", dataset, "y", 0, lite=release.folder)
    assert with_preprocessing.returncode == 0, with_preprocessing.stderr
    assert with_preprocessing.stdout.startswith("LFWACC=")
    assert with_preprocessing.stdout.count("\n") == 1
    folder = scripts / "infer310"
    made = {
        "preprocess_result",
        "result_Files",
        "time_Result",
        "lfw.json",
        "embeddings.npy",
        "scores.csv",
        "images.txt",
    }
    assert {path.name for path in folder.iterdir()} == made
    again = call(scripts, model, "sphereface", dataset, "n", "--batch_size=4", lite=release.folder)
    assert again.stdout == with_preprocessing.stdout
    shutil.move(folder / "preprocess_result", scripts.parent / "kept")
    kept = call(scripts, model, "sphereface", scripts.parent / "kept", "N", 0, lite=release.folder)
    assert kept.stdout == with_preprocessing.stdout


def test_wrong_calls_are_one_line(scripts: Path, release: Programs, model: Path, faces: Faces, tmp_path: Path) -> None:
    dataset = faces.images.parent
    (tmp_path / "empty").mkdir()
    (tmp_path / "part" / "lfw").mkdir(parents=True)
    (tmp_path / "part" / "landmark.txt").write_text("")
    for words, message in {
        (): "Usage: bash scripts/run_infer_310.sh",
        (model, "lfw", dataset, "maybe", "0"): "Usage: bash scripts/run_infer_310.sh",
        (tmp_path / "none.mindir", "lfw", dataset, "y", "0"): "none.mindir: no such model",
        (model, "lfw", tmp_path / "none", "y", "0"): "none: no such folder",
        (model, "lfw", dataset, "y", "first"): "DEVICE_ID must be a number, not 'first'",
        (model, "lfw", tmp_path / "empty", "y", "0"): "empty: holds none of images lfw",
        (model, "lfw", tmp_path / "part", "y", "0"): "part: holds none of pairs.txt",
        (model, "lfw", dataset, "n", "0"): "call once with NEED_PREPROCESS y",
    }.items():
        done = call(scripts, *words, lite=release.folder)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr.count("\n") == 1
        assert message in done.stderr
    unbuilt = call(scripts, model, "lfw", dataset, "y", "0", lite=tmp_path / "empty")
    assert (unbuilt.returncode, "make infer310" in unbuilt.stderr) == (2, True)


def test_without_the_variable_it_runs_on_ascend(scripts: Path, release: Programs, model: Path, faces: Faces) -> None:
    for target, device in {"Ascend": "ascend310 1", "Ascend310P": "ascend310p 1"}.items():
        done = call(scripts, model, "lfw", faces.images.parent, "y", "1", lite=release.folder, target=target)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"device {device}: cannot be used here" in done.stderr
