"""A stand-in for `moxing.file`, which no registry has: what its documentation shows, on a folder of this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass
class FakeStat:
    length: int
    mtime_nsec: int
    is_directory: bool


class FakeMoxingFiles:
    """`obs://bucket/name` is `root/bucket/name`; `cut` makes the next copy to it end after so many bytes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cut: int | None = None
        self.calls: list[str] = []

    def _path(self, url: str) -> Path:
        return self.root / url.removeprefix("obs://") if url.startswith("obs://") else Path(url)

    def exists(self, url: str) -> bool:
        return self._path(url).exists()

    def list_directory(self, url: str, recursive: bool = False) -> list[str]:
        paths = self._path(url).rglob("*") if recursive else self._path(url).glob("*")
        return [path.relative_to(self._path(url)).as_posix() for path in paths]

    def stat(self, url: str) -> FakeStat:
        state = self._path(url).stat()
        return FakeStat(state.st_size, state.st_mtime_ns, self._path(url).is_dir())

    def copy(self, source: str, target: str) -> None:
        self.calls.append(f"copy {target}")
        self._path(target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._path(source), self._path(target))
        if self.cut is not None:
            with self._path(target).open("r+b") as file:
                file.truncate(self.cut)
            self.cut = None
            raise ConnectionResetError("the connection was cut\nand more")

    def rename(self, source: str, target: str) -> None:
        self.calls.append(f"rename {source}")
        self._path(source).replace(self._path(target))
