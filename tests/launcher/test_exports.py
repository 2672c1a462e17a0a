from __future__ import annotations

from typing import Any

import pytest

from launcher import exports
from launcher.errors import SpecError
from launcher.profiles import load_profile
from launcher.spec import DEFAULT_STAGES, STAGES, RunSpec

CPU = load_profile("cpu")


def spec(stages: tuple[str, ...] = STAGES, **export: Any) -> RunSpec:
    return RunSpec("demo", stages=stages, export=export)


def test_without_being_told_export_writes_what_comes_after_it_reads() -> None:
    assert exports.files(spec(DEFAULT_STAGES), CPU) == ("sphereface.mindir",)
    assert exports.files(spec(), CPU) == ("sphereface.mindir", "sphereface.lite.mindir")
    assert exports.file_format(spec()) == "MINDIR,LITE"


def test_the_model_has_the_name_that_export_gives_it() -> None:
    given = spec(file_format="ONNX, LITE", file_name="face")
    assert exports.files(given, CPU) == ("face.onnx", "face.lite.mindir")
    assert exports.model(given) == "face.lite.mindir"
    assert exports.files(spec(file_name="face.lite.mindir", file_format="LITE"), CPU) == ("face.lite.mindir",)


def test_an_export_without_the_model_of_infer310_is_refused() -> None:
    with pytest.raises(SpecError, match=r"file_format is MINDIR,ONNX, but infer310 after it reads LITE; add LITE"):
        exports.files(spec(file_format="MINDIR, ONNX"), CPU)
    assert exports.files(spec(DEFAULT_STAGES, file_format="ONNX"), CPU) == ("sphereface.onnx",)
