"""Writes the tables of keys in `docs/kubernetes.md` and `docs/profiles.md` from the fields of `KubernetesSpec` and
`Profile`, and what is said of each.

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

from launcher.profiles import Profile
from launcher.spec import KubernetesSpec
from runfolder import atomic

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES: Mapping[Path, type] = {DOCS / "kubernetes.md": KubernetesSpec, DOCS / "profiles.md": Profile}
NO_KEYS = ("name",)
"""Fields that no file gives."""

_TABLE = re.compile(r"(?<=<!-- keys -->\n).*(?=<!-- end of keys -->)", re.DOTALL)


def text(page: str, kind: type) -> str:
    """The page with the table of `kind`'s fields as it should be."""
    said = meanings(kind)
    rows = [
        f"| `{field.name}` | {default(field)} | {said[field.name]} |"
        for field in dataclasses.fields(kind)
        if field.name not in NO_KEYS
    ]
    table = "\n".join(("| key | default | what it is |", "|---|---|---|", *rows, ""))
    return _TABLE.sub(lambda _: table, page)


def default(field: dataclasses.Field[object]) -> str:
    if field.default in ("", (), dataclasses.MISSING):
        return ""
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def meanings(kind: type) -> Mapping[str, str]:
    """By key: the string that stands below its field. Raises KeyError in `text` for a field without one."""
    (made,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    said: dict[str, str] = {}
    name = ""
    for node in made.body if isinstance(made, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said[name] = " ".join(str(node.value.value).split())
    return said


if __name__ == "__main__":
    for target, fields_of in PAGES.items():
        atomic.write_text(target, text(target.read_text(encoding="utf-8"), fields_of))
