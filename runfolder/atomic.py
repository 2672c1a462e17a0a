"""Writing files so that a reader, or a kill at any moment, sees the old content or the new and nothing between.

Temporary file in the same folder, fsync, rename, fsync of the folder. Errors of the operating system (disk full,
folder not writable) are left to the caller, with the file's name in them, and the temporary file is removed.
"""

from __future__ import annotations

import glob
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`; what the caller wrote there becomes `path` at the end.

    For writers that need a file name (`mindspore.save_checkpoint`, `numpy.savez`). The temporary name keeps the
    suffix, because some writers choose the format by it or append one. Without `durable` there is no fsync: a kill
    loses nothing all the same, but a power cut may leave an empty file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        if durable:
            _fsync(temporary, os.O_RDONLY)
        temporary.replace(path)
        if durable:
            _fsync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        error.filename = error.filename or str(path)  # a failed write() names no file; whoever tells of it needs one
        raise
    finally:
        temporary.unlink(missing_ok=True)


def leftovers(path: Path) -> list[Path]:
    """The temporary files of writers of `path`: one at work, or killed."""
    return sorted(path.parent.glob(f".{glob.escape(path.stem)}.????????{glob.escape(path.suffix)}"))


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def create_json(path: Path, value: Mapping[str, Any]) -> bool:
    """Writes `path` whole if it is not there yet; of several who do so at once, one gets True."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as scratch:
        draft = Path(scratch) / path.name
        write_json(draft, value)
        try:
            os.link(draft, path)  # unlike a rename, a link never replaces
        except FileExistsError:
            return False
    _fsync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    return True


def append_line(path: Path, line: str) -> None:
    """Appends one whole line with a single write, so that lines of several processes never mix.

    A line cut short by an earlier kill is ended first.
    """
    append_lines(path, [line])


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """As `append_line`, several at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = ("\n" if torn else "").encode() + "".join(f"{line}\n" for line in lines).encode()
        while data:  # a storage that runs full takes a part first
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSON-lines file; a torn or foreign line is passed over, a missing file is empty."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
