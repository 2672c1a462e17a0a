from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sphereface import checkpoint, config, stage
from sphereface.errors import CheckpointError, ConfigError


def test_the_source_is_the_newest_checkpoint_and_its_digest(tmp_path: Path) -> None:
    weights = {"fc5.weight": np.zeros((2, 2), np.float32)}
    for name in ("0-1_5.ckpt", "0-2_5.ckpt", "0-10_5.ckpt"):
        checkpoint.save(tmp_path / name, checkpoint.Checkpoint(weights, {}, {}))
    source = stage.find_source(config.resolve(flags={"ckpt_files": str(tmp_path)}))
    assert source.path == tmp_path / "0-10_5.ckpt"
    assert source.sha256 == hashlib.sha256(source.path.read_bytes()).hexdigest()
    assert source.as_json() == {"checkpoint": "0-10_5.ckpt", "checkpoint_sha256": source.sha256}


def test_a_source_that_is_not_named_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ckpt_files is not set"):
        stage.find_source(config.resolve())
    with pytest.raises(CheckpointError, match="no such file or folder"):
        stage.find_source(config.resolve(flags={"ckpt_files": str(tmp_path / "none")}))


def test_the_output_is_cleared_of_old_results_and_of_half_written_files_only(tmp_path: Path) -> None:
    output = tmp_path / "run" / "evaluate"
    settings = config.resolve(flags={"output": str(output)})
    assert stage.open_output(settings, ["lfw.json"]) == output
    for name in ("result.json", ".lfw.abcd1234.json", ".lfw.json", ".other.abcd1234.json", "lfw.json"):
        (output / name).write_text("x")
    stage.open_output(settings, ["lfw.json"])
    assert sorted(path.name for path in output.iterdir()) == [".lfw.json", ".other.abcd1234.json", "lfw.json"]


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_output_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is not a folder"):
        stage.open_output(config.resolve(flags={"output": str(tmp_path / name)}), [])


def test_the_result_is_what_the_launcher_reads(tmp_path: Path) -> None:
    stage.write_result(tmp_path, "export", {"formats": "ONNX"}, ["a.onnx"])
    assert json.loads((tmp_path / "result.json").read_text()) == {
        "schema": 1,
        "stage": "export",
        "metrics": {"formats": "ONNX"},
        "files": ["a.onnx"],
    }


def test_sigterm_ends_in_order(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from runfolder import atomic
from sphereface import stage
stage.end_on_sigterm()
with atomic.replacing(Path({str(tmp_path)!r}) / "half.bin"):
    os.kill(os.getpid(), signal.SIGTERM)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert ended.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
