"""What is observed of a run: the data behind `launcher status`, `list`, `wait` and their `-o json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
