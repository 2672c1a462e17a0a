"""What is observed of a run: the data behind `launcher status`, `list` and `wait`, and its form as JSON.

That form is what `-o json` prints and, on a cluster, what the runner publishes: additions only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from launcher.states import State


@dataclass(frozen=True)
class Progress:
    """How far training is, from `metrics.jsonl` and the heartbeats."""

    epoch: int
    """1-based epoch that is being trained."""
    epochs: int
    step: int
    """Steps done in all epochs."""
    steps: int
    """Steps of the whole run."""
    loss: float | None
    images_per_s: float | None
    eta_s: float | None
    ranks_alive: int
    ranks: int


@dataclass(frozen=True)
class StageStatus:
    name: str
    state: State
    reason: str = ""
    message: str = ""
    attempts: int = 0
    started: float | None = None
    """Seconds since 1970, as all times here."""
    ended: float | None = None
    exit_code: int | None = None
    node: str = ""
    progress: Progress | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """From the stage's marker, as `{"lfw_accuracy": 0.97}`."""


@dataclass(frozen=True)
class RunStatus:
    run: str
    state: State
    reason: str
    message: str
    backend: str
    device: str
    devices: int
    created: float
    ended: float | None
    folder: str
    plan_hash: str
    stages: tuple[StageStatus, ...]
    nodes: int = 1
    """Pods in which it trains, each with `devices`."""
    namespace: str = ""
    """Where on a cluster it was seen; empty for a run of this machine."""


SCHEMA = 1
_MAX_MESSAGE = 300
_LISTED_METRICS = ("accuracy", "line")


def to_json(status: RunStatus) -> dict[str, Any]:
    """Times as RFC 3339 in UTC; NaN and infinity (a diverged loss), which JSON cannot carry, as null."""
    return {
        "schema": SCHEMA,
        **vars(status),
        "state": status.state.value,
        "created": rfc3339(status.created),
        "ended": rfc3339(status.ended),
        "stages": [_stage_to_json(stage) for stage in status.stages],
    }


def from_json(value: Mapping[str, Any]) -> RunStatus:
    """Keys that it does not know are passed over. Raises ValueError for what is no status, or of another schema."""
    try:
        if value["schema"] != SCHEMA:
            raise ValueError(f"schema {value['schema']}; this launcher reads schema {SCHEMA}")
        known = _known(RunStatus, value)
        created, ended = _seconds(value["created"]), _seconds(value["ended"])
        stages = tuple(_stage_from_json(stage) for stage in value["stages"])
        changed = {"state": State(value["state"]), "created": created or 0.0, "ended": ended, "stages": stages}
        return RunStatus(**{**known, **changed})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a run's status: {type(error).__name__}: {error}") from None


def summary(status: RunStatus) -> str:
    """JSON on one line that `from_json` reads too, with what a list of runs shows: long messages are cut."""
    value = to_json(status)
    for part in (value, *value["stages"]):
        part["message"] = part["message"][:_MAX_MESSAGE]
    for stage in value["stages"]:
        stage["metrics"] = {key: stage["metrics"][key] for key in _LISTED_METRICS if key in stage["metrics"]}
    return json.dumps(value, separators=(",", ":"))


def rfc3339(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()


def _stage_to_json(stage: StageStatus) -> dict[str, Any]:
    return {
        **vars(stage),
        "state": stage.state.value,
        "started": rfc3339(stage.started),
        "ended": rfc3339(stage.ended),
        "progress": {key: _finite(value) for key, value in vars(stage.progress).items()} if stage.progress else None,
        "metrics": {key: _finite(value) for key, value in stage.metrics.items()},
    }


def _stage_from_json(value: Mapping[str, Any]) -> StageStatus:
    changed = {
        "state": State(value["state"]),
        "started": _seconds(value["started"]),
        "ended": _seconds(value["ended"]),
        "progress": Progress(**_known(Progress, value["progress"])) if value["progress"] else None,
    }
    return StageStatus(**{**_known(StageStatus, value), **changed})


def _known(kind: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    names = {part.name for part in fields(kind)}
    return {key: item for key, item in value.items() if key in names}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
