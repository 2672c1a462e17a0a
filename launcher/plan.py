"""RunSpec -> Plan: the stages with their argv, environment and artifacts. Pure.

The plan is what is sent and kept (`plan.json`); two plans with one hash are the same run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.errors import LauncherError, SpecError
from launcher.profiles import MPIRUN, Profile, load_profile, wrong_count
from launcher.spec import STAGES, KubernetesSpec, RunSpec, StagePolicy
from runfolder import layout

SCHEMA = 2

INHERITED = ("net", "image_size", "conv_bias")
"""Keys of `train` that say which network a checkpoint holds: the stages that read it take them over."""

FORMATS = {"MINDIR": ".mindir", "LITE": ".lite.mindir", "ONNX": ".onnx", "AIR": ".air"}
"""Export formats and the suffix of each one's file."""

_DEFAULT_FORMAT = "MINDIR"
_DEFAULT_FILE_NAME = "sphereface"


@dataclass(frozen=True)
class Stage:
    """One step of a run. All paths in `argv` are as the stage itself sees them."""

    name: str
    argv: tuple[str, ...]
    """Begins with "python": the interpreter of whoever starts the stage."""
    processes: int
    """Ranks of one pod. 1 = started as it is; more = one process a device, started as the profile says."""
    env: Mapping[str, str]
    needs: tuple[str, ...]
    """Stages whose valid marker this one waits for."""
    artifacts: tuple[str, ...]
    """Glob patterns inside the stage's folder; each must match a file before the marker is written."""
    policy: StagePolicy
    nodes: int = 1
    """Pods that work together."""

    @property
    def ranks(self) -> int:
        return self.nodes * self.processes


@dataclass(frozen=True)
class Plan:
    run: str
    profile: Profile
    """Of the device."""
    nodes: int
    """Pods in which it trains."""
    devices: int
    """Of one pod."""
    folder: str
    """The run folder (absolute), as the stages see it."""
    stages: tuple[Stage, ...]
    kubernetes: KubernetesSpec | None
    """None: for this machine."""
    spec: Mapping[str, Any]
    """The spec that it was made from, flat by dotted key: what differs is named by these keys."""
    hash: str
    """sha256 (hex) of the canonical JSON of all the rest."""

    @property
    def device(self) -> str:
        return self.profile.name

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)


def make_plan(spec: RunSpec) -> Plan:
    """Raises SpecError for what no stage could do (an export format, a device that does not train)."""
    profile = load_profile(spec.device)
    folder = layout.run_folder(Path(spec.storage), spec.name)
    stages = tuple(_stage(name, spec, profile, folder) for name in STAGES if name in spec.stages)
    plan = Plan(
        run=spec.name,
        profile=profile,
        nodes=spec.nodes,
        devices=spec.devices,
        folder=str(folder),
        stages=stages,
        kubernetes=spec.kubernetes,
        spec=flat(spec),
        hash="",
    )
    return sealed(plan)


def sealed(plan: Plan) -> Plan:
    """The plan with the hash that fits its content."""
    return dataclasses.replace(plan, hash=_hash(plan))


def flat(spec: RunSpec) -> dict[str, Any]:
    """Every value of the spec by its dotted key, `policy` with its defaults; only for the stages that run."""
    values: dict[str, Any] = {
        "name": spec.name,
        "device": spec.device,
        "nodes": spec.nodes,
        "devices": spec.devices,
        "storage": spec.storage,
        "stages": list(spec.stages),
    }
    for stage in spec.stages:
        values |= {f"{stage}.{key}": value for key, value in stage_values(spec, stage).items()}
    values |= {f"env.{key}": value for key, value in spec.env.items()}
    for stage in spec.stages:
        policy = dataclasses.asdict(spec.policy.get(stage, StagePolicy()))
        values |= {f"policy.{stage}.{key}": value for key, value in policy.items()}
    if spec.kubernetes is not None:
        values |= _flat_kubernetes(spec.kubernetes)
    return values


def _flat_kubernetes(kubernetes: KubernetesSpec) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in dataclasses.asdict(kubernetes).items():
        full = f"kubernetes.{key}"
        if key == "templates":
            values |= {f"{full}.{name}": f"sha256:{_sha256(text)}" for name, text in value.items()}
        elif isinstance(value, Mapping):
            values |= {f"{full}.{part}": text for part, text in value.items()}
        else:
            values[full] = list(value) if isinstance(value, tuple) else value
    return values


def stage_values(spec: RunSpec, stage: str) -> Mapping[str, Any]:
    return {"train": spec.train, "evaluate": spec.evaluate, "export": spec.export}[stage]


def to_json(plan: Plan) -> dict[str, Any]:
    return {"schema": SCHEMA, **_content(plan), "hash": plan.hash}


