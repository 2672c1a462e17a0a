from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from runfolder.programs import CONVERT, FOLDER, INFER, RUN
from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec whose inputs are there."""
    images = tmp_path / "images"
    images.mkdir()
    for name in ("list.txt", "pairs.txt"):
        (tmp_path / name).write_text("")
    path = tmp_path / "demo.yaml"
    path.write_text(
        "name: demo\n"
        "train:\n"
        "  train_img_dir: images\n"
        "  lr: 0.05\n"
        "evaluate: {datatxt_src: list.txt, pairtxt_src: pairs.txt, datasrc: images}\n"
    )
    return path


def test_created_then_unchanged(spec: Path, call: Call) -> None:
    first = call("submit", str(spec))
    assert (first.code, first.out) == (0, "run/demo created\n")
    assert first.err == "Using the local backend: no kubeconfig context and no service account found.\n"
    assert call("submit", str(spec)).out == "run/demo unchanged (Pending)\n"


def test_a_backend_that_was_asked_for_needs_no_words(spec: Path, call: Call) -> None:
    assert call("submit", str(spec), "--backend", "local").err == ""


def test_another_plan_is_exit_6(spec: Path, call: Call) -> None:
    call("submit", str(spec))
    outcome = call("submit", str(spec), "--set", "train.lr=0.1")
    assert outcome.code == 6
    assert "exists with another plan" in outcome.err


def test_follow_ends_with_result_stages_and_files(spec: Path, call: Call) -> None:
    outcome = call("submit", str(spec), "--follow")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[:2] == ["run/demo created", "LFWACC=0.9875 std=0.0050 thd=0.3050"]
    assert lines[3].startswith("STAGE ")
    assert lines[-1].startswith("└── plan.json")
    assert "train: epoch 2/4, step 20/80, loss 3.5, 102 images/s, ETA 30s" in outcome.err


def test_follow_shows_a_finished_run_at_once(spec: Path, backend: FakeBackend, call: Call) -> None:
    call("submit", str(spec), "--wait")
    now = backend.clock.now
    outcome = call("submit", str(spec), "--follow")
    assert outcome.out.startswith("run/demo unchanged (Succeeded)\nLFWACC=0.9875")
    assert backend.clock.now == now


def test_wait_shows_no_progress(spec: Path, call: Call) -> None:
    outcome = call("submit", str(spec), "--wait", "--backend", "local")
    assert (outcome.code, outcome.err) == (0, "")
    assert "LFWACC=" in outcome.out


def test_a_failed_run_is_exit_1_with_the_reason_and_last_lines(spec: Path, backend: FakeBackend, call: Call) -> None:
    backend.fails_in = "train"
    outcome = call("submit", str(spec), "--follow")
    assert outcome.code == 1
    lines = outcome.err.splitlines()
    assert lines[-2] == "[train 0] line 2"
    assert lines[-1].startswith("error: run/demo Failed in train: RankFailed: rank 1 ended with exit code 1: boom")


def test_interrupting_the_following_leaves_the_run(spec: Path, backend: FakeBackend, call: Call) -> None:
    backend.clock.interrupt_in(5)
    outcome = call("submit", str(spec), "--follow")
    assert outcome.code == 130
    assert "run/demo goes on without this terminal" in outcome.err
    assert backend.observe("demo")[0].state == "Running"


def test_timeout_is_exit_5(spec: Path, call: Call) -> None:
    outcome = call("submit", str(spec), "--wait", "--timeout", "5s")
    assert outcome.code == 5
    assert "timed out after 5s" in outcome.err


def test_a_wrong_timeout_starts_nothing(spec: Path, backend: FakeBackend, call: Call) -> None:
    assert call("submit", str(spec), "--wait", "--timeout", "soon").code == 2
    assert backend.runs == {}


def test_json(spec: Path, call: Call) -> None:
    value = json.loads(call("submit", str(spec), "-o", "json").out)
    assert (value["schema"], value["outcome"], value["run"], value["state"]) == (1, "created", "demo", "Pending")
    followed = json.loads(call("submit", str(spec), "--follow", "-o", "json").out)
    assert (followed["outcome"], followed["state"]) == ("unchanged", "Succeeded")


def test_name(spec: Path, call: Call) -> None:
    assert call("submit", str(spec), "-o", "name").out == "run/demo\n"


def test_dry_run_says_where_each_value_came_from(spec: Path, backend: FakeBackend, call: Call) -> None:
    outcome = call("submit", str(spec), "--dry-run", "--devices", "2", "--set", "train.seed=3")
    assert outcome.code == 0
    lines = [line.split(maxsplit=2) for line in outcome.out.splitlines()]
    assert lines[0] == ["run/demo", "created", "(dry run)"]
    assert ["devices", "2", "flag --devices"] in lines
    assert ["train.lr", "0.05", "demo.yaml:4"] in lines
    assert ["train.seed", "3", "flag --set train.seed"] in lines
    assert ["device", "cpu", "default"] in lines
    assert "policy." not in outcome.out
    assert backend.runs == {}


def test_dry_run_as_data(spec: Path, call: Call) -> None:
    as_json = json.loads(call("submit", str(spec), "--dry-run", "-o", "json").out)
    assert as_json["schema"] == 1
    assert as_json["plan"]["stages"][0]["argv"][:4] == ["python", "-m", "sphereface", "train"]
    assert as_json["origins"]["train.lr"] == "demo.yaml:4"
    assert yaml.safe_load(call("submit", str(spec), "--dry-run", "-o", "yaml").out) == as_json


def test_missing_inputs_are_exit_2_and_nothing_is_made(spec: Path, backend: FakeBackend, call: Call) -> None:
    outcome = call("submit", str(spec), "--set", "train.train_img_dir=/nowhere")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == "error: train.train_img_dir: /nowhere does not exist"
    assert backend.runs == {}


def test_a_known_run_does_not_need_its_inputs_any_more(spec: Path, call: Call) -> None:
    call("submit", str(spec), "--wait")
    (spec.parent / "pairs.txt").unlink()
    assert call("submit", str(spec)).out == "run/demo unchanged (Succeeded)\n"


def test_a_wrong_value_names_its_flag(spec: Path, call: Call) -> None:
    outcome = call("submit", str(spec), "--devices", "3")
    assert outcome.code == 2
    assert "--devices" in outcome.err
    assert "1, 2, 4, 8" in outcome.err


def test_a_run_whose_supervisor_died_is_resumed(spec: Path, backend: FakeBackend, call: Call) -> None:
    call("submit", str(spec))
    backend.clock.now += 5
    backend.lose_supervisor("demo")
    assert call("submit", str(spec)).out == "run/demo resumed\n"


def test_a_run_that_failed_is_left_alone_and_the_way_on_is_named(spec: Path, backend: FakeBackend, call: Call) -> None:
    backend.fails_in = "train"
    call("submit", str(spec), "--wait")
    outcome = call("submit", str(spec), "--backend", "local")
    assert (outcome.code, outcome.out) == (0, "run/demo unchanged (Failed)\n")
    assert outcome.err == "'launcher resume demo' goes on from what is finished.\n"


def test_without_the_programs_of_infer310_nothing_is_begun(
    spec: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    words = ("submit", str(spec), "--stages", "train,evaluate,export,infer310")
    for outcome in (call(*words), call(*words, "--dry-run")):
        assert outcome.code == 2
        assert f"{CONVERT}, {RUN}, {INFER} are not in {tmp_path}; run `make infer310` in a checkout" in outcome.err
    assert call("list").out == ""
    for name in (CONVERT, RUN, INFER):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    told = call(*words, "--dry-run").out
    assert "python -m sphereface infer310 --datasrc" in told
    assert call(*words).out == "run/demo created\n"
