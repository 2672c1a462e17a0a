"""What each key of a spec may hold: the launcher's own keys, and sphereface's by `schemas/sphereface.json`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from launcher import environment, names, profiles, spec_kubernetes
from launcher.spec import DEVICE_COUNTS, MAX_NODES, MAX_SECONDS, STAGES
from runfolder import typed
from runfolder.strict_yaml import did_you_mean

TOP = ("name", "device", "devices", "nodes", "storage", "stages", "config")
SECTIONS = (*STAGES, "env", "policy", spec_kubernetes.SECTION)

PATH_KEYS = frozenset(
    {
        *("train_data_dir", "train_img_dir", "train_pretrained", "ckpt_files"),
        *("datatxt_src", "pairtxt_src", "datasrc", "mindir_path"),
    }
)
"""Keys of sphereface that name a file or folder to read."""

LAUNCHER_SETS: Mapping[str, str] = {
    "output": "is the run's own folder; choose it by storage and name",
    "save_ckpt_path": "is the run's own folder train/checkpoints; choose it by storage and name",
    "resume": "is always on: each attempt goes on from the newest checkpoint",
    "is_distributed": "follows from devices",
    "group_size": "follows from devices",
    "rank": "is each process's own",
    "device_target": "follows from device",
    "device_id": "counts from 0; choose devices by ASCEND_RT_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES under env",
    "enable_modelarts": "is off: a run reads and writes on its own storage",
    **dict.fromkeys(("data_url", "train_url", "checkpoint_url", "cache_path"), "is unused: enable_modelarts is off"),
}
"""Keys of sphereface that a spec cannot give, and why."""

_POLICY: Mapping[str, Mapping[str, Any]] = {
    "retries": {"type": "int", "low": 0, "high": 100},
    "backoff_s": {"type": "float", "low": 0, "high": MAX_SECONDS},
    "deadline_s": {"type": "float", "low": 0, "high": MAX_SECONDS},
    "heartbeat_s": {"type": "float", "low": 1, "high": MAX_SECONDS},
    "stall_s": {"type": "float", "low": 1, "high": MAX_SECONDS},
}

_SURROGATE = re.compile("[\ud800-\udfff]")


@cache
def stage_schema() -> Mapping[str, Mapping[str, Any]]:
    """Type, default, limits and reading stages of every key of sphereface."""
    text = (Path(__file__).parent / "schemas" / "sphereface.json").read_text()
    schema: Mapping[str, Mapping[str, Any]] = json.loads(text)
    return schema


def convert(key: str, raw: Any) -> Any:
    """`raw` as the type of the dotted key. Raises ValueError with one line that names the key and what is allowed."""
    section, _, rest = key.partition(".")
    _refuse_unspeakable(key, raw)
    if not rest:
        return _top(key, raw)
    if section in STAGES:
        return _stage_value(section, rest, raw)
    if section == "env":
        return _env(rest, raw)
    if section == "policy":
        return _policy(rest, raw)
    if section == spec_kubernetes.SECTION:
        return spec_kubernetes.convert(rest, raw)
    raise ValueError(f"unknown key '{key}'{did_you_mean(section, SECTIONS)}; sections are {', '.join(SECTIONS)}")


def sphereface_value(key: str, raw: Any) -> Any:
    """The value of a key of sphereface, whichever stage reads it. Raises ValueError as `convert` does."""
    schema = stage_schema()
    if key not in schema:
        raise ValueError(f"unknown key '{key}'{did_you_mean(key, schema)}")
    return _checked(key, key, raw)


def is_input_path(key: str) -> bool:
    """Whether the dotted key names a file or folder that a stage reads."""
    section, _, name = key.partition(".")
    return section in STAGES and name in PATH_KEYS


def check_stages(stages: tuple[str, ...]) -> None:
    """Raises ValueError for an unknown stage, or an order that is not the chain's."""
    for stage in stages:
        if stage not in STAGES:
            raise ValueError(f"stages must be among {', '.join(STAGES)}, not '{stage}'{did_you_mean(stage, STAGES)}")
    if not stages or list(stages) != [stage for stage in STAGES if stage in stages]:
        given = ", ".join(stages) or "nothing"
        raise ValueError(f"stages must be some of {', '.join(STAGES)}, once each and in this order, not {given}")


