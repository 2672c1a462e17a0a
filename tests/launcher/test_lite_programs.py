from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from launcher import lite_programs
from launcher.plan import Plan, make_plan
from launcher.spec import STAGES, KubernetesSpec, RunSpec
from runfolder.programs import CONVERT, FOLDER, INFER, RUN


def plan(**more: Any) -> Plan:
    return make_plan(RunSpec("demo", storage="/st", **{"stages": STAGES, **more}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (CONVERT, RUN, INFER):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def test_what_stages_call_is_looked_for_where_they_look_for_it(folder: Path) -> None:
    assert lite_programs.missing(plan(), {FOLDER: str(folder)}) == []
    (folder / RUN).unlink()
    (folder / INFER).unlink()
    missing = lite_programs.missing(plan(), {FOLDER: str(folder)})
    remedy = f"run `make infer310` in a checkout, or set {FOLDER} to the folder of its programs"
    assert missing == [f"{RUN}, {INFER} are not in {folder}; {remedy}"]
    assert lite_programs.missing(plan(env={FOLDER: str(folder)}), {}) == missing


def test_a_run_without_them_needs_none(tmp_path: Path) -> None:
    none = {FOLDER: str(tmp_path)}
    assert lite_programs.missing(plan(stages=STAGES[:3]), none) == []
    lite = plan(stages=("export",), export={"ckpt_files": "/c", "file_format": "LITE"})
    (line,) = lite_programs.missing(lite, none)
    assert line.startswith(f"{CONVERT}, {RUN} are not in {tmp_path}; ")


def test_pods_have_them_in_their_image(tmp_path: Path) -> None:
    made = dataclasses.replace(plan(), kubernetes=KubernetesSpec())
    assert lite_programs.missing(made, {FOLDER: str(tmp_path)}) == []
