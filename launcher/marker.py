"""The marker `_SUCCESS.json`: the proof that a stage is complete. Written last, by rename, from what is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from launcher.errors import LauncherError
from launcher.plan import Stage
from runfolder import atomic, layout

SCHEMA = 1


class MarkerError(LauncherError):
    """The stage's folder does not hold what a complete stage has: its reason is `NoMarker`."""


@dataclass(frozen=True)
class MarkedFile:
    path: str
    """Relative to the stage's folder, with forward slashes."""
    size: int
    sha256: str


@dataclass(frozen=True)
class Marker:
    stage: str
    plan_hash: str
    attempt: int
    files: tuple[MarkedFile, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    image: str = ""
    """Digest of the container image; empty for a plain process."""


def make_marker(folder: Path, stage: Stage, plan_hash: str, attempt: int, *, image: str = "") -> Marker:
    """Reads `result.json` and hashes the files that it names and those that the plan asks for.

    Raises MarkerError where the result or an artifact is missing, empty or outside the folder.
    """
    result = _result(folder, stage.name)
    paths = set(result.get("files", ()))
    for pattern in stage.artifacts:
        found = {path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()}
        if not found:
            raise MarkerError(f"{stage.name} ended without {pattern} in {folder}")
        paths |= found
    files = tuple(_mark(folder, path) for path in sorted(paths))
    return Marker(stage.name, plan_hash, attempt, files, result.get("metrics", {}), image)


def write_marker(folder: Path, marker: Marker) -> None:
    atomic.write_json(folder / layout.SUCCESS, {"schema": SCHEMA, **asdict(marker)})


def read_marker(folder: Path) -> Marker | None:
    """None where there is none, or where it is not one (torn, foreign, of another schema)."""
    try:
        value = json.loads((folder / layout.SUCCESS).read_bytes())
        if value["schema"] != SCHEMA:
            return None
        files = tuple(MarkedFile(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in value["files"])
        return Marker(
            stage=str(value["stage"]),
            plan_hash=str(value["plan_hash"]),
            attempt=int(value["attempt"]),
            files=files,
            metrics=dict(value["metrics"]),
            image=str(value.get("image", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def marker_fault(folder: Path, stage: Stage, plan_hash: str, *, deep: bool = False) -> str | None:
    """Why the stage is not complete; None where its marker is valid. `deep` compares contents, else sizes only."""
    if not (folder / layout.SUCCESS).exists():
        return f"{stage.name} has no {layout.SUCCESS}"
    marker = read_marker(folder)
    if marker is None:
        return f"{folder / layout.SUCCESS} cannot be read"
    if marker.stage != stage.name or marker.plan_hash != plan_hash:
        return f"{folder / layout.SUCCESS} belongs to another stage or plan"
    for pattern in stage.artifacts:
        if not any(PurePosixPath(file.path).match(pattern) for file in marker.files):
            return f"{folder / layout.SUCCESS} names no {pattern}"
    return next(filter(None, (_file_fault(folder, file, deep=deep) for file in marker.files)), None)


def is_complete(folder: Path, stage: Stage, plan_hash: str) -> bool:
    return marker_fault(folder, stage, plan_hash) is None


def _result(folder: Path, stage: str) -> Mapping[str, Any]:
    path = folder / layout.RESULT
    try:
        result = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except FileNotFoundError:
        raise MarkerError(f"{stage} ended without {path}") from None
    except (OSError, ValueError) as error:
        raise MarkerError(f"{path} cannot be read: {error}") from None
    if not isinstance(result, dict) or result.get("schema") != SCHEMA or result.get("stage") != stage:
        raise MarkerError(f"{path} is not a result of schema {SCHEMA} of {stage}")
    if not isinstance(result.get("metrics", {}), dict) or not _are_names(result.get("files", ())):
        raise MarkerError(f"{path} must hold a mapping 'metrics' and a list of paths 'files'")
    return result


def _refuse_constant(word: str) -> None:
    """JSON has no NaN and no Infinity; other readers of the marker would stop at one."""
    raise ValueError(f"{word} is not a number")


def _are_names(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str) and all(isinstance(name, str) for name in value)


def _mark(folder: Path, name: str) -> MarkedFile:
    if not _inside(name):
        raise MarkerError(f"'{name}' is not a path inside {folder}")
    path = folder / name
    try:
        size = path.stat().st_size
        if size == 0:
            raise MarkerError(f"{path} is empty")
        return MarkedFile(name, size, _sha256(path))
    except OSError as error:
        raise MarkerError(f"{path} cannot be read: {error.strerror}") from None


def _file_fault(folder: Path, file: MarkedFile, *, deep: bool) -> str | None:
    path = folder / file.path
    if not _inside(file.path):
        return f"'{file.path}' is not a path inside {folder}"
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"{path} has {size} bytes, its marker says {file.size}"
        if deep and _sha256(path) != file.sha256:
            return f"{path} is not the file that its marker was made from (sha256)"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
