from __future__ import annotations

import json
import re
from types import MappingProxyType

import pytest
import yaml

from launcher.states import State
from launcher.status import Progress, RunStatus, StageStatus
from launcher.terminal import output

RUN = RunStatus(
    run="demo",
    state=State.RUNNING,
    reason="",
    message="",
    backend="local",
    device="cpu",
    devices=2,
    created=1_700_000_000.0,
    ended=None,
    folder="/x/runs/demo",
    plan_hash="abc",
    stages=(
        StageStatus(
            "train",
            State.RUNNING,
            attempts=1,
            started=1_700_000_001.5,
            progress=Progress(1, 2, 3, 40, float("nan"), 99.5, None, 2, 2),
            metrics=MappingProxyType({"loss": 1.5}),
        ),
    ),
)


def test_table_has_kubectls_columns() -> None:
    assert output.table(("NAME", "STATE"), [("demo", "Running"), ("a", "")]).splitlines() == [
        "NAME   STATE",
        "demo   Running",
        "a      -",
    ]


def test_table_without_rows_is_its_header() -> None:
    assert output.table(("NAME", "AGE"), []) == "NAME   AGE"


def test_json_and_yaml_carry_the_same_data_with_the_schema_first() -> None:
    data = output.run_data(RUN)
    as_json = output.document(data, "json")
    assert json.loads(as_json) == yaml.safe_load(output.document(data, "yaml"))
    assert next(iter(json.loads(as_json).items())) == ("schema", 1)


def test_run_data() -> None:
    value = json.loads(output.document(output.run_data(RUN), "json"))
    assert (value["created"], value["ended"]) == ("2023-11-14T22:13:20Z", None)
    stage = value["stages"][0]
    assert (stage["state"], stage["started"], stage["metrics"]) == ("Running", "2023-11-14T22:13:21Z", {"loss": 1.5})
    assert stage["progress"]["step"] == 3
    assert stage["progress"]["loss"] is None, "JSON has no NaN"


@pytest.mark.parametrize(
    "text", ["1e3", "y", "on", "0x10", "a: b", "- a", "---", "two\nlines\n", " a\nb", "ü😀", "", "{"]
)
def test_manifests_keep_every_text_what_it_is(text: str) -> None:
    """`1e3` and `y` are texts for PyYAML, and a number and a truth value for kubectl: they are quoted."""
    written = output.manifests([{"data": {text: text}}, {"kind": "Job"}], "yaml")
    assert list(yaml.safe_load_all(written)) == [{"data": {text: text}}, {"kind": "Job"}]
    assert not re.search(r"^  (1e3|y|on|0x10):", written, re.MULTILINE)


def test_manifests_as_json_are_one_list() -> None:
    value = json.loads(output.manifests([{"kind": "Role"}, {"kind": "Job"}], "json"))
    assert (value["kind"], [item["kind"] for item in value["items"]]) == ("List", ["Role", "Job"])


def test_a_text_of_several_lines_is_shown_as_such() -> None:
    assert "data: |\n  first\n  second" in output.manifests([{"data": "first\nsecond\n"}], "yaml")
