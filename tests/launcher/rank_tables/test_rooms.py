"""The package is pure: data in, data out, with the standard library and the strict reader of YAML alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "launcher" / "rank_tables"
OURS = {"launcher.ascend", "launcher.errors", "launcher.rank_tables", "runfolder.strict_yaml", "runfolder"}
OUTSIDE = {"os", "pathlib", "subprocess", "socket", "time", "random", "io", "shutil", "tempfile"}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_touches_nothing_of_the_world(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in ("open", "print", "input")]
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.split(".")[0] in ("launcher", "runfolder"):
                assert name in OURS or name.startswith("launcher.rank_tables.") or name == "launcher", name
            else:
                assert name.split(".")[0] in sys.stdlib_module_names - OUTSIDE, name
