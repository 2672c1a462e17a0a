from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend

WORDS = ("render", "--name", "demo", "--stages", "train", "--devices", "8", "--set", "train.train_img_dir=images")


def test_yaml_by_default(backend: FakeBackend, tmp_path: Path, call: Call) -> None:
    value = yaml.safe_load(call(*WORDS).out)
    assert value["schema"] == 1
    (stage,) = value["plan"]["stages"]
    assert (stage["name"], stage["processes"]) == ("train", 8)
    assert value["origins"]["train.train_img_dir"] == "flag --set train.train_img_dir"
    assert backend.runs == {}


def test_json_is_the_same(call: Call) -> None:
    assert json.loads(call(*WORDS, "-o", "json").out) == yaml.safe_load(call(*WORDS).out)
