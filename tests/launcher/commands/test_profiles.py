from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from launcher import profiles
from launcher.commands import profiles as command
from tests.launcher.conftest import Call


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of the user's own profiles, with one that takes the place of ours and one that is wrong."""
    folder = tmp_path / "home" / ".config" / "launcher" / "profiles"
    folder.mkdir(parents=True)
    (folder / "gpu.yaml").write_text("device_target: GPU\nresource: example.com/gpu\nstart: mpirun\n")
    (folder / "bad.yaml").write_text("device_target: TPU\nresorce: x\n")
    return folder


def test_all_are_listed_with_where_they_came_from(call: Call, own: Path) -> None:
    done = call("profiles", "list")
    assert (done.code, done.err) == (0, "")
    head, *rows = [line.split("   ") for line in done.out.splitlines()]
    assert [cell.strip() for cell in head if cell] == ["NAME", "TARGET", "RESOURCE", "START", "BOARD", "SOURCE"]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert cells["ascend910b"] == ["Ascend", "huawei.com/Ascend910", "msrun", "ascend910b", "built in"]
    assert cells["gpu"] == ["GPU", "example.com/gpu", "mpirun", "-", str(own / "gpu.yaml")]
    assert cells["bad"] == ["(wrong)", "-", "-", "-", str(own / "bad.yaml")]
    assert list(cells) == sorted(cells)


def test_the_list_for_scripts_holds_every_key(call: Call, own: Path) -> None:
    listed = {one["name"]: one for one in json.loads(call("profiles", "list", "-o", "json").out)["profiles"]}
    assert listed["gpu"] == {"name": "gpu", "source": str(own / "gpu.yaml")} | {
        key: listed["gpu"][key] for key in profiles.KEYS
    }
    assert (listed["gpu"]["start"], listed["gpu"]["tolerations"], listed["cpu"]["source"]) == ("mpirun", [], "built in")
    assert [finding["where"] for finding in listed["bad"]["findings"]] == [f"{own}/bad.yaml:1", f"{own}/bad.yaml:2"]


def test_what_is_shown_can_be_kept_as_a_file(call: Call, tmp_path: Path) -> None:
    done = call("profiles", "show", "ascend910")
    assert done.out.splitlines()[0] == "# ascend910: built in"
    (tmp_path / "ascend910.yaml").write_text(done.out)
    assert profiles.check(tmp_path / "ascend910.yaml") == (profiles.load_profile("ascend910"), ())
    shown = yaml.safe_load(call("profiles", "show", "ascend910", "-o", "yaml").out)
    assert shown["profile"] | {"board": "ascend910", "shm": "", "source": "built in"} == shown["profile"]


def test_one_that_takes_the_place_of_ours_says_so(call: Call, own: Path) -> None:
    assert call("profiles", "show", "gpu").out.splitlines()[:2] == [
        f"# gpu: {own / 'gpu.yaml'}",
        "# It takes the place of the one that is built in.",
    ]


def test_one_that_is_wrong_or_unknown_is_not_shown(call: Call, own: Path) -> None:
    wrong = call("profiles", "show", "bad")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith(f"error: {own}/bad.yaml:1: device_target must be one of CPU, GPU, Ascend, not 'TPU'")
    assert "did you mean 'ascend910" in call("profiles", "show", "ascend91").err


def test_a_check_says_all_and_exits_2(call: Call, own: Path) -> None:
    done = call("profiles", "check", str(own / "bad.yaml"))
    assert (done.code, done.err) == (2, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"error: {own}/bad.yaml:1: device_target must be one of")
    assert second.startswith(f"error: {own}/bad.yaml:2: unknown key 'resorce' (did you mean 'resource'?)")
    found = json.loads(call("profiles", "check", str(own / "bad.yaml"), "-o", "json").out)
    assert (found["valid"], [one["level"] for one in found["findings"]]) == (False, ["error", "error"])


def test_a_check_of_a_good_file_says_how_to_use_it(call: Call, own: Path, tmp_path: Path) -> None:
    done = call("profiles", "check", str(own / "gpu.yaml"))
    assert (done.code, done.out) == (0, f"{own}/gpu.yaml: valid (GPU; --device gpu)\n")
    (tmp_path / "mine.yaml").write_text("device_target: CPU\nstart: mpirun\n")
    warned = call("profiles", "check", "mine.yaml")
    assert warned.code == 0
    assert warned.out.startswith("warning: mine.yaml:2: start is mpirun, which MindSpore takes on GPU and Ascend only")
    assert warned.out.endswith(f"mine.yaml: valid (CPU; --device mine, once it lies in {own})\n")


@pytest.mark.parametrize("file", ["gone.yaml", ".", "/dev/zero"])
def test_a_file_that_cannot_be_read_is_a_finding(call: Call, file: str) -> None:
    done = call("profiles", "check", file)
    assert done.code == 2
    assert done.out.startswith(f"error: {file}: ")
    assert done.out.count("\n") == 1


def test_an_action_is_needed(call: Call) -> None:
    assert call("profiles").code == 2
    assert set(command.ACTIONS) == {"list", "show", "check"}
