"""Unpacking archives that somebody else packed: nothing outside the folder, no links, within bounds.

Only plain files and folders are made, by names without `..`, so there is never a link that a later name could lead
through.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from sphereface.errors import DataError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_RATIO = 100
"""Bytes that an archive may become for each of its own; faces are compressed already, a bomb makes a thousand."""
SPARE = 64 << 20
"""Bytes that even the smallest archive may become."""
CHUNK = 1 << 20

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
)


@dataclass
class Budget:
    """How many bytes and files may still be written."""

    bytes: int
    files: int

    def take(self, what: str, *, bytes: int = 0, files: int = 0) -> None:  # noqa: A002
        """Raises DataError where `what` goes beyond."""
        self.bytes -= bytes
        self.files -= files
        if self.bytes < 0:
            raise DataError(f"{what}: too large: it does not fit into the room that is left for it")
        if self.files < 0:
            raise DataError(f"{what}: too many files")


@dataclass(frozen=True)
class _Member:
    name: str
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def safe_path(name: str, where: str) -> PurePosixPath:
    """A name from outside as a relative path. Raises DataError for one that leads out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise DataError(f"{where}: refused: it holds {name!r}, which is no plain name below its folder")
    return path


def unpack(archive: Path, folder: Path, budget: Budget) -> None:
    """Writes the archive's files below `folder`, taking them off `budget`.

    Raises DataError where it is damaged, encrypted, too large, or holds a link, a device or a name that leads out;
    files may have been written by then. OSError for the disk's own troubles.
    """
    own = Budget(archive.stat().st_size * MOST_RATIO + SPARE, budget.files)
    members = _zipped if archive.name.lower().endswith(".zip") else _tarred
    try:
        for member in members(archive):
            path = folder / safe_path(member.name, archive.name)
            budget.take(archive.name, files=1)
            if member.is_folder:
                path.mkdir(parents=True, exist_ok=True)
            elif member.is_file:
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(member, path, archive.name, budget, own)
            else:
                raise DataError(f"{archive.name}: refused: {member.name} is a link or a device; pack plain files")
    except _DAMAGED as error:
        raise DataError(f"{archive.name}: cannot be unpacked: {' '.join(str(error).split()) or 'damaged'}") from None
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise DataError(f"{archive.name}: refused: {error.filename} is a file and a folder in it") from None


def _write(member: _Member, path: Path, archive: str, budget: Budget, own: Budget) -> None:
    source = member.open()
    if source is None:
        raise DataError(f"{archive}: refused: {member.name} cannot be read")
    with source, path.open("wb") as file:
        while data := source.read(CHUNK):
            budget.take(archive, bytes=len(data))
            own.take(archive, bytes=len(data))
            file.write(data)


def _zipped(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = info.external_attr >> 28  # of Unix' mode; 0 where another system packed it
            plain = not info.is_dir() and kind in (0, 0o10)
            yield _Member(info.filename, info.is_dir(), plain, lambda info=info: opened.open(info))  # type: ignore[misc]


def _tarred(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            yield _Member(info.name, info.isdir(), info.isfile(), lambda info=info: opened.extractfile(info))  # type: ignore[misc]
