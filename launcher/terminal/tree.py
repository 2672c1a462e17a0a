"""The files of a run with their sizes, drawn as a tree."""

from __future__ import annotations

from pathlib import Path

from runfolder import layout

_HIDDEN = frozenset({layout.STATUS, layout.ATTEMPTS, layout.SUPERVISOR_LOCK})
"""How a run was carried out; what came of it is what people look for."""
MOST = 50
"""Of a folder with more in it only the number is told: infer310 leaves two files a pair."""


def draw(folder: Path) -> str:
    """The tree under `folder`, folders first met in order of name; a file that vanishes meanwhile is left out."""
    lines = _lines(folder, "")
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join([str(folder), *(f"{name:<{width}}   {size}".rstrip() for name, size in lines)])


def size(count: int) -> str:
    """`912 B`, `1.5 KiB`, `47.9 MiB`."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def _lines(folder: Path, indent: str) -> list[tuple[str, str]]:
    entries = sorted(path for path in folder.iterdir() if path.name not in _HIDDEN and not path.name.startswith("."))
    lines = []
    for entry in entries:
        last = entry == entries[-1]
        name = f"{indent}{'└── ' if last else '├── '}{entry.name}"
        if entry.is_dir() and not entry.is_symlink():
            if (count := len(list(entry.iterdir()))) > MOST:
                lines.append((name, f"{count} files"))
                continue
            lines += [(name, ""), *_lines(entry, indent + ("    " if last else "│   "))]
            continue
        try:
            lines.append((name, size(entry.lstat().st_size)))
        except FileNotFoundError:
            continue
    return lines
