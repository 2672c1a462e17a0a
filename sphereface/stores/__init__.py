"""Where data comes from and results go, by URL: `file:///folder`, `s3://bucket/folder`, `obs://bucket/folder`.

A `Store` is one folder of such a place. `/bucket/folder`, as ModelArts' web page writes it, is `obs://bucket/folder`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sphereface.errors import ConfigError


@dataclass(frozen=True, order=True)
class Entry:
    """A file of a store."""

    name: str
    """Below the store's folder, its parts joined by "/"; as it came, so not to be trusted as a path."""
    size: int
    """Bytes."""
    version: str
    """Another one means that the content may have changed."""


class Store(Protocol):
    """All of them raise TransferError where the place cannot be reached, refuses, or lacks the file."""

    url: str

    def list(self) -> Iterator[Entry]:
        """Every file in the folder and below, in no order."""

    def download(self, name: str, target: Path) -> None:
        """Writes `target`, whose folder exists; a half of it may be left behind."""

    def holds(self, source: Path, name: str) -> bool:
        """Whether these bytes surely are there under this name; False where that cannot be told cheaply."""

    def upload(self, source: Path, name: str) -> None:
        """Puts the file there whole or not at all, replacing another; goes on where an earlier one was cut."""


def open_store(url: str) -> Store:
    """The folder that a URL names. Raises ConfigError for another kind of URL, UnsupportedError without its library."""
    scheme, mark, place = url.partition("://")
    if not mark and url.startswith("/"):
        scheme, place = "obs", url.lstrip("/")
    place = place if scheme == "file" else place.strip("/")
    if scheme == "file" and place.startswith("/"):
        from sphereface.stores.file_store import FileStore

        return FileStore(Path(place))
    bucket, _, folder = place.partition("/")
    if scheme == "s3" and bucket:
        from sphereface.stores import s3_store

        return s3_store.open_bucket(bucket, folder)
    if scheme == "obs" and bucket:
        from sphereface.stores import obs_store

        return obs_store.open_folder(f"obs://{place}")
    raise ConfigError(f"{url}: not a place; give file:///folder, s3://bucket/folder or obs://bucket/folder")
