from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.backends import local_doctor
from launcher.doctor import Level
from launcher.plan import Plan, make_plan
from launcher.spec import RunSpec
from runfolder.programs import FOLDER, INFER


def plan(storage: Path, **more: Any) -> Plan:
    return make_plan(RunSpec("demo", storage=str(storage), **more))


def test_a_machine_that_can(tmp_path: Path) -> None:
    findings = {finding.check: finding.level for finding in local_doctor.examine(plan(tmp_path))}
    assert findings == {"devices": Level.OK, "storage": Level.OK, "mindspore": Level.OK}


def test_several_ranks_need_more_of_it(tmp_path: Path) -> None:
    checks = [finding.check for finding in local_doctor.examine(plan(tmp_path, devices=2))]
    assert checks == ["devices", "storage", "mindspore", "ip", "port", "shared memory"]


def test_devices_that_are_not_there(tmp_path: Path) -> None:
    finding = local_doctor.devices(plan(tmp_path, device="ascend910", devices=8))
    assert finding.level is Level.ERROR
    assert "has none of the 8 asked for" in finding.text
    assert "--device cpu" in finding.advice


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    made = plan(tmp_path, train={"train_img_dir": str(tmp_path / "faces")})
    (finding,) = [finding for finding in local_doctor.examine(made) if finding.level is Level.ERROR]
    assert finding.text == f"train.train_img_dir: {tmp_path}/faces does not exist"


@pytest.mark.parametrize(("free", "level"), [(100 << 20, Level.ERROR), (1 << 30, Level.WARNING), (9 << 30, Level.OK)])
def test_room(free: int, level: Level) -> None:
    finding = local_doctor.room(Path("/data"), free)
    assert finding.level is level
    assert finding.text.startswith("/data has ")


def test_a_storage_that_is_not_there_yet_is_judged_by_what_is_above_it(tmp_path: Path) -> None:
    assert local_doctor.storage(tmp_path / "a" / "b").level is Level.OK
    assert local_doctor.storage(Path("/proc/1/none")).level is Level.ERROR


def test_a_command_and_a_package_that_are_not_there() -> None:
    assert local_doctor.command("ip", None).advice == "install iproute2"
    assert local_doctor.framework(False).level is Level.ERROR


def test_shared_memory(tmp_path: Path) -> None:
    assert local_doctor.shared_memory(tmp_path).level is Level.OK
    assert local_doctor.shared_memory(tmp_path / "none").level is Level.ERROR


def test_a_stage_on_a_device_of_its_own(tmp_path: Path) -> None:
    stages = ("export", "infer310")
    finding = local_doctor.devices(plan(tmp_path, stages=stages, infer310={"infer_device": "ascend310"}))
    assert finding.text.startswith("device ascend310: this machine has none of the 1 asked for")
    assert finding.advice.startswith("use --set infer310.infer_device=cpu, or")


def test_programs_that_are_not_there(tmp_path: Path) -> None:
    made = plan(tmp_path, stages=("infer310",), env={FOLDER: str(tmp_path)})
    (finding,) = [finding for finding in local_doctor.examine(made) if finding.check == "programs"]
    assert finding.text == f"{INFER} is not in {tmp_path}"
    assert finding.advice.startswith("run `make infer310`")
