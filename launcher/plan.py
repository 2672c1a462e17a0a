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

from launcher import exports, infer310
from launcher.errors import LauncherError, SpecError
from launcher.profiles import MPIRUN, Profile, load_profile, wrong_count
from launcher.spec import STAGES, KubernetesSpec, RunSpec, StagePolicy
from runfolder import layout

SCHEMA = 2

INHERITED = ("net", "image_size", "conv_bias")
"""Keys of `train` that say which network a checkpoint holds: the stages that read it take them over."""


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
    profile: Profile | None = None
    """Of its device, where that is another than the run's."""

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

    @property
    def own_profiles(self) -> tuple[Profile, ...]:
        """Of stages on another device than the run's, each of which takes one."""
        return tuple(stage.profile for stage in self.stages if stage.profile)

    def profile_of(self, stage: Stage) -> Profile:
        """Of the device that the stage runs on."""
        return stage.profile or self.profile


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
    return {"train": spec.train, "evaluate": spec.evaluate, "export": spec.export, "infer310": spec.infer310}[stage]


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
    profiles = [{stage.name: plan.profile_of(stage) for stage in plan.stages} for plan in (ours, theirs)]
    changed = any(profiles[0][name] != profiles[1][name] for name in profiles[0].keys() & profiles[1].keys())
    return tuple(sorted(keys | ({"device"} if changed or ours.profile != theirs.profile else set())))


def conflict(ours: Plan, theirs: Plan) -> str:
    """Why a run cannot take the name of another one, and what to do."""
    keys = differing_keys(ours, theirs)
    what = f"differs in {', '.join(keys)}" if keys else "was planned by another version of the launcher"
    return (
        f"run '{ours.run}' exists with another plan, which {what}; choose another --name, "
        f"or remove it with `launcher delete {ours.run}`"
    )


def _stage(name: str, spec: RunSpec, profile: Profile, folder: Path) -> Stage:
    nodes = processes = 1
    own = profile
    needs: tuple[str, ...] = ()
    if name == layout.TRAIN:
        _check_training(spec, profile)
        nodes, processes = spec.nodes, spec.devices
        values = dict(spec.train) | ({"is_distributed": True} if nodes * processes > 1 else {})
    elif name == layout.INFER310:
        own = infer310.profile_of(spec, profile)
        values = dict(spec.infer310) | {"infer_device": infer310.device(spec, profile)}
        if layout.EXPORT in spec.stages:
            needs = (layout.EXPORT,)
            values["mindir_path"] = str(layout.stage_folder(folder, layout.EXPORT) / exports.model(spec))
    else:
        values = dict(stage_values(spec, name))
        if layout.TRAIN in spec.stages:
            needs = (layout.TRAIN,)
            values = {key: spec.train[key] for key in INHERITED if key in spec.train} | values
            values["ckpt_files"] = str(layout.stage_folder(folder, layout.TRAIN) / layout.CHECKPOINTS)
        if name == layout.EXPORT and layout.INFER310 in spec.stages:
            values["file_format"] = exports.file_format(spec)
    if name != layout.INFER310:
        values["device_target"] = profile.device_target
    values["output"] = str(layout.stage_folder(folder, name))
    return Stage(
        name=name,
        argv=("python", "-m", "sphereface", name, *_options(values)),
        processes=processes,
        env={**own.env, **spec.env},
        needs=needs,
        artifacts=_artifacts(name, spec, profile),
        policy=spec.policy.get(name, StagePolicy()),
        nodes=nodes,
        profile=None if own == profile else own,
    )


def _check_training(spec: RunSpec, profile: Profile) -> None:
    if not profile.trains:
        raise SpecError(f"device {profile.name} is for inference and cannot train; choose another for stage train")
    if fault := wrong_count(profile, spec.devices):
        raise SpecError(f"devices is {spec.devices}, but {fault}")
    if spec.nodes > 1 and profile.start == MPIRUN:
        raise SpecError(
            f"nodes is {spec.nodes}, but device {profile.name} starts by mpirun, which needs ssh between pods; "
            "use one node, or a profile with start: msrun"
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


def _artifacts(name: str, spec: RunSpec, profile: Profile) -> tuple[str, ...]:
    if name == layout.EXPORT:
        return exports.files(spec, profile)
    return {
        layout.TRAIN: (f"{layout.CHECKPOINTS}/*.ckpt", layout.METRICS),
        layout.EVALUATE: (layout.LFW, layout.SCORES),
        layout.INFER310: (layout.LFW, layout.EMBEDDINGS),
    }[name]


def _content(plan: Plan) -> dict[str, Any]:
    content = dataclasses.asdict(plan)
    del content["hash"]
    for stage in content["stages"]:
        if stage["profile"] is None:  # as it was before a stage could have one
            del stage["profile"]
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
        profile=_profile_from_json(value["profile"]) if "profile" in value else None,
    )
