from __future__ import annotations

import json

import yaml

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_one_run(demo: str, call: Call) -> None:
    outcome = call("status", demo)
    assert outcome.code == 0
    assert "State:     Running\n" in outcome.out
    assert "train      Running   1          2/2     3/4     40/80" in outcome.out


def test_without_a_name_all_runs(demo: str, call: Call) -> None:
    assert call("status").out == call("list").out


def test_json_and_yaml(demo: str, call: Call) -> None:
    value = json.loads(call("status", demo, "-o", "json").out)
    assert (value["schema"], value["run"], value["stages"][0]["progress"]["step"]) == (1, "demo", 40)
    assert yaml.safe_load(call("status", demo, "-o", "yaml").out) == value


def test_name_and_wide(demo: str, call: Call) -> None:
    assert call("status", demo, "-o", "name").out == "run/demo\n"
    assert "REASON" in call("status", demo, "-o", "wide").out


def test_watch_shows_each_change_and_ends_with_the_run(demo: str, call: Call) -> None:
    outcome = call("status", demo, "--watch", "-o", "json")
    states = [
        [stage["state"] for stage in json.loads(text + "\n}")["stages"]] for text in outcome.out.split("\n}\n")[:-1]
    ]
    assert states[0] == ["Running", "Pending", "Pending"]
    assert states[-1] == ["Succeeded", "Succeeded", "Succeeded"]
    assert len(states) < 8, "not a document for every step"


def test_watch_of_all_runs_adds_rows(demo: str, backend: FakeBackend, call: Call) -> None:
    backend.clock.interrupt_in(40)
    outcome = call("status", "--watch")
    assert outcome.code == 130
    lines = outcome.out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", *["demo"] * (len(lines) - 1)]
    assert "Succeeded" in lines[-1]


def test_no_such_run_is_exit_3_with_near_names(demo: str, call: Call) -> None:
    outcome = call("status", "demos")
    assert outcome.code == 3
    assert outcome.err.rstrip().endswith("(did you mean 'demo'?)")


def test_no_such_run_and_none_near(demo: str, call: Call) -> None:
    assert "did you mean" not in call("status", "xyz").err
