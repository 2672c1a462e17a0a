from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.commands.doctor import line
from launcher.doctor import ok, warning
from runfolder import layout
from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


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


def test_logs_are_looked_into(call: Call, tmp_path: Path) -> None:
    (tmp_path / "rank_3.log").write_text("fine\nEI0019: taken\n")
    done = call("doctor", "--logs", "rank_3.log")
    assert done.code == 1
    assert done.out.startswith("error    ports-taken: a port is taken by another process\n")

    finding = json.loads(call("doctor", "--logs", ".", "-o", "json").out)["findings"][0]
    assert (finding["level"], finding["check"], finding["log"], finding["line"]) == (
        "error", "ports-taken", "rank_3.log", 2,
    )  # fmt: skip


def test_logs_without_a_failure(call: Call, tmp_path: Path) -> None:
    (tmp_path / "rank_3.log").write_text("fine\n")
    done = call("doctor", "--logs", "rank_3.log")
    assert (done.code, done.out) == (0, "ok       logs: no known failure in 1 line of rank_3.log\n")


def test_stdin_is_a_log(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").write_bytes(b"\xff\nEL0005: busy\n")
    with (tmp_path / "in").open(errors="replace") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        done = call("doctor", "--logs", "-")
    assert done.code == 1
    assert "seen      stdin:2: EL0005: busy" in done.out


def test_logs_that_are_not_there(call: Call) -> None:
    done = call("doctor", "--logs", "gone.log")
    assert (done.code, done.err) == (3, "error: gone.log: no such file or folder\n")


def test_logs_and_a_spec_do_not_go_together(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    done = call("doctor", "--devices", "8", "--logs", "a.log")
    assert done.code == 2
    assert "--logs and --run look into logs and not at a spec; leave out devices" in done.err
    assert call("doctor", "--run", "demo", "--logs", "a.log").code == 2


def test_a_run_is_looked_into_through_its_backend(call: Call, backend: FakeBackend, demo: str) -> None:
    done = call("doctor", "--run", demo)
    assert done.code == 0
    assert (
        done.out == "ok       run           'demo' is Running\nok       logs: no known failure in 6 lines of 2 logs\n"
    )

    backend.runs[demo].fails_in = "train"
    backend.clock.now += 60
    done = call("doctor", "--run", demo)
    assert done.code == 1
    assert done.out.startswith(
        "error    run           'demo' is Failed, RankFailed: rank 1 ended with exit code 1: boom\n"
    )
    said = json.loads(call("doctor", "--run", demo, "-o", "json").out)["run"]
    assert (said["name"], said["state"], said["reason"]) == ("demo", "Failed", "RankFailed")


def test_a_run_of_this_machine_is_looked_into_in_its_folder(call: Call, backend: FakeBackend, demo: str) -> None:
    backend.name = "local"
    logs = layout.stage_folder(layout.run_folder(backend.storage, demo), "train") / layout.LOGS
    logs.mkdir(parents=True)
    layout.log_file(logs, "scheduler").write_text(
        "Configured scheduler port MS_SCHED_PORT is occupied by other processes.\n"
    )
    done = call("doctor", "--run", demo)
    assert done.code == 1
    assert f"seen      {logs}/scheduler.log:1: Configured scheduler port" in done.out


def test_a_run_that_is_not_there(call: Call, demo: str) -> None:
    done = call("doctor", "--run", "demos")
    assert done.code == 3
    assert "did you mean 'demo'?" in done.err
