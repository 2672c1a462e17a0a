"""How far training is, from the end of `metrics.jsonl` and the ranks' heartbeats. Reads only the end of the file."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from launcher.status import Progress
from runfolder import layout

TAIL_BYTES = 1 << 14
ALIVE_S = 10.0
"""A rank whose heartbeat is younger counts as alive; it writes one about every second."""

_INTERVALS = 5  # log intervals whose median speed the rest of the run is judged by


@dataclass(frozen=True)
class Heartbeat:
    rank: int
    time: float
    phase: str
    epoch: int
    step: int
    steps: int
    pid: int


def read(stage: Path, status: Path, *, ranks: int, now: float) -> Progress | None:
    """Progress of the training stage in folder `stage`, whose ranks keep their heartbeats in `status`.

    None while neither says anything yet.
    """
    lines = metrics_tail(stage / layout.METRICS)
    beats = [beat for rank in range(ranks) if (beat := read_heartbeat(status, rank)) is not None]
    newest = max(beats, key=lambda beat: (beat.step, beat.time), default=None)
    last = lines[-1] if lines else {}
    step = max(_integer(last, "step"), newest.step if newest else 0)
    steps = max(_integer(last, "steps"), newest.steps if newest else 0)
    if steps <= 0:
        return None
    pace = seconds_per_step(lines, newest)
    return Progress(
        epoch=max(_integer(last, "epoch"), newest.epoch if newest else 0, 1),
        epochs=_integer(last, "epochs"),
        step=step,
        steps=steps,
        loss=_number(last, "loss"),
        images_per_s=_number(last, "images_per_s"),
        eta_s=None if pace is None else max(0, steps - step) * pace,
        ranks_alive=sum(now - beat.time <= ALIVE_S for beat in beats),
        ranks=ranks,
    )


def metrics_tail(path: Path) -> list[dict[str, Any]]:
    """The last whole lines, oldest first; a torn or foreign line is passed over, a missing file is empty."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            start = stream.seek(max(0, size - TAIL_BYTES))
            raw = stream.read()
    except OSError:
        return []
    lines = raw.split(b"\n")[1 if start else 0 :]
    values = (_parse(line) for line in lines)
    return [value for value in values if value is not None]


def read_heartbeat(status: Path, rank: int) -> Heartbeat | None:
    """None where there is none or it cannot be read."""
    try:
        value = json.loads(layout.heartbeat_file(status, rank).read_bytes())
        return Heartbeat(
            rank=rank,
            time=float(value["time"]),
            phase=str(value["phase"]),
            epoch=int(value["epoch"]),
            step=int(value["step"]),
            steps=int(value["steps"]),
            pid=int(value["pid"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def seconds_per_step(lines: list[dict[str, Any]], newest: Heartbeat | None) -> float | None:
    """Median over the last log intervals, so that the gap before a resume or a slow checkpoint does not count."""
    points = [(_number(line, "time"), _integer(line, "step")) for line in lines[-_INTERVALS - 1 :]]
    if newest is not None:
        points.append((newest.time, newest.step))
    known = [(time, step) for time, step in points if time is not None]
    paces = [(t1 - t0) / (s1 - s0) for (t0, s0), (t1, s1) in pairwise(known) if s1 > s0 and t1 > t0]
    return statistics.median(paces) if paces else None


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _integer(values: Mapping[str, Any], key: str) -> int:
    number = _number(values, key)
    return 0 if number is None else int(number)


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
