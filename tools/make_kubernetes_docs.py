"""Writes the table of keys in `docs/kubernetes.md` from the fields of `KubernetesSpec` and what is said of each.

Run this after a change of a key; a test compares the file with what would be written.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from launcher.spec import KubernetesSpec
from runfolder import atomic

TARGET = Path(__file__).resolve().parent.parent / "docs" / "kubernetes.md"

_TABLE = re.compile(r"(?<=<!-- keys -->\n).*(?=<!-- end of keys -->)", re.DOTALL)


def text(page: str) -> str:
    """The page with the table as it should be."""
    said = meanings()
    rows = [
        f"| `{field.name}` | {default(field)} | {said[field.name]} |" for field in dataclasses.fields(KubernetesSpec)
    ]
    table = "\n".join(("| key | default | what it is |", "|---|---|---|", *rows, ""))
    return _TABLE.sub(lambda _: table, page)


def default(field: dataclasses.Field[object]) -> str:
    if field.default in ("", (), dataclasses.MISSING):
        return ""
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def meanings() -> Mapping[str, str]:
    """By key: the string that stands below its field. Raises KeyError in `text` for a field without one."""
    (kind,) = ast.parse(textwrap.dedent(inspect.getsource(KubernetesSpec))).body
    said: dict[str, str] = {}
    name = ""
    for node in kind.body if isinstance(kind, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said[name] = " ".join(str(node.value.value).split())
    return said


if __name__ == "__main__":
    atomic.write_text(TARGET, text(TARGET.read_text(encoding="utf-8")))
