"""A folder of this machine, or of a storage that is mounted on it, as a store."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runfolder import atomic
from sphereface.errors import TransferError
from sphereface.stores import Entry


class FileStore:
    def __init__(self, folder: Path) -> None:
        self.url = f"file://{folder}"
        self._folder = folder

    def list(self) -> Iterator[Entry]:
        with _told(self._folder):
            if not self._folder.is_dir():
                raise TransferError(f"{self.url}: no such folder")
            for folder, _, names in os.walk(self._folder):
                for path in (Path(folder) / name for name in names):
                    if path.is_file():
                        state = path.stat()
                        yield Entry(path.relative_to(self._folder).as_posix(), state.st_size, str(state.st_mtime_ns))

    def download(self, name: str, target: Path) -> None:
        with _told(self._folder / name):
            shutil.copyfile(self._folder / name, target)

    def holds(self, source: Path, name: str) -> bool:
        with _told(self._folder / name):
            there = self._folder / name
            return there.is_file() and filecmp.cmp(source, there, shallow=False)

    def upload(self, source: Path, name: str) -> None:
        target = self._folder / name
        with source.open("rb") as file, _told(target):
            for left in atomic.leftovers(target):
                left.unlink(missing_ok=True)
            with atomic.replacing(target) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransferError(f"{path}: {error.strerror or error}") from None
