"""The list of checkpoints, as people write it, and the folder of each one's result."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from launcher.errors import UsageError

FOLDER = "batch"
"""Under the storage, beside the runs."""
LIST = "checkpoints.txt"
"""Key of the list in its ConfigMap, and so its file in the pods."""

_MAX_STEM = 80


def read_list(text: str) -> tuple[str, ...]:
    """One checkpoint a line; empty lines and those that begin with `#` do not count."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def load_list(file: Path) -> tuple[str, ...]:
    """Raises UsageError where it cannot be read or is empty."""
    try:
        lines = read_list(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot read the list of checkpoints: {error}") from None
    if not lines:
        raise UsageError(f"{file}: names no checkpoint; give one a line")
    return lines


def batch_folder(storage: Path, name: str) -> Path:
    return storage / FOLDER / name


def judged_folder(batch: Path, index: int, checkpoint: str) -> Path:
    """A run folder with the one stage `evaluate`, named `3-0-5_210` for index 3 and `…/0-5_210.ckpt`."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(checkpoint).stem)[:_MAX_STEM]
    return batch / f"{index}-{stem}"
