"""The worked examples of `rank_tables/` are what the commands of its README print, and in order by all rules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.rank_tables.validate import load, validate

FOLDER = Path(__file__).parents[1] / "rank_tables"
COMMANDS = re.findall(r"^\$ (launcher .*) > (examples/\S+\.json)$", (FOLDER / "README.md").read_text(), re.MULTILINE)
EXAMPLES = sorted((FOLDER / "examples").iterdir())


def test_each_example_has_a_command() -> None:
    assert sorted(name for _, name in COMMANDS) == [str(path.relative_to(FOLDER)) for path in EXAMPLES]


def test_the_commands_make_the_examples(tmp_path: Path) -> None:
    for name in ("inputs", "templates"):
        shutil.copytree(FOLDER / name, tmp_path / name)
    (tmp_path / "examples").mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(FOLDER.parent), "HOME": str(tmp_path)}
    for command, name in COMMANDS:
        subprocess.run(["bash", "-c", f"{command} > {name}"], cwd=tmp_path, env=environment, check=True)
        assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), command


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_in_order(path: Path) -> None:
    report = validate(load(path.read_bytes(), path.name), name=path.name)
    assert report.errors == ()
    assert len(report.warnings) == (path.stem in ("one-device", "two-pods"))
