"""The C++ programs give what Python gives: the same crops, embeddings, scores and lfw.json, through both inputs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from runfolder.programs import FOLDER
from sphereface import align, cli, data, export, lfw_file
from sphereface.config import resolve
from sphereface.data.pairs import Pairs
from sphereface.embed import aligned_crop
from tests.ascend310_infer.conftest import Faces, Programs, save_checkpoint

pytestmark = pytest.mark.infer310


@pytest.fixture(scope="module")
def pairs(faces: Faces) -> Pairs:
    sources = {"datasrc": faces.images, "datatxt_src": faces.landmarks, "pairtxt_src": faces.pairs}
    return data.read_pairs(resolve(flags={key: str(path) for key, path in sources.items()}))


@pytest.fixture(scope="module")
def evaluated(checkpoints: Path, faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("python")
    words = {"ckpt_files": checkpoints, "datasrc": faces.images, "output": output}
    words |= {"datatxt_src": faces.landmarks, "pairtxt_src": faces.pairs}
    assert cli.main(["evaluate", *(f"--{key}={value}" for key, value in words.items())]) == 0
    return output


def infer(programs: Programs, model: Path, source: list[str], output: Path, *more: object) -> str:
    flags = [f"--mindir_path={model}", "--device=cpu", f"--output={output}", *source, *more]
    done = programs("infer310", *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def embeddings_of(pairs: Pairs, checkpoints: Path) -> npt.NDArray[np.float32]:
    from sphereface import checkpoint
    from sphereface.embed import embed_files

    network, _ = checkpoint.load_network(checkpoints)
    quiet: dict[str, Any] = {"batch_size": 32, "flip": False, "progress": lambda _: None}
    plain, _ = embed_files(network, pairs.images, pairs.points, **quiet)
    return plain


def test_crops_are_pythons_within_one_grey_level(bins: Path, pairs: Pairs) -> None:
    names = set()
    for i, (left, right, same) in enumerate(zip(pairs.left, pairs.right, pairs.same, strict=True)):
        for side, image in ((1, left), (2, right)):
            name = f"{i}_{side}_{int(same)}.bin"
            face = np.fromfile(bins / name, "<f4").reshape(3, align.HEIGHT, align.WIDTH)
            expected = align.normalise(aligned_crop(pairs.images[image], pairs.points[image]))
            assert np.abs(face - expected).max() <= 1 / 128
            names.add(name)
    assert {path.name for path in bins.iterdir()} == names


@pytest.mark.parametrize("source", ["photographs", "bins"])
def test_results_are_those_of_python(
    programs: Programs, model: Path, checkpoints: Path, faces: Faces, bins: Path, pairs: Pairs, evaluated: Path,
    tmp_path: Path, source: str,
) -> None:  # fmt: skip
    given = faces.flags() if source == "photographs" else [f"--input0_path={bins}"]
    line = infer(programs, model, given, tmp_path, "--batch_size=7", "--workers=2")
    ours, theirs = (json.loads((folder / "lfw.json").read_text()) for folder in (tmp_path, evaluated))
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        if key != "images" or source == "photographs":
            assert_close(ours[key], value)
    assert line == f"LFWACC={theirs['accuracy']:.4f} std={theirs['std']:.4f} thd={theirs['threshold']:.4f}\n"
    assert lfw_file.read(tmp_path / "lfw.json").protocol == "zoo"

    embeddings = np.load(tmp_path / "embeddings.npy")
    rows = np.stack([pairs.left, pairs.right], 1)
    expected = embeddings_of(pairs, checkpoints)
    if source == "bins":
        expected, rows = expected[rows.ravel()], np.arange(rows.size).reshape(-1, 2)
    assert embeddings.dtype == np.float32
    assert np.abs(embeddings - expected).max() <= export.TOLERANCE * np.abs(expected).max()
    check_pair_files(tmp_path, pairs, embeddings, rows, evaluated)


def check_pair_files(
    folder: Path, pairs: Pairs, embeddings: npt.NDArray[np.float32], rows: npt.NDArray[Any], evaluated: Path
) -> None:
    with (folder / "scores.csv").open() as stream:
        scores = list(csv.DictReader(stream))
    theirs = np.load(evaluated / "scores.npz")
    np.testing.assert_allclose([float(row["score"]) for row in scores], theirs["scores"], atol=1e-4)
    assert [int(row["fold"]) - 1 for row in scores] == list(theirs["fold"])
    assert [row["same"] == "1" for row in scores] == list(theirs["same"])
    files = {path.name for path in (folder / "result_Files").iterdir()}
    assert len(files) == 2 * len(pairs.same)
    for i, same in enumerate(pairs.same):
        for side in (1, 2):
            result = np.fromfile(folder / "result_Files" / f"{i}_{side}_{int(same)}_0.bin", "<f4")
            np.testing.assert_array_equal(result, embeddings[rows[i, side - 1]])
    performance = (folder / "time_Result" / "test_perform_static.txt").read_text()
    assert performance.startswith("NN inference cost average time: ")
    assert performance.endswith(f" ms of infer_count {len(embeddings)}\n")


def assert_close(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            assert_close(ours[key], theirs[key])
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_close(one, other)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=5e-5)
    else:
        assert (type(ours), ours) == (type(theirs), theirs)


def test_a_model_with_every_kind_of_layer_is_exported(
    release: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(release.folder))
    save_checkpoint(tmp_path, "sphereface10a", conv_bias=True)
    words = [f"--ckpt_files={tmp_path}", f"--output={tmp_path / 'out'}", "--file_format=LITE", "--file_name=face"]
    assert cli.main(["export", *words]) == 0
    value = json.loads((tmp_path / "out" / "export.json").read_text())
    assert value["files"] == {"face.lite.mindir": "LITE"}
    assert 0 <= value["max_difference"]["face.lite.mindir"] <= export.TOLERANCE
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"face.lite.mindir", "export.json", "result.json"}


def test_batch_size_and_threads_change_nothing(release: Programs, model: Path, faces: Faces, tmp_path: Path) -> None:
    lines = set()
    for number, flags in enumerate((["--batch_size=1", "--workers=1"], ["--batch_size=64", "--workers=5"])):
        lines.add(infer(release, model, faces.flags(), tmp_path / str(number), *flags))
    assert len(lines) == 1
    first, second = (np.load(tmp_path / name / "embeddings.npy") for name in "01")
    assert np.abs(first - second).max() <= 1e-5 * np.abs(first).max()


def test_a_second_run_takes_the_place_of_the_first(
    release: Programs, model: Path, faces: Faces, bins: Path, tmp_path: Path
) -> None:
    (tmp_path / ".result_Files.Xy12Zz").mkdir()  # of one that was killed
    (tmp_path / "result_Files").mkdir()
    (tmp_path / "result_Files" / "9999_1_1_0.bin").write_bytes(b"of an older run")
    infer(release, model, [f"--input0_path={bins}", "--dataset_name=sphereface", "--device_id=0"], tmp_path)
    infer(release, model, faces.flags(), tmp_path)
    assert not (tmp_path / "result_Files" / "9999_1_1_0.bin").exists()
    names = {"embeddings.npy", "images.txt", "lfw.json", "result_Files", "scores.csv", "time_Result"}
    assert {path.name for path in tmp_path.iterdir()} == names