def from_json(value: Mapping[str, Any]) -> Plan:
    """Raises LauncherError for another schema, a missing part, or content that does not fit its hash."""
    schema = value.get("schema") if isinstance(value, Mapping) else None
    if schema != SCHEMA:
        raise LauncherError(f"plan has schema {schema!r}; this launcher reads schema {SCHEMA}")
    try:
        plan = Plan(
            run=value["run"],
            profile=_profile_from_json(value["profile"]),
            nodes=value["nodes"],
            devices=value["devices"],
            folder=value["folder"],
            stages=tuple(_stage_from_json(stage) for stage in value["stages"]),
            kubernetes=_kubernetes_from_json(value["kubernetes"]),
            spec=dict(value["spec"]),
            hash=value["hash"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LauncherError(f"plan is not complete: {type(error).__name__}: {error}") from None
    if _hash(plan) != plan.hash:
        raise LauncherError("plan was changed after it was made: its hash does not fit its content")
    return plan


def differing_keys(ours: Plan, theirs: Plan) -> tuple[str, ...]:
    """Dotted spec keys whose values differ, sorted. None: one spec, planned by another version of the launcher.

    Of a stage that only one of the two has, `stages` says all; its own keys are not listed. A device whose profile was
    changed is told as `device`.
    """
    apart = {stage.name for stage in ours.stages} ^ {stage.name for stage in theirs.stages}
    absent = object()
    keys = {
        key
        for key in ours.spec.keys() | theirs.spec.keys()
        if ours.spec.get(key, absent) != theirs.spec.get(key, absent)
        and key.removeprefix("policy.").partition(".")[0] not in apart
    }
    return tuple(sorted(keys | ({"device"} if ours.profile != theirs.profile else set())))


def conflict(ours: Plan, theirs: Plan) -> str:
    """Why a run cannot take the name of another one, and what to do."""
    keys = differing_keys(ours, theirs)
    what = f"differs in {', '.join(keys)}" if keys else "was planned by another version of the launcher"
    return (
        f"run '{ours.run}' exists with another plan, which {what}; choose another --name, "
        f"or remove it with `launcher delete {ours.run}`"
    )


def _stage(name: str, spec: RunSpec, profile: Profile, folder: Path) -> Stage:
    chained = layout.TRAIN in spec.stages
    values = dict(stage_values(spec, name))
    nodes = processes = 1
    if name == layout.TRAIN:
        if not profile.trains:
            raise SpecError(f"device {profile.name} is for inference and cannot train; choose another for stage train")
        if fault := wrong_count(profile, spec.devices):
            raise SpecError(f"devices is {spec.devices}, but {fault}")
        if spec.nodes > 1 and profile.start == MPIRUN:
            raise SpecError(
                f"nodes is {spec.nodes}, but device {profile.name} starts by mpirun, which needs ssh between pods; "
                "use one node, or a profile with start: msrun"
            )
        nodes, processes = spec.nodes, spec.devices
        if nodes * processes > 1:
            values["is_distributed"] = True
    elif chained:
        values = {key: spec.train[key] for key in INHERITED if key in spec.train} | values
        values["ckpt_files"] = str(layout.stage_folder(folder, layout.TRAIN) / layout.CHECKPOINTS)
    values["device_target"] = profile.device_target
    values["output"] = str(layout.stage_folder(folder, name))
    return Stage(
        name=name,
        argv=("python", "-m", "sphereface", name, *_options(values)),
        processes=processes,
        env={**profile.env, **spec.env},
        needs=(layout.TRAIN,) if chained and name != layout.TRAIN else (),
        artifacts=_artifacts(name, values, profile),
        policy=spec.policy.get(name, StagePolicy()),
        nodes=nodes,
    )


def _options(values: Mapping[str, Any]) -> list[str]:
    """`--key value` a key, sorted, so that the order of a file's lines does not make another plan."""
    options: list[str] = []
    for key in sorted(values):
        value = values[key]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        # argparse takes a value that begins with "-" for an option unless it is joined to its own.
        options += [f"--{key}={text}"] if text.startswith("-") else [f"--{key}", text]
    return options


def _artifacts(name: str, values: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
    if name == layout.TRAIN:
        return (f"{layout.CHECKPOINTS}/*.ckpt", layout.METRICS)
    if name == layout.EVALUATE:
        return (layout.LFW, layout.SCORES)
    file_name = values.get("file_name", _DEFAULT_FILE_NAME)
    return tuple(f"{file_name}{FORMATS[wanted]}" for wanted in _formats(values, profile))


def _formats(values: Mapping[str, Any], profile: Profile) -> list[str]:
    parts = str(values.get("file_format", _DEFAULT_FORMAT)).split(",")
    formats = [part.strip() for part in parts if part.strip()]
    if "AIR" in formats and profile.device_target != "Ascend":
        raise SpecError(f"export.file_format AIR can only be written on Ascend, not on {profile.name}; use MINDIR")
    return formats


def _content(plan: Plan) -> dict[str, Any]:
    content = dataclasses.asdict(plan)
    del content["hash"]
    return content


def _hash(plan: Plan) -> str:
    canonical = json.dumps(_content(plan), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _sha256(canonical)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _kubernetes_from_json(value: Mapping[str, Any] | None) -> KubernetesSpec | None:
    return None if value is None else KubernetesSpec(**{**value, "tolerations": tuple(value["tolerations"])})


def _profile_from_json(value: Mapping[str, Any]) -> Profile:
    lists = {key: tuple(value[key]) for key in ("tolerations", "mounts")}
    return Profile(**{**value, **lists})


def _stage_from_json(value: Mapping[str, Any]) -> Stage:
    return Stage(
        name=value["name"],
        argv=tuple(value["argv"]),
        processes=value["processes"],
        env=dict(value["env"]),
        needs=tuple(value["needs"]),
        artifacts=tuple(value["artifacts"]),
        policy=StagePolicy(**value["policy"]),
        nodes=value["nodes"],
    )
