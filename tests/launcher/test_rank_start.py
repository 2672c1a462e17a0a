"""Ranks that start by a rank table: real processes of the stand-in program, fakes of what a server with Ascend says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import ascend, marker, names, rank_start, record
from launcher.errors import LauncherError, UsageError, WaitTimeout
from launcher.plan import Plan, sealed
from launcher.profiles import Profile
from runfolder import layout
from tests.launcher.fake_ascend import FakeDevicePlugin, FakeHccnConf, FakeOperator
from tests.launcher.standin import FAST, nothing_left, run_path, stage, stand_in_plan

PROFILE = Profile("fake-ascend", "CPU", board="ascend910", start="rank-table")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(run_path(tmp_path)) as path:
        yield path


def plan(folder: Path, *options: str, nodes: int = 1, profile: Profile = PROFILE) -> Plan:
    train = replace(stage(folder, "train", *options, processes=2, policy=FAST), nodes=nodes)
    return sealed(replace(stand_in_plan(folder.parents[1], train), nodes=nodes, profile=profile))


def start(folder: Path, environment: dict[str, str], pod: int = 0) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "train", "--attempt", "1"]
    marks = {names.ENV_FOLDER: str(folder), names.ENV_STAGE: "train", names.ENV_POD: str(pod)}
    own = {name: value for name, value in os.environ.items() if name not in (ascend.VISIBLE_DEVICES, ascend.HOST_IP)}
    return subprocess.Popen(
        argv, env={**own, **marks, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def table_of(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Device and rank by server."""
    table = json.loads((folder / "train" / layout.RANK_TABLE).read_text())
    return {
        server["server_id"]: [(device["device_id"], device["rank_id"]) for device in server["device"]]
        for server in table["server_list"]
    }


def test_ranks_of_one_pod_start_by_the_table_of_its_devices(folder: Path) -> None:
    made = plan(folder, "--steps", "3")
    record.write_plan(folder, made)

    pod = start(folder, {ascend.VISIBLE_DEVICES: "4,5", ascend.HOST_IP: "10.0.0.1"})
    out, _ = pod.communicate(timeout=60)

    assert pod.returncode == 0, out
    assert marker.marker_fault(folder / "train", made.stage("train"), made.hash) is None
    assert table_of(folder) == {"10.0.0.1": [("4", "0"), ("5", "1")]}
    assert "[rank 1] step 2 done" in out
    assert f"[launcher] devices of this pod: {ascend.VISIBLE_DEVICES}" in out
    assert not list((folder / "train" / "logs").glob("scheduler*"))


def test_ranks_of_two_pods_have_one_table(folder: Path) -> None:
    record.write_plan(folder, plan(folder, "--steps", "3", nodes=2))

    pods = [
        start(folder, {ascend.VISIBLE_DEVICES: own, ascend.HOST_IP: "10.0.0.1"}, pod)
        for pod, own in enumerate(("0,1", "2,3"))
    ]
    out = [pod.communicate(timeout=60)[0] for pod in pods]

    assert [pod.returncode for pod in pods] == [0, 0], out
    assert table_of(folder) == {"10.0.0.1": [("0", "0"), ("1", "1"), ("2", "2"), ("3", "3")]}
    assert "[rank 3] step 2 done" in out[0]


def test_a_rank_that_fails_ends_the_others_and_is_named(folder: Path) -> None:
    record.write_plan(folder, plan(folder, "--steps", "200", "--trouble", "1:2:SIGKILL"))

    pod = start(folder, {ascend.VISIBLE_DEVICES: "0,1", ascend.HOST_IP: "10.0.0.1"})
    out, _ = pod.communicate(timeout=60)

    ended = record.read_attempt(folder / "train", 1)
    assert pod.returncode == 1, out
    assert ended is not None
    assert (ended.reason, ended.rank) == ("Killed", 1), ended


