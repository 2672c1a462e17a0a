from __future__ import annotations

from pathlib import Path

import pytest

from runfolder import programs


def program(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "some_program"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_folder_that_is_named_is_the_only_one_that_counts(tmp_path: Path) -> None:
    named, on_path = program(tmp_path / "named"), program(tmp_path / "path")
    search = {"PATH": str(on_path.parent)}
    assert programs.find(named.name, {programs.FOLDER: str(named.parent), **search}) == str(named)
    assert programs.find(named.name, search) == str(on_path)
    named.unlink()
    assert programs.find(named.name, {programs.FOLDER: str(named.parent), **search}) is None


def test_what_was_built_here_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, on_path = program(tmp_path / "built"), program(tmp_path / "path")
    monkeypatch.setattr(programs, "BUILT", built.parent)
    assert programs.find(built.name, {"PATH": str(on_path.parent)}) == str(built)


def test_a_program_that_is_missing_says_what_to_do() -> None:
    assert programs.missing(["x"], {}).startswith(
        "x is not in build/infer310/release, nor on PATH; run `make infer310`"
    )
    assert programs.missing(["x", "y"], {programs.FOLDER: "/opt"}).startswith("x, y are not in /opt; run")
