"""A run that goes on with other devices than it began with: its plan, but for how many ranks train. Pure.

The plan that was submitted stays, with its hash: it is the same run. What a step computes stays too, unless it is asked
for: fewer ranks take more micro-batches each (`accumulate_steps` of sphereface).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from launcher.errors import SpecError, UsageError
from launcher.plan import Plan, Stage
from launcher.profiles import wrong_count
from launcher.spec import DEVICE_COUNTS
from runfolder import layout

ACCUMULATE, ELASTIC, DISTRIBUTED = "--accumulate_steps", "--elastic_batch", "--is_distributed"
MAX_MICRO = 64
"""Micro-batches of a step on one rank that sphereface takes."""


@dataclass(frozen=True)
class Resize:
    """What a person asks for when a run goes on."""

    devices: int
    """Of each pod, in place of the plan's."""
    nodes: int | None = None
    """Pods, in place of the plan's; None: as many."""
    scale: bool = False
    """The global batch changes with the ranks, and the learning rate with it; else both stay."""


def to_json(resize: Resize) -> dict[str, Any]:
    return asdict(resize)


def from_json(value: Mapping[str, Any] | None) -> Resize | None:
    """Raises ValueError for what is none."""
    if value is None:
        return None
    try:
        return Resize(int(value["devices"]), value.get("nodes"), bool(value.get("scale", False)))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a change of devices: {error!r}") from None


def resized(plan: Plan, resize: Resize | None) -> Plan:
    """The plan with other ranks; its hash stays. Raises SpecError, one line, for what cannot be."""
    if resize is None:
        return plan
    train = next((stage for stage in plan.stages if stage.name == layout.TRAIN), None)
    if train is None:
        raise SpecError(f"run '{plan.run}' has no stage train, and only that takes another number of devices")
    nodes = plan.nodes if resize.nodes is None else resize.nodes
    _check(plan, resize.devices, nodes)
    changed = _stage(plan, train, resize, nodes)
    stages = tuple(changed if stage is train else stage for stage in plan.stages)
    return replace(plan, stages=stages, devices=resize.devices, nodes=nodes)


def check_state(run: str, *, goes_on: bool, trained: bool) -> None:
    """Raises UsageError for a run that cannot take other devices now."""
    if trained:
        raise UsageError(
            f"train of run '{run}' is complete, and what comes after it takes one device; leave out --devices"
        )
    if goes_on:
        raise UsageError(
            f"run '{run}' goes on with the devices it has; `launcher cancel {run}` first, it keeps its work"
        )


def _check(plan: Plan, devices: int, nodes: int) -> None:
    if devices not in DEVICE_COUNTS:
        raise SpecError(f"devices must be one of {', '.join(map(str, DEVICE_COUNTS))}, not {devices}")
    if fault := wrong_count(plan.profile, devices):
        raise SpecError(f"devices is {devices}, but {fault}")
    if not 1 <= nodes <= plan.nodes:
        raise SpecError(f"nodes must be 1 to {plan.nodes}, with which run '{plan.run}' was submitted, not {nodes}")


def _stage(plan: Plan, train: Stage, resize: Resize, nodes: int) -> Stage:
    micro = int(_option(train.argv, ACCUMULATE) or 1)
    ranks = nodes * resize.devices
    options = {ACCUMULATE: str(micro), ELASTIC: "scale"}
    if not resize.scale:
        micro, rest = divmod(train.ranks * micro, ranks)
        if rest or not 1 <= micro <= MAX_MICRO:
            raise SpecError(
                f"run '{plan.run}' was submitted with {train.ranks} ranks, whose global batch {ranks} cannot keep by "
                f"up to {MAX_MICRO} micro-batches each; choose another number of devices, or --scale-batch"
            )
        options = {ACCUMULATE: str(micro), ELASTIC: _option(train.argv, ELASTIC) or "keep"}
    if ranks > 1:
        options[DISTRIBUTED] = "true"
    argv = _without(train.argv, {ACCUMULATE, ELASTIC, DISTRIBUTED})
    return replace(
        train,
        argv=(*argv, *(word for option in options.items() for word in option)),
        processes=resize.devices,
        nodes=nodes,
    )


def _option(argv: tuple[str, ...], name: str) -> str | None:
    """The value of an option that the plan has written as two words."""
    return argv[argv.index(name) + 1] if name in argv else None


def _without(argv: tuple[str, ...], options: set[str]) -> tuple[str, ...]:
    """Each of these options and its value left out."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        if word in options:
            next(words)
        else:
            kept.append(word)
    return tuple(kept)
