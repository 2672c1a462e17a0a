"""Prints what attempts of a run's stages printed, from the copies on the storage: what `launcher logs` runs in a pod.

    python -P -m launcher.read_log --folder RUN_FOLDER --plan-hash H --of train/1 --of train/2 --from 1200

Only whole lines are given, each as `train/1/1200 1764115200.250 text`: with its number in its file (from 0) and its
time, because only here its time stamp can be understood (it is local time). They are compressed, and framed by a first
and a last line, so that whoever reads this over a network knows that nothing is missing. A call gives at most MAX_BYTES
and then ends with `more`: what follows is to be asked for with a larger `--from`.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from launcher import record
from launcher.errors import Conflict, LauncherError
from launcher.processes import pod_output, rank_logs
from launcher.processes.rank_logs import LineTail
from runfolder import layout

MAX_BYTES = 16 << 20
"""Compressed, this is far less than the log of a container may hold before it is rotated (by default 10 MiB)."""
HEADER = "launcher.read_log 1"
END, MORE = "end", "more"
_WIDTH = 4096


class Record(NamedTuple):
    stage: str
    attempt: int
    number: int
    """Place of the line in its file, from 0."""
    when: float
    """Seconds since 1970, by the time stamp in it or else in the line before; 0 where no line before has one."""
    text: str
    """As it was printed, with the rank before it."""


@dataclass(frozen=True)
class Wanted:
    """Which lines of which attempts, in this order."""

    attempts: tuple[tuple[str, int], ...]
    start: int = 0
    """So many lines (of those that all the rest leaves) are left out; negative: all but so many last ones."""
    rank: int | None = None
    tail: int | None = None
    """Only so many last lines of each rank of each stage."""
    since_s: float | None = None
    """Only lines of the last so many seconds."""


class Incomplete(LauncherError):
    """What was printed is not all of it: its beginning or its end is missing."""


def read(folder: Path, wanted: Wanted, now: float) -> Iterator[Record]:
    """An attempt that printed nothing has no lines. The last line of a file is left out while it has no end."""
    records: Iterator[Record] = (
        each for stage, attempt in wanted.attempts for each in _attempt(folder, stage, attempt, wanted, now)
    )
    if wanted.tail is not None:
        records = iter(last_of_each(records, lambda each: (each.stage, pod_output.parse(each.text)[0]), wanted.tail))
    if wanted.start < 0:
        return iter(deque(records, maxlen=-wanted.start))
    return islice(records, wanted.start, None)


Item = TypeVar("Item")


def last_of_each(items: Iterable[Item], key: Callable[[Item], Hashable], count: int) -> list[Item]:
    """The last `count` items of each key, all of them in the order in which they came."""
    kept: dict[Hashable, deque[tuple[int, Item]]] = {}
    for place, item in enumerate(items):
        kept.setdefault(key(item), deque(maxlen=count)).append((place, item))
    return [item for _, item in sorted((pair for pairs in kept.values() for pair in pairs), key=lambda pair: pair[0])]


def arguments(folder: str, plan_hash: str, wanted: Wanted, max_bytes: int = MAX_BYTES) -> list[str]:
    """The command line of this program for `wanted`."""
    words = ["python", "-P", "-m", "launcher.read_log", "--folder", folder, "--plan-hash", plan_hash]
    for stage, attempt in wanted.attempts:
        words += ["--of", f"{stage}/{attempt}"]
    numbers = {"from": wanted.start or None, "rank": wanted.rank, "tail": wanted.tail, "since": wanted.since_s}
    numbers["max-bytes"] = max_bytes
    return words + [f"--{name}={number}" for name, number in numbers.items() if number is not None]


def encode(records: Iterable[Record], max_bytes: int) -> Iterator[str]:
    """The lines that are printed for them. At least one record is taken, however long it is."""
    data, last = bytearray(), END
    count = 0
    for each in records:
        line = f"{each.stage}/{each.attempt}/{each.number} {each.when:.3f} {each.text}\n".encode(errors="replace")
        if count and len(data) + len(line) > max_bytes:
            last = MORE
            break
        data += line
        count += 1
    yield HEADER
    text = base64.b64encode(zlib.compress(data)).decode()
    yield from (text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
    yield f"{last} {count}"


def decode(lines: Iterable[str]) -> tuple[list[Record], bool]:
    """The records of one call, and whether there are more. Raises Incomplete."""
    printed = list(lines)
    if printed[:1] != [HEADER]:
        raise Incomplete("the beginning of what the reader printed is missing")
    last, _, count = printed[-1].partition(" ")
    if last not in (END, MORE):
        raise Incomplete("the end of what the reader printed is missing")
    try:
        data = zlib.decompress(base64.b64decode("".join(printed[1:-1]), validate=True))
    except (ValueError, zlib.error):
        raise Incomplete("what the reader printed has a hole") from None
    records = [_record(line) for line in data.decode(errors="replace").split("\n")[:-1]]
    if count != str(len(records)):
        raise Incomplete(f"the reader gave {len(records)} lines instead of {count}")
    return records, last == MORE


def main(words: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(words)
    wanted = Wanted(tuple(given.of), given.start, given.rank, given.tail, given.since)
    try:
        if record.read_plan(given.folder).hash != given.plan_hash:
            raise Conflict(f"{given.folder} holds another run of this name")
        print("\n".join(encode(read(given.folder, wanted, time.time()), given.max_bytes)), flush=True)
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _attempt(folder: Path, stage: str, attempt: int, wanted: Wanted, now: float) -> Iterator[Record]:
    path = layout.attempt_log(layout.stage_folder(folder, stage), attempt)
    begin = None if wanted.since_s is None else now - wanted.since_s
    for number, (when, text) in enumerate(rank_logs.timed(LineTail(path).read())):
        if begin is not None and when < begin:
            continue
        if wanted.rank is None or pod_output.parse(text)[0] == wanted.rank:
            yield Record(stage, attempt, number, when, text)


def _record(line: str) -> Record:
    place, when, text = line.split(" ", 2)
    stage, attempt, number = place.split("/")
    return Record(stage, int(attempt), int(number), float(when), text)


def _of(text: str) -> tuple[str, int]:
    stage, _, attempt = text.partition("/")
    return stage, int(attempt)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m launcher.read_log", description="Prints logs of a run's stages.")
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--plan-hash", required=True, help="of the run that is meant")
    parser.add_argument("--of", type=_of, action="append", required=True, metavar="STAGE/ATTEMPT")
    parser.add_argument("--from", dest="start", type=int, default=0, metavar="N", help="leave out N lines; -N: last N")
    parser.add_argument("--rank", type=int)
    parser.add_argument("--tail", type=int, metavar="N", help="only the last N lines of each rank")
    parser.add_argument("--since", type=float, metavar="SECONDS")
    parser.add_argument(
        "--max-bytes", type=int, default=MAX_BYTES, metavar="N", help="of text in one call [%(default)s]"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
