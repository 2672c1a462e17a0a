from __future__ import annotations

import json
from pathlib import Path

from tests.launcher.conftest import Call


def test_no_runs(tmp_path: Path, call: Call) -> None:
    outcome = call("list")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"No runs found in {tmp_path}.\n"


def test_runs(demo: str, call: Call) -> None:
    assert call("list").out.splitlines() == [
        "NAME   STATE     STAGES   NOW         DEVICES   AGE",
        "demo   Running   0/3      train 50%   cpu x2    20s",
    ]


def test_wide(demo: str, call: Call) -> None:
    assert "FOLDER" in call("list", "-o", "wide").out


def test_name(demo: str, call: Call) -> None:
    assert call("list", "-o", "name").out == "run/demo\n"


def test_json(demo: str, call: Call) -> None:
    value = json.loads(call("list", "-o", "json").out)
    assert (value["schema"], [run["run"] for run in value["runs"]]) == (1, ["demo"])


def test_json_of_no_runs(call: Call) -> None:
    assert json.loads(call("list", "-o", "json").out) == {"schema": 1, "runs": []}
