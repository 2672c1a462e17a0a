"""What is wrong is one line and an exit code, and nothing is left half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sphereface.formats import onnx_file
from sphereface.model import initial_values
from tests.ascend310_infer.conftest import Faces, Programs

pytestmark = pytest.mark.infer310

Prepare = Callable[[Path], None]


def check(done: object, code: int, *words: str) -> None:
    returncode, stdout, stderr = (getattr(done, name) for name in ("returncode", "stdout", "stderr"))
    assert (returncode, stdout) == (code, ""), stderr
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("sphereface_"), stderr
    for word in words:
        assert word in stderr


def test_models_that_cannot_be_used(
    programs: Programs, exported: Path, model: Path, bins: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.mindir"
    cut.write_bytes(model.read_bytes()[:-1000])
    (tmp_path / "text.mindir").write_text("no model\n")
    direct = exported / "sphereface.mindir"
    for path, words in {
        tmp_path / "none.mindir": (": no such model",),
        tmp_path: (": is no file",),
        cut: ("is no whole MINDIR",),
        tmp_path / "text.mindir": ("is no whole MINDIR",),
        direct: ("is MINDIR version 3 (of MindSpore 2.10.0)", "reads up to version 1", "--format lite"),
    }.items():
        flags = [f"--mindir_path={path}", "--device=cpu", f"--input0_path={bins}", f"--output={tmp_path / 'out'}"]
        check(programs("infer310", *flags), 2, str(path), *words)
    assert not any((tmp_path / "out").iterdir())


def test_a_model_of_another_input_is_refused(programs: Programs, bins: Path, tmp_path: Path) -> None:
    weights = initial_values("sphereface4a", conv_bias=False, seed=0)
    weights["fc5.weight"] = np.zeros((512, 512 * 4 * 4), np.float32)
    onnx_file.write(tmp_path / "small.onnx", weights, (0, 0, 0, 0), (64, 64), prelu=False)
    converted = programs("lite_convert", tmp_path / "small.onnx", tmp_path / "small.mindir")
    assert (converted.returncode, converted.stdout) == (0, "CONVERT RESULT SUCCESS:0\n"), converted.stderr
    flags = [f"--mindir_path={tmp_path / 'small.mindir'}", "--device=cpu", f"--input0_path={bins}"]
    done = programs("infer310", *flags, f"--output={tmp_path / 'out'}")
    check(done, 2, "small.mindir: takes", "[batch, 3, 64, 64]", "but faces are one float32 [batch, 3, 112, 96]")


@pytest.mark.parametrize("device", ["ascend310", "ascend310p"])
def test_a_device_that_is_not_there(programs: Programs, model: Path, bins: Path, tmp_path: Path, device: str) -> None:
    flags = [f"--mindir_path={model}", f"--device={device}", f"--input0_path={bins}", f"--output={tmp_path}"]
    check(programs("infer310", *flags, "--device_id=3"), 1, f"device {device} 3: cannot be used here", "--device cpu")
    assert list(tmp_path.iterdir()) == []


def cut_first(folder: Path) -> None:
    path = folder / "0_1_1.bin"
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut_first, "0_1_1.bin: has 129020 bytes, but a face is 129024 bytes"),
        (lambda folder: (folder / "first.bin").write_bytes(b""), "'first.bin' does not parse"),
        (lambda folder: (folder / "0_2_1.bin").unlink(), "pair 0 is not whole"),
        (shutil.rmtree, "cannot list the .bin files"),
    ],
)
def test_preprocessed_faces_that_are_wrong(
    programs: Programs, model: Path, bins: Path, tmp_path: Path, change: Prepare, words: str
) -> None:
    folder = tmp_path / "00_data"
    shutil.copytree(bins, folder)
    change(folder)
    out = tmp_path / "out"
    check(
        programs("infer310", f"--mindir_path={model}", "--device=cpu", f"--input0_path={folder}", f"--output={out}"),
        2,
        words,
    )
    assert not out.exists()


def damage(faces: Faces, root: Path, spoil: Callable[[Path], None]) -> Faces:
    shutil.copytree(faces.images, root / "images")
    spoil(sorted((root / "images").rglob("*.*"))[0])
    return Faces(root / "images", faces.landmarks, faces.pairs)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is not a whole image that can be decoded"),
        (lambda path: path.write_text("no image"), "is not a whole image that can be decoded"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (Path.unlink, "there is no image"),
    ],
)
def test_photographs_that_are_wrong(
    programs: Programs, model: Path, faces: Faces, tmp_path: Path, spoil: Prepare, words: str
) -> None:
    spoilt = damage(faces, tmp_path, spoil)
    out = tmp_path / "out"
    done = programs("infer310", f"--mindir_path={model}", "--device=cpu", *spoilt.flags(), f"--output={out}")
    check(done, 2, words, str(spoilt.images))
    check(programs("preprocess310", *spoilt.flags(), f"--output={out}"), 2, words)
    assert not out.exists() or list(out.iterdir()) == []


def test_an_output_that_cannot_be_written(programs: Programs, model: Path, bins: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none")):
        flags = [f"--mindir_path={model}", "--device=cpu", f"--input0_path={bins}", f"--output={output}"]
        check(programs("infer310", *flags), 1, f"{output}: cannot be written")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--mindir_path is needed"),
        (["--mindir_path=m"], "give either --input0_path, or --image_path"),
        (["--mindir_path=m", "--input0_path=a", "--image_path=b"], "give either --input0_path, or --image_path"),
        (["--mindir_path=m", "--device=gpu"], "--device must be cpu, ascend310 or ascend310p, not 'gpu'"),
        (["--mindir_path=m", "--batch_size=0"], "--batch_size must be a whole number from 1 to 4096"),
        (["--model=m"], "unknown argument '--model=m'"),
        (["--mindir_path"], "--mindir_path needs a value"),
    ],
)
def test_flags_that_are_wrong(programs: Programs, flags: list[str], words: str) -> None:
    check(programs("infer310", *flags), 2, words)


def test_the_tools_of_export(programs: Programs, model: Path, tmp_path: Path) -> None:
    check(programs("lite_convert", "a.onnx"), 2, "usage: sphereface_lite_convert")
    check(programs("lite_convert", tmp_path / "none.onnx", tmp_path / "a.mindir"), 2, "none.onnx: no such model")
    (tmp_path / "faces").write_bytes(b"1234")
    check(programs("lite_run", model, tmp_path / "faces", tmp_path / "out"), 2, "are no whole faces")
    check(programs("lite_run", model), 2, "usage: sphereface_lite_run")
    for name in ("infer310", "preprocess310"):
        done = programs(name, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "--workers N" in done.stdout
