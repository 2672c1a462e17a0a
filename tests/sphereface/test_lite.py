from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runfolder.programs import CONVERT, FOLDER, RUN
from sphereface import lite
from sphereface.errors import SpherefaceError, UnsupportedError

FACES = np.arange(2 * 3 * 112 * 96, dtype=np.float32).reshape(2, 3, 112, 96)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Stand-ins that copy: the converter its model, the runtime the first bytes of the faces."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, line in {CONVERT: 'cp "$1" "$2"', RUN: 'head -c 4096 "$2" > "$3"'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


def test_files_go_through_the_programs_of_the_folder(programs: Path, tmp_path: Path) -> None:
    environ = {FOLDER: str(programs)}
    onnx, mindir = tmp_path / "net.onnx", tmp_path / "net.mindir"
    onnx.write_bytes(b"network")
    lite.convert(onnx, mindir, environ)
    assert mindir.read_bytes() == b"network"
    np.testing.assert_array_equal(lite.embeddings(mindir, FACES, environ), FACES.ravel()[:1024].reshape(2, 512))


def test_without_programs_the_error_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=rf"{CONVERT} is not in {tmp_path}; run `make infer310`"):
        lite.convert(tmp_path / "net.onnx", tmp_path / "net.mindir", {FOLDER: str(tmp_path)})


def test_a_failure_carries_the_last_line_of_the_program(programs: Path, tmp_path: Path) -> None:
    (programs / CONVERT).write_text("#!/bin/sh\necho noise >&2; echo 'error: no operator X' >&2; exit 1\n")
    with pytest.raises(SpherefaceError, match=r"^LITE was not written: error: no operator X$"):
        lite.convert(tmp_path / "net.onnx", tmp_path / "net.mindir", {FOLDER: str(programs)})
    (programs / RUN).write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(SpherefaceError, match=rf"{RUN}: ended with 3$"):
        lite.embeddings(tmp_path / "net.mindir", FACES, {FOLDER: str(programs)})
