"""MINDIR files for MindSpore Lite, whose converter and runtime are C++ programs of ascend310_infer/.

A MINDIR straight from MindSpore 2.10 is of version 3, for newer runtimes: MindSpore Lite 2.0 reads version 1. The
converter that comes with it makes one of an ONNX file; it fails on PRelu, so that is written in plain operators.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from runfolder import programs
from sphereface.errors import SpherefaceError, UnsupportedError

Array = npt.NDArray[np.float32]


def program(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The path of a program. Raises UnsupportedError that says what to install."""
    if found := programs.find(name, environ):
        return found
    raise UnsupportedError(f"MindSpore Lite is needed, and {programs.missing([name], environ)}")


def convert(onnx: Path, mindir: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Writes the network of an ONNX file (without PRelu) as `mindir`, whose name must end in .mindir.

    Raises SpherefaceError with the converter's own words.
    """
    _call([program(programs.CONVERT, environ), str(onnx), str(mindir)])


def embeddings(mindir: Path, images: Array, environ: Mapping[str, str] = os.environ) -> Array:
    """What MindSpore Lite computes on the CPU: images (B, 3, 112, 96) to embeddings (B, D). Raises SpherefaceError."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "faces.f32", Path(folder) / "embeddings.f32"
        given.write_bytes(np.ascontiguousarray(images, "<f4").tobytes())
        _call([program(programs.RUN, environ), str(mindir), str(given), str(answer)])
        return np.fromfile(answer, "<f4").reshape(len(images), -1)


def _call(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"{words[0]}: ended with {done.returncode}"])[-1]
        raise SpherefaceError(f"LITE was not written: {last}")
