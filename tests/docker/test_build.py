from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from docker import build


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the programs are made from."""
    for name in build.PROGRAMS_RECIPE:
        source, target = build.ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["ascend310_infer/src/align.cc", "requirements/lite.lock", "docker/infer310/Dockerfile", "docker/slim.py"]
)
def test_programs_are_kept_under_the_hash_of_what_they_are_made_from(checkout: Path, name: str) -> None:
    before = build.programs_tag(checkout)
    assert before == build.programs_tag(build.ROOT)
    (checkout / "ascend310_infer" / "tests").mkdir()
    (checkout / "ascend310_infer" / "tests" / "new.cc").touch()
    assert build.programs_tag(checkout) == before
    (checkout / name).write_bytes((checkout / name).read_bytes() + b"\n")
    assert build.programs_tag(checkout) != before


def test_a_moved_file_is_another_recipe(checkout: Path) -> None:
    before = build.programs_tag(checkout)
    (checkout / "ascend310_infer/src/align.cc").rename(checkout / "ascend310_infer/src/aligned.cc")
    assert build.programs_tag(checkout) != before


def test_the_code_of_the_project_is_no_part_of_the_programs() -> None:
    assert not any(name.split("/")[0] in build.PACKAGES for name in build.PROGRAMS_RECIPE)


def test_an_unknown_image_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["build", "cpu", "gpu"])
    assert build.main() == 1
    assert capsys.readouterr().err == "error: no image is called gpu: name any of cpu, infer310\n"


def test_each_context_holds_what_is_needed_and_no_other_lock(tmp_path: Path) -> None:
    build.fill(tmp_path / "cpu", build.CONTEXT)
    build.fill(tmp_path / "programs", build.PROGRAMS_CONTEXT)
    assert not (tmp_path / "cpu" / "ascend310_infer").exists()
    locks = {name: {path.name for path in (tmp_path / name / "requirements").iterdir()} for name in ("cpu", "programs")}
    assert {"build.lock", "runtime.lock"} <= locks["cpu"]
    assert not {"dev.lock", "lite.lock"} & locks["cpu"]
    assert locks["programs"] == {"lite.lock"}
    assert (tmp_path / "programs" / "ascend310_infer" / "src" / "align.cc").is_file()
    assert not (tmp_path / "programs" / "ascend310_infer" / "tests").exists()


def test_a_reference_is_written_beside_the_others(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    build.remember(path, "cpu", "r@sha256:1")
    path.write_text(json.dumps({"cpu": "old", "gpu": "theirs"}))
    build.remember(path, "cpu", "r@sha256:2")
    assert json.loads(path.read_text()) == {"cpu": "r@sha256:2", "gpu": "theirs"}
