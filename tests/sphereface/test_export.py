from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from runfolder.programs import FOLDER
from sphereface import align, checkpoint, cli, config, export, status
from sphereface.checkpoint import Checkpoint
from sphereface.errors import CheckpointError, ConfigError, SpherefaceError
from sphereface.lfw_file import LfwResult
from sphereface.model import initial_values

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sphere10 whose convolutions have biases, so that every kind of layer is exported."""
    folder = tmp_path_factory.mktemp("checkpoints")
    weights = initial_values("sphereface10a", conv_bias=True, seed=0)
    rng = np.random.default_rng(0)
    for name, value in weights.items():
        if name.endswith((".bias", ".w")):
            weights[name] = (value + 0.2 * rng.normal(size=value.shape)).astype(np.float32)
    checkpoint.save(folder / "0-1_10.ckpt", Checkpoint(weights, {}, {}))
    return folder


@pytest.fixture(scope="module")
def exported(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run") / "export"
    words = [f"--ckpt_files={checkpoints}", f"--output={output}", "--file_format=MINDIR, ONNX", "--file_name=face"]
    assert cli.main(["export", *words]) == 0
    return output


def images(batch: int) -> Array:
    rng = np.random.default_rng(batch)
    return rng.uniform(-1, 1, (batch, 3, align.HEIGHT, align.WIDTH)).astype(np.float32)


def settings(checkpoints: Path, output: Path, **changes: Any) -> config.Config:
    return config.resolve(flags={"ckpt_files": str(checkpoints), "output": str(output), **changes})


def run_export(checkpoints: Path, output: Path, **changes: Any) -> int:
    flags = {"ckpt_files": checkpoints, "output": output, **changes}
    return cli.main(["export", *(f"--{key}={value}" for key, value in flags.items())])


@pytest.mark.parametrize("batch", [1, 3])
def test_every_file_computes_what_the_checkpoint_does(checkpoints: Path, exported: Path, batch: int) -> None:
    network, _ = checkpoint.load_network(checkpoints)
    given = images(batch)
    expected = network(ms.Tensor(given)).asnumpy()
    session = onnxruntime.InferenceSession(str(exported / "face.onnx"), providers=["CPUExecutionProvider"])
    (by_onnx,) = session.run(["embeddings"], {"images": given})
    by_mindir = ms.nn.GraphCell(ms.load(str(exported / "face.mindir")))(ms.Tensor(given)).asnumpy()
    for embeddings in (by_onnx, by_mindir):
        assert embeddings.shape == (batch, 512)
        assert np.abs(embeddings - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_description_says_how_to_feed_the_files(exported: Path) -> None:
    value = json.loads((exported / "export.json").read_text())
    assert value["files"] == {"face.mindir": "MINDIR", "face.onnx": "ONNX"}
    assert "reads MINDIR version 3" in value["read_by"]["face.mindir"]
    assert (value["net"], value["checkpoint"]) == ("sphereface10a", "0-1_10.ckpt")
    assert value["input"]["shape"] == ["batch", 3, 112, 96]
    assert value["output"]["shape"] == ["batch", 512]
    assert value["alignment"]["reference_points"] == align.REFERENCE.tolist()
    assert all(0 <= difference <= export.TOLERANCE for difference in value["max_difference"].values())
    assert "verification" not in value


def test_nothing_is_left_but_what_the_result_names(exported: Path) -> None:
    result = json.loads((exported / "result.json").read_text())
    assert (result["schema"], result["stage"]) == (1, "export")
    assert result["files"] == ["face.mindir", "face.onnx", "export.json"]
    assert sorted(path.name for path in exported.iterdir()) == sorted([*result["files"], "result.json"])


def test_a_file_that_computes_something_else_is_not_written(checkpoints: Path, tmp_path: Path) -> None:
    def wrong(path: Path, network: Any, weights: Checkpoint) -> export.Run:
        path.write_text("wrong")
        return lambda given: np.asarray(network(ms.Tensor(given)).asnumpy() * 1.001)

    writers = {"ONNX": export.WRITERS["ONNX"], "MINDIR": wrong}
    chosen = settings(checkpoints, tmp_path, file_format="ONNX,MINDIR")
    with pytest.raises(SpherefaceError, match=r"sphereface\.mindir: its embeddings differ"):
        export.export(chosen, status.Heartbeat(None, 0), writers=writers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [np.full((3, 512), np.nan, np.float32), np.zeros((1, 512), np.float32)])
def test_nan_and_a_fixed_batch_do_not_pass(checkpoints: Path, tmp_path: Path, answer: Array) -> None:
    def wrong(path: Path, network: Any, weights: Checkpoint) -> export.Run:
        return lambda given: answer[: len(given)]

    chosen = settings(checkpoints, tmp_path, file_format="ONNX")
    with pytest.raises(SpherefaceError, match=r"sphereface\.onnx: .*not written"):
        export.export(chosen, status.Heartbeat(None, 0), writers={"ONNX": wrong})
    assert list(tmp_path.iterdir()) == []


def test_a_diverged_checkpoint_is_refused(tmp_path: Path) -> None:
    weights = initial_values("sphereface4a", conv_bias=False, seed=0)
    weights["fc5.bias"][0] = np.nan
    checkpoint.save(tmp_path / "0-1_1.ckpt", Checkpoint(weights, {}, {}))
    with pytest.raises(CheckpointError, match="NaN or Inf"):
        export.export(settings(tmp_path, tmp_path / "out"), status.Heartbeat(None, 0))
    assert not (tmp_path / "out").exists()


def test_thresholds_are_those_of_this_very_checkpoint(checkpoints: Path, tmp_path: Path) -> None:
    other = LfwResult("zoo", 0.3, {0.1: 0.2}, "0-9_9.ckpt", "ff")
    with pytest.raises(ConfigError, match=r"of another checkpoint \(0-9_9\.ckpt\)"):
        export.export(settings(checkpoints, tmp_path), status.Heartbeat(None, 0), other)
    value = export.describe({}, {}, 512, other)
    assert value["verification"] == {"protocol": "zoo", "threshold": 0.3, "threshold_at_far": {"0.1": 0.2}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file_format": "MINDIR,AIR"}, "AIR can be written on an Ascend device only, and device_target is CPU"),
        ({"file_format": "TFLITE"}, "file_format must be among MINDIR, LITE, ONNX, AIR, not 'TFLITE'"),
        ({"file_name": "a/b"}, "file_name must be a plain name without folder"),
        ({"file_name": ""}, "file_name must be a plain name without folder"),
        ({"ckpt_files": "/none"}, "/none: no such file or folder"),
        ({"net": "sphereface4a"}, "holds sphereface10a, but net is sphereface4a"),
        ({"lfw": "/none/lfw.json"}, "/none/lfw.json: cannot read"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], words: str
) -> None:
    assert run_export(checkpoints, tmp_path / "out", **changes) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert not (tmp_path / "out").exists()


def test_lite_without_its_programs_is_one_line_and_writes_nothing(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    words = [f"--ckpt_files={checkpoints}", f"--output={tmp_path / 'out'}", "--format", "mindir,lite"]
    assert cli.main(["export", *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "MindSpore Lite is needed" in err
    assert "make infer310" in err
    assert not (tmp_path / "out").exists()


def test_a_given_suffix_is_not_doubled(tmp_path: Path) -> None:
    assert export.file_name(config.resolve(flags={"file_name": "net.onnx"}), "ONNX") == "net.onnx"
    assert export.file_name(config.resolve(flags={"file_name": "net.v2"}), "MINDIR") == "net.v2.mindir"
    assert export.file_name(config.resolve(flags={"file_name": "net"}), "LITE") == "net.lite.mindir"
