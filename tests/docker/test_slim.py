from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from docker import slim
from docker.build import ROOT

FILES = (
    "mindspore/__init__.py",
    "mindspore/include/api.h",
    "mindspore/lib/plugin/libmindspore_ops_cpu.so",
    "mindspore/lib/plugin/cpu/libakg.so",
    "mindspore/lib/plugin/ascend/custom.so",
    "mindspore/lib/plugin/libmindspore_ascend.so.2",
    "mindspore/lib/plugin/libmindspore_ops_ascend.so",
    "mindspore/lib/plugin/gpu/libcuda_ops.so.11",
    "mindspore/lib/plugin/gpu11.6/libnccl.so.2",
    "mindspore/lib/plugin/libmindspore_gpu.so.11.6",
    "numpy/tests/test_it.py",
    "numpy/core/tests/data/tests/x.csv",
    "numpy/testing/__init__.py",
    "mindspore/tests/__init__.py",
)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def make_slim(packages: Path, target: str) -> None:
    command = [sys.executable, str(ROOT / "docker/slim.py"), str(packages), "--target", target]
    subprocess.run(command, check=True, timeout=60)


def left(packages: Path) -> set[str]:
    return {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@pytest.mark.parametrize(("target", "word"), [("cpu", ""), ("ascend", "ascend"), ("gpu", "gpu")])
def test_a_target_keeps_the_plugins_of_its_own_device_alone(packages: Path, target: str, word: str) -> None:
    make_slim(packages, target)
    own = {name for name in FILES if word and word in name}
    kept = {"mindspore/__init__.py", "mindspore/tests/__init__.py", "numpy/testing/__init__.py"}
    assert left(packages) == own | kept | {"mindspore/lib/plugin/libmindspore_ops_cpu.so"}


def test_no_path_lies_inside_another(packages: Path) -> None:
    paths = slim.unneeded(packages, "cpu")
    assert packages / "numpy/core/tests" in paths
    assert not [path for path in paths if set(path.parents) & set(paths)]


def test_byte_code_is_trusted_as_it_is(packages: Path) -> None:
    make_slim(packages, "cpu")
    compiled = Path(importlib.util.cache_from_source(str(packages / "mindspore/__init__.py")))
    assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00", "PEP 552: hash-based, not checked"


def test_the_names_are_those_of_the_installed_wheel() -> None:
    """A new MindSpore that calls its plugins otherwise would quietly make the image 1.8 GB larger."""
    found = importlib.util.find_spec("mindspore")
    assert found is not None
    assert found.origin is not None
    plugins = Path(found.origin).parent / "lib/plugin"
    for patterns in slim.PLUGINS.values():
        for pattern in patterns:
            assert list(plugins.glob(pattern)), pattern
    known = {path for patterns in slim.PLUGINS.values() for pattern in patterns for path in plugins.glob(pattern)}
    assert {path.name for path in set(plugins.iterdir()) - known} == {"cpu", "libmindspore_ops_cpu.so"}