def test_devices_of_two_rings_are_refused_and_not_tried_again(folder: Path) -> None:
    record.write_plan(folder, plan(folder))

    pod = start(folder, {ascend.VISIBLE_DEVICES: "3,4", ascend.HOST_IP: "10.0.0.1"})
    pod.communicate(timeout=60)

    ended = record.read_attempt(folder / "train", 1)
    assert ended is not None
    assert (pod.returncode, ended.reason, ended.retry) == (42, "ConfigurationError", False)
    assert "ring" in ended.message


def test_what_the_device_plugin_says_outweighs_the_rest(folder: Path, tmp_path: Path) -> None:
    made, root, said = plan(folder), tmp_path / "root", list[str]()
    FakeHccnConf(root, [0, 1])
    FakeDevicePlugin(root).give([2, 3])
    environment = {ascend.VISIBLE_DEVICES: "0,1", ascend.HOST_IP: "10.0.0.1"}

    given = rank_start.own(made, made.stage("train"), 0, environment, lambda: False, said.append, root)
    found = rank_start.write(made, made.stage("train"), 0, [given], lambda: False, said.append, root)

    assert found == {ascend.RANK_TABLE_FILE: str(folder / "train" / layout.RANK_TABLE)}
    assert table_of(folder) == {"10.0.0.1": [("2", "0"), ("3", "1")]}


def test_an_operators_table_is_taken_where_nobody_else_knows_the_devices(folder: Path, tmp_path: Path) -> None:
    made, root = plan(folder), tmp_path / "root"
    operator = FakeOperator(root / ascend.OPERATOR_MOUNT.lstrip("/"))
    operator.complete(1, [0, 1])

    given = rank_start.own(made, made.stage("train"), 0, {}, lambda: False, lambda _: None, root)
    rank_start.write(made, made.stage("train"), 0, [given], lambda: False, lambda _: None, root)

    assert given is None
    assert [rank for devices in table_of(folder).values() for _, rank in devices] == ["0", "1"]


def test_an_operators_table_that_is_stale_is_refused(folder: Path, tmp_path: Path) -> None:
    made, root = plan(folder), tmp_path / "root"
    FakeOperator(root / ascend.OPERATOR_MOUNT.lstrip("/")).complete(1, [0, 1])
    FakeDevicePlugin(root).give([6, 7])

    given = rank_start.own(made, made.stage("train"), 0, {}, lambda: False, lambda _: None, root)
    with pytest.raises(LauncherError, match="stale"):
        rank_start.write(made, made.stage("train"), 0, [given], lambda: False, lambda _: None, root)


def test_nothing_that_says_which_devices_is_one_line(folder: Path, tmp_path: Path) -> None:
    made = plan(folder)
    with pytest.raises(LauncherError, match=ascend.VISIBLE_DEVICES):
        rank_start.own(made, made.stage("train"), 0, {}, lambda: False, lambda _: None, tmp_path)


def test_a_profile_without_a_board_is_refused(folder: Path, tmp_path: Path) -> None:
    made = plan(folder, profile=replace(PROFILE, board=""))
    with pytest.raises(UsageError, match="names no board"):
        rank_start.own(made, made.stage("train"), 0, {}, lambda: False, lambda _: None, tmp_path)


def test_only_what_came_late_is_tried_again() -> None:
    assert rank_start.refused(WaitTimeout("late")).retry
    wrong = rank_start.refused(LauncherError("wrong"))
    assert (wrong.exit_code, wrong.reason, wrong.retry) == (42, "ConfigurationError", False)


def test_one_rank_and_other_starts_need_no_table(folder: Path) -> None:
    made = plan(folder)
    assert rank_start.is_wanted(made, made.stage("train"))
    assert not rank_start.is_wanted(made, replace(made.stage("train"), processes=1))
    assert not rank_start.is_wanted(replace(made, profile=Profile("cpu", "CPU")), made.stage("train"))
