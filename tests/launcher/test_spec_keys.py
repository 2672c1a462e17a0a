from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from launcher import spec_keys
from launcher.exports import FORMATS
from launcher.plan import INHERITED
from launcher.spec import DEFAULT_STAGES, RunSpec, StagePolicy


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("name", "demo-1", "demo-1"),
        ("devices", "8", 8),
        ("device", "ascend910b", "ascend910b"),
        ("stages", "train, export", ("train", "export")),
        ("stages", ["evaluate"], ("evaluate",)),
        ("train.lr", "1e-3", 0.001),
        ("train.lr", 1, 1.0),
        ("train.amp", "on", True),
        ("train.max_epoch", 3.0, 3),
        ("train.image_size", [112, 96], "112, 96"),
        ("train.lr_epochs", "10,16", "10,16"),
        ("export.file_format", "MINDIR,ONNX", "MINDIR,ONNX"),
        ("env.OMP_NUM_THREADS", "2", "2"),
        ("policy.train.retries", "0", 0),
        ("policy.export.deadline_s", 5, 5.0),
    ],
)
def test_a_value_becomes_the_type_of_its_key(key: str, raw: Any, value: Any) -> None:
    converted = spec_keys.convert(key, raw)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("key", "raw", "message"),
    [
        ("name", "Demo", "name must be lower-case .* not 'Demo'"),
        ("name", "a" * 41, "at most 40"),
        ("name", "-a", "beginning and ending with a letter or digit"),
        ("name", "a.b", "name must be"),
        ("name", "", "name must be"),
        ("name", None, "name must be text, not None"),
        ("devices", 3, "devices must be one of 1, 2, 4, 8, not '3'"),
        ("devices", "two", "devices must be a whole number"),
        ("devices", True, "devices must be a whole number"),
        ("device", "ascend", r"device must be one of .* \(did you mean 'ascend910'\?\)"),
        ("storage", "", "storage must not be empty"),
        ("stages", "train,trian", r"not 'trian' \(did you mean 'train'\?\)"),
        ("stages", "export,train", "once each and in this order, not export, train"),
        ("stages", "train,train", "once each"),
        ("stages", [], "once each and in this order, not nothing"),
        ("stages", {"train": 1}, "stages must be a list"),
        ("stages", [["train"]], "stages must be a list"),
        ("nmae", "x", r"unknown key 'nmae' \(did you mean 'name'\?\)"),
        ("lr", "x", "unknown key 'lr'; it belongs under train, as train.lr"),
        ("datasrc", "x", "it belongs under evaluate, as evaluate.datasrc"),
        ("train", "x", "train is a section"),
        ("trian.lr", "x", r"unknown key 'trian.lr' \(did you mean 'train'\?\); sections are"),
        ("train.max_epok", 1, r"unknown key 'train.max_epok' \(did you mean 'max_epoch'\?\)"),
        ("train.datasrc", "x", "train does not read datasrc; it belongs under evaluate"),
        ("evaluate.lr", 1, "evaluate does not read lr; it belongs under train"),
        ("train.ckpt_files", "x", "train does not read ckpt_files; it belongs under evaluate or export"),
        ("train.output", "x", "train.output is set by the launcher: it is the run's own folder"),
        ("train.is_distributed", 1, "it follows from devices"),
        ("train.device_id", 1, "ASCEND_RT_VISIBLE_DEVICES"),
        ("train.lr", "fast", "train.lr must be a number, not 'fast'"),
        ("train.lr", 0, "train.lr must be above 0, not 0"),
        ("train.lr", "nan", "train.lr must be a finite number"),
        ("train.momentum", 1, "train.momentum must be at most 0.9999"),
        ("train.max_epoch", 1.5, "train.max_epoch must be a whole number, not 1.5"),
        ("train.max_epoch", 0, "train.max_epoch must be at least 1, not 0"),
        ("train.seed", -1, "train.seed must be at least 0, not -1"),
        ("train.seed", "9" * 5000, "train.seed must be a whole number"),
        ("train.amp", "maybe", r"train.amp must be true or false \(or 1, 0\)"),
        ("train.net", "sphereface5a", "train.net must be one of sphereface4a"),
        ("train.freeze", {"a": 1}, "train.freeze must be text"),
        ("evaluate.protocol", "zo", r"\(did you mean 'zoo'\?\)"),
        ("export.file_format", "ONX", r"export.file_format must be among .* \(did you mean 'ONNX'\?\)"),
        ("export.file_format", ",", "export.file_format is empty"),
        ("env.A-B", "x", "env.A-B is not a name for an environment variable"),
        ("env.FOO", 1, "env.FOO must be text, not 1; put it in quotes"),
        ("env.MS_ROLE", "x", "env.MS_ROLE is set by the launcher itself"),
        ("env.LAUNCHER_RUN", "x", "is set by the launcher itself"),
        ("policy.train", 1, "policy.train is a section of keys: retries"),
        ("policy.retries", 1, "policy is by stage, as policy.train"),
        ("policy.train.retry", 1, r"\(did you mean 'retries'\?\)"),
        ("policy.train.retries", -1, "policy.train.retries must be at least 0"),
        ("policy.train.heartbeat_s", 0, "policy.train.heartbeat_s must be at least 1"),
        ("", "x", "unknown key ''"),
        (".", "x", "unknown key"),
    ],
)
def test_what_is_wrong_is_refused_with_the_key_and_what_is_allowed(key: str, raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        spec_keys.convert(key, raw)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "name", ["MY_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "API_KEY", "apikey", "GCP_CREDENTIALS"]
)
def test_what_looks_like_a_secret_is_not_kept_in_a_plan(name: str) -> None:
    with pytest.raises(ValueError, match="looks like a secret") as caught:
        spec_keys.convert(f"env.{name}", "hunter2")
    assert "hunter2" not in str(caught.value)


def test_keys_that_are_named_here_are_keys_of_sphereface() -> None:
    schema = spec_keys.stage_schema()
    for key in (*spec_keys.PATH_KEYS, *spec_keys.LAUNCHER_SETS, *INHERITED):
        assert key in schema, key
    for key in INHERITED:
        assert set(schema[key]["stages"]) == set(DEFAULT_STAGES)


def test_what_stages_share_is_inherited_or_set_by_the_launcher() -> None:
    schema = spec_keys.stage_schema()
    shared = {key for key in schema if {"train", "evaluate"} <= set(schema[key]["stages"])}
    assert shared == set(INHERITED) | (shared & spec_keys.LAUNCHER_SETS.keys())


def test_policy_and_top_keys_are_the_fields_of_the_spec() -> None:
    fields = {field.name for field in dataclasses.fields(StagePolicy)}
    for key in fields:
        default = getattr(StagePolicy(), key)
        assert spec_keys.convert(f"policy.train.{key}", default) == default
    parts = {field.name for field in dataclasses.fields(RunSpec)}
    assert parts == (set(spec_keys.TOP) | set(spec_keys.SECTIONS)) - {"config"}


def test_every_known_format_is_taken() -> None:
    assert spec_keys.convert("export.file_format", ",".join(FORMATS)) == "MINDIR,LITE,ONNX,AIR"