def _refuse_unspeakable(key: str, raw: Any) -> None:
    """Text that neither a process's arguments nor a manifest can hold."""
    texts = [part for part in (raw if isinstance(raw, list) else [raw]) if isinstance(part, str)]
    if any("\0" in text or _SURROGATE.search(text) for text in (key, *texts)):
        raise ValueError(f"{ascii(key)[1:-1]} must be text: no NUL, and no bytes that are not UTF-8")


def _top(key: str, raw: Any) -> Any:
    if key in SECTIONS:
        raise ValueError(f"{key} is a section of keys and takes no value itself")
    if key not in TOP:
        reading = stage_schema().get(key, {}).get("stages", ())
        if reading:
            raise ValueError(f"unknown key '{key}'; it belongs under {reading[0]}, as {reading[0]}.{key}")
        raise ValueError(f"unknown key '{key}'{did_you_mean(key, (*TOP, *SECTIONS))}")
    if key == "stages":
        parts = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise ValueError(f"stages must be a list, as in [train, evaluate], not {raw!r}")
        stages = tuple(part.strip() for part in parts)
        check_stages(stages)
        return stages
    if key == "devices":
        return _typed(key, raw, {"type": "int", "choices": DEVICE_COUNTS})
    if key == "nodes":
        return _typed(key, raw, {"type": "int", "low": 1, "high": MAX_NODES})
    text = _typed(key, raw, {"type": "str"})
    if key == "name" and not names.is_run_name(text):
        raise ValueError(
            f"name must be lower-case letters, digits and '-', beginning and ending with a letter or digit, "
            f"at most {names.MAX_RUN_NAME} characters, not '{text}'"
        )
    if key == "device":
        return _typed(key, text, {"type": "str", "choices": profiles.names()})
    if not text:
        raise ValueError(f"{key} must not be empty")
    return text


def _stage_value(stage: str, key: str, raw: Any) -> Any:
    schema = stage_schema()
    full = f"{stage}.{key}"
    if key not in schema:
        known = [name for name in schema if stage in schema[name]["stages"] and name not in LAUNCHER_SETS]
        raise ValueError(f"unknown key '{full}'{did_you_mean(key, known) or did_you_mean(key, schema)}")
    if key in LAUNCHER_SETS:
        raise ValueError(f"{full} is set by the launcher: it {LAUNCHER_SETS[key]}")
    reading = schema[key]["stages"]
    if stage not in reading:
        raise ValueError(f"{stage} does not read {key}; it belongs under {' or '.join(reading)}")
    return _checked(full, key, raw)


def _checked(full: str, key: str, raw: Any) -> Any:
    """The value of sphereface's `key`; messages call it `full`."""
    return _typed(full, raw, stage_schema()[key])


def _env(name: str, raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"env.{name} must be text, not {raw!r}; put it in quotes")
    try:
        environment.check(name, raw)
    except ValueError as error:
        raise ValueError(f"env.{name} {error}") from None
    return raw


def _policy(rest: str, raw: Any) -> Any:
    stage, _, key = rest.partition(".")
    if stage not in STAGES:
        raise ValueError(
            f"unknown key 'policy.{rest}'{did_you_mean(stage, STAGES)}; policy is by stage, as policy.train"
        )
    if not key:
        raise ValueError(f"policy.{stage} is a section of keys: {', '.join(_POLICY)}")
    if key not in _POLICY:
        raise ValueError(f"unknown key 'policy.{rest}'{did_you_mean(key, _POLICY)}; it has {', '.join(_POLICY)}")
    return _typed(f"policy.{rest}", raw, _POLICY[key])


def _typed(key: str, raw: Any, schema: Mapping[str, Any]) -> Any:
    try:
        return typed.value(raw, schema)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None
