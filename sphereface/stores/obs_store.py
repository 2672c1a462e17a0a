"""Huawei Cloud's object storage by ModelArts' own library, moxing, which its images bring and no registry has.

Of moxing only what its documentation shows is used: `file.list_directory`, `stat`, `copy`, `rename`, `exists`. Not run
against the real service here; the tests have a stand-in for the module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sphereface.errors import TransferError, UnsupportedError
from sphereface.stores import Entry


def open_folder(url: str) -> ObsStore:
    """Raises UnsupportedError where moxing is not installed."""
    try:
        import moxing
    except ImportError:
        raise UnsupportedError(
            f"{url}: needs moxing, the library of ModelArts' own images; elsewhere use s3:// (with OBS's endpoint in "
            "AWS_ENDPOINT_URL_S3) or file://"
        ) from None
    return ObsStore(url, moxing.file)


class ObsStore:
    def __init__(self, url: str, files: Any) -> None:
        """`files` is `moxing.file`."""
        self.url = url
        self._files = files

    def list(self) -> Iterator[Entry]:
        with _told(self.url):
            if not self._files.exists(self.url):
                raise TransferError(f"{self.url}: no such folder")
            for name in self._files.list_directory(self.url, recursive=True):
                state = self._files.stat(f"{self.url}/{name}")
                if not state.is_directory:
                    yield Entry(name, state.length, str(state.mtime_nsec))

    def download(self, name: str, target: Path) -> None:
        url = f"{self.url}/{name}"
        with _told(url):
            self._files.copy(url, str(target))

    def holds(self, source: Path, name: str) -> bool:  # noqa: ARG002 - moxing tells sizes, and no checksums
        return False

    def upload(self, source: Path, name: str) -> None:
        """By another name first: whether a copy that is cut leaves a half behind depends on the kind of bucket."""
        size = source.stat().st_size
        url = f"{self.url}/{name}"
        folder, _, last = url.rpartition("/")
        partial = f"{folder}/.{last}.partial"
        with _told(url):
            self._files.copy(str(source), partial)
            sent = self._files.stat(partial).length
            if sent != size:
                raise TransferError(f"{url}: {sent} of {size} bytes arrived")
            self._files.rename(partial, url)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """moxing raises whatever its transport does."""
    try:
        yield
    except TransferError:
        raise
    except Exception as error:
        lines = str(error).splitlines() or [""]
        raise TransferError(f"{url}: {type(error).__name__}: {lines[0]}") from None
