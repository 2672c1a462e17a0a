"""Logs to look for failures in: files, folders of them, a stream, or lines that are not in files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from launcher.errors import LauncherError, NotFound
from launcher.failures.recognise import Log
from launcher.failures.table import Failure
from runfolder import layout

STDIN = "-"
NAMES = re.compile(r".+\.(log|txt|out|err)(\.\d+)?")
"""Files of a folder that are logs: those of our runs and of CANN (`plog-PID_TIME.log`), and rotated ones."""
_COPY = layout.attempt_log(Path(), 0).name.partition("0")[0]
_BLOCK = 1 << 20


def read(paths: Sequence[str], stdin: BinaryIO, failures: Sequence[Failure]) -> Iterator[Log]:
    """Each log, read to its end. Raises NotFound for a path that is not there, and for a folder without logs."""
    for path in dict.fromkeys(paths):
        if path == STDIN:
            yield _read(stdin, "stdin", failures)
        else:
            yield from read_files(files(Path(path)), failures)


def read_files(paths: Iterable[Path], failures: Sequence[Failure]) -> Iterator[Log]:
    for path in paths:
        yield _file(path, failures)


def files(path: Path) -> list[Path]:
    """The file itself, or the logs of a folder and of all folders in it: those of ranks before copies of them."""
    if not path.is_dir():
        return [path]
    found = [Path(folder, name) for folder, _, names in os.walk(path) for name in names if NAMES.fullmatch(name)]
    if not found:
        raise NotFound(f"{path}: no logs in this folder (*.log, *.txt, *.out, *.err); name the files themselves")
    return sorted(found, key=_order)


def of_run(folder: Path) -> list[Path]:
    """Logs of all stages of a run, but for the copies that hold the lines of its ranks once more."""
    found = folder.glob(f"*/{layout.LOGS}/*.log")
    return sorted((path for path in found if not path.name.startswith(_COPY)), key=_order)


def read_lines(lines: Iterable[tuple[str, str]], failures: Sequence[Failure]) -> list[Log]:
    """The same of lines, each with the name of the log that it is a line of; logs may come mixed."""
    logs: dict[str, Log] = {}
    for name, text in lines:
        if name not in logs:
            logs[name] = Log(name, failures)
        logs[name].feed_line(text)
    return [log.close() for log in logs.values()]


def _file(path: Path, failures: Sequence[Failure]) -> Log:
    try:
        with path.open("rb") as stream:
            return _read(stream, str(path), failures)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file or folder") from None
    except OSError as error:
        raise LauncherError(f"{path}: cannot read this log: {error.strerror}") from None


def _read(stream: BinaryIO, name: str, failures: Sequence[Failure]) -> Log:
    log = Log(name, failures)
    while block := stream.read(_BLOCK):
        log.feed(block)
    return log.close()


def _order(path: Path) -> tuple[str, bool, tuple[tuple[int, str], ...]]:
    """By folder; in it `rank_2` before `rank_10`, and last the copies that an attempt keeps of all ranks."""
    parts = re.split(r"(\d+)", path.name)
    return (
        str(path.parent),
        path.name.startswith(_COPY),
        tuple((len(part) if part.isdecimal() else 0, part) for part in parts),
    )
