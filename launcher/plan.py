"""RunSpec -> Plan: the stages with their argv, environment and artifacts. Pure.

The plan is what is sent and kept (`plan.json`); two plans with one hash are the same run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launcher.spec import RunSpec, StagePolicy

SCHEMA = 1


@dataclass(frozen=True)
class Stage:
    """One step of a run. All paths in `argv` are as the stage itself sees them."""

    name: str
    argv: tuple[str, ...]
    """Begins with "python": the interpreter of whoever starts the stage."""
    processes: int
    """1 = started as it is; more = started by `msrun`, one process a device."""
    env: Mapping[str, str]
    needs: tuple[str, ...]
    """Stages whose valid marker this one waits for."""
    artifacts: tuple[str, ...]
    """Glob patterns inside the stage's folder; each must match a file before the marker is written."""
    policy: StagePolicy


@dataclass(frozen=True)
class Plan:
    run: str
    device: str
    devices: int
    folder: str
    """The run folder (absolute), as the stages see it."""
    stages: tuple[Stage, ...]
    spec: Mapping[str, Any]
    """The spec that it was made from, flat by dotted key: what differs is named by these keys."""
    hash: str
    """sha256 (hex) of the canonical JSON of all the rest."""

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)


def make_plan(spec: RunSpec) -> Plan:
    raise NotImplementedError


def to_json(plan: Plan) -> dict[str, Any]:
    raise NotImplementedError


def from_json(value: Mapping[str, Any]) -> Plan:
    raise NotImplementedError


def differing_keys(ours: Plan, theirs: Plan) -> tuple[str, ...]:
    """Dotted spec keys whose values differ, sorted."""
    raise NotImplementedError
