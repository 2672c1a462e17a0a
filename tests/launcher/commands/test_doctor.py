from __future__ import annotations

import json
from pathlib import Path

from launcher.commands.doctor import line
from launcher.doctor import ok, warning
from tests.launcher.conftest import Call


def test_one_line_each_with_what_to_do() -> None:
    assert line(ok("quota", "no ResourceQuota")) == "ok       quota         no ResourceQuota"
    assert line(warning("clock", "is late", "set it")) == "warning  clock         is late; set it"


def test_this_machine_without_a_run(call: Call) -> None:
    done = call("doctor", "--backend", "local")
    assert done.code == 0
    assert "warning  spec          no run is described, so a common one is judged" in done.out
    assert "ok       mindspore" in done.out


def test_an_error_is_exit_code_1(call: Call) -> None:
    done = call("doctor", "--backend", "local", "--device", "gpu")
    assert done.code == 1
    assert "error    devices       device gpu: this machine has none" in done.out


def test_a_spec_that_is_not_complete_is_an_error(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("train: {lr: 0.1}\n")
    done = call("doctor", "run.yaml", "--backend", "local")
    assert done.code == 1
    assert "error    spec          no training data" in done.out


def test_a_spec_that_is_wrong_is_a_finding_too(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("train: {lrr: 0.1}\n")
    done = call("doctor", "run.yaml", "--backend", "local", "-o", "json")
    assert done.code == 1
    *_, last = json.loads(done.out)["findings"]
    assert (last["level"], last["check"]) == ("error", "spec")
    assert last["text"].startswith("run.yaml:1: unknown key 'train.lrr'")


def test_a_context_that_is_not_there(call: Call) -> None:
    done = call("doctor", "--context", "lab")
    assert done.code == 1
    assert "error    context" in done.out


def test_a_cluster_that_does_not_answer(call: Call, tmp_path: Path) -> None:
    config = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
    }
    folder = tmp_path / "home" / ".kube"
    folder.mkdir()
    (folder / "config").write_text(json.dumps(config))
    done = call("doctor")
    assert done.code == 1
    assert "ok       context       context 'lab' of" in done.out
    assert "error    server        the cluster at https://127.0.0.1:9" in done.out
