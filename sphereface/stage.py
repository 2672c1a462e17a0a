"""What the stages after training share: where they write, what they work on, how they end."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from runfolder import atomic, layout
from sphereface import checkpoint
from sphereface.config import Config
from sphereface.errors import ConfigError

SCHEMA = 1


@dataclass(frozen=True)
class Source:
    """The checkpoint that is judged or exported, and the SHA-256 of its file."""

    path: Path
    sha256: str

    def as_json(self) -> dict[str, str]:
        return {"checkpoint": self.path.name, "checkpoint_sha256": self.sha256}


def find_source(config: Config) -> Source:
    """What `ckpt_files` names; of a folder its newest. Raises ConfigError if it is not set, CheckpointError if bad."""
    if not config.ckpt_files:
        raise ConfigError("ckpt_files is not set; name a checkpoint, or the folder that holds them")
    path = checkpoint.newest(Path(config.ckpt_files))
    with path.open("rb") as file:
        return Source(path, hashlib.file_digest(file, "sha256").hexdigest())


def open_output(config: Config, files: Sequence[str]) -> Path:
    """The output folder, made if need be, without the result of an earlier run and without the half-written `files`
    of a killed one. Raises ConfigError where it is not a folder, OSError where nothing can be written.
    """
    folder = Path(config.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"output {folder}: is not a folder; name another") from None
    (folder / layout.RESULT).unlink(missing_ok=True)
    for name in files:
        for left in atomic.leftovers(folder / name):
            left.unlink(missing_ok=True)
    return folder


def write_result(folder: Path, stage: str, metrics: Mapping[str, Any], files: Sequence[str]) -> None:
    """`result.json`, the last thing a finished stage writes; `files` are relative to `folder`."""
    value = {"schema": SCHEMA, "stage": stage, "metrics": dict(metrics), "files": list(files)}
    atomic.write_json(folder / layout.RESULT, value)


def end_on_sigterm() -> None:
    """SIGTERM ends the process at once, but in order (exit 143): whatever was half-written is taken away."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
