"""The local backend over real processes: detached supervisors, pods, and the stand-in program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import record
from launcher.backends import Backend, LogQuery, supervisor
from launcher.backends.local import LocalBackend
from launcher.errors import BackendError, Conflict, NotFound, UsageError
from launcher.plan import Plan
from launcher.profiles import load_profile
from launcher.resize import Resize
from launcher.states import State
from launcher.status import RunStatus
from runfolder import layout
from tests.launcher.standin import (
    FAST,
    left_over,
    reap,
    run_path,
    stage,
    stand_in_plan,
    steps_done,
    use_stand_in_msrun,
    wait_until,
    written,
)

LONG = ("--steps", "2000", "--save_every", "2")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    local = LocalBackend(tmp_path)
    yield local
    for folder in record.run_folders(tmp_path):
        supervisor.stop(folder)
        supervisor.sweep(folder, grace_s=0)
    reap()


def plan_of(storage: Path, *options: str, run: str = "demo", stages: tuple[str, ...] = ("train", "export")) -> Plan:
    folder = run_path(storage, run)
    first, *rest = stages
    return stand_in_plan(
        storage, stage(folder, first, *options), *(stage(folder, name, "--steps", "1") for name in rest), run=run
    )


def status(backend: Backend, run: str = "demo") -> RunStatus:
    (found,) = backend.observe(run)
    return found


def ended(backend: Backend) -> RunStatus:
    wait_until(lambda: status(backend).state.terminal, seconds=90)
    return status(backend)


def working(storage: Path) -> None:
    wait_until(lambda: len(steps_done(run_path(storage))) > 2, what="steps of train")


def kill_supervisor(storage: Path) -> None:
    now = supervisor.holder(run_path(storage))
    assert now is not None
    assert now.pid is not None
    os.kill(now.pid, signal.SIGKILL)
    wait_until(lambda: supervisor.holder(run_path(storage)) is None)


def test_a_run_goes_through_its_stages_and_its_logs_end_with_it(backend: LocalBackend, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "--steps", "3")

    submitted = backend.submit(plan)
    lines = list(backend.logs("demo", LogQuery(follow=True)))

    assert (submitted.outcome, submitted.run) == ("created", "demo")
    run = status(backend)
    assert (run.state, run.backend, run.plan_hash) == (State.SUCCEEDED, "local", plan.hash)
    assert [(each.name, each.state, each.attempts) for each in run.stages] == [
        ("train", State.SUCCEEDED, 1),
        ("export", State.SUCCEEDED, 1),
    ]
    assert run.stages[0].metrics == {"steps": 3}
    progress = run.stages[0].progress
    assert progress is not None
    assert (progress.step, progress.steps, progress.ranks_alive, progress.ranks) == (3, 3, 0, 1)
    steps = [(line.stage, line.text) for line in lines if line.rank == 0 and "done" in line.text]
    assert steps == [("train", f"step {number} done") for number in range(3)] + [("export", "step 0 done")]
    assert left_over(run_path(tmp_path)) == []

    again = backend.submit(plan)
    assert (again.outcome, again.state) == ("unchanged", State.SUCCEEDED)
    assert backend.submit(plan, resume=True).outcome == "unchanged"
    assert not backend.cancel("demo")
    assert backend.delete("demo") == (str(run_path(tmp_path)),)
    assert list((tmp_path / layout.RUNS).iterdir()) == []


def test_another_plan_under_the_same_name_is_refused_with_the_keys_that_differ(
    backend: LocalBackend, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, *LONG)
    backend.submit(plan)

    other = plan_of(tmp_path, "--steps", "3")
    with pytest.raises(Conflict, match="exists with another plan"):
        backend.submit(other)

    assert backend.submit(plan).outcome == "unchanged"
    assert not status(backend).state.terminal


def test_cancel_saves_a_checkpoint_and_resume_goes_on_from_it(backend: LocalBackend, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "--steps", "25", "--save_every", "1000", "--step_s", "0.1")
    backend.submit(plan)
    working(tmp_path)

    assert backend.cancel("demo")

    run = status(backend)
    done = len(steps_done(run_path(tmp_path)))
    assert (run.state, run.reason, run.stages[0].state) == (State.CANCELLED, "CancelledByUser", State.CANCELLED)
    assert left_over(run_path(tmp_path)) == []
    assert (run_path(tmp_path) / f"train/checkpoints/0-1_{done}.ckpt").exists()
    assert backend.submit(plan).outcome == "unchanged"
    assert backend.submit(plan, resume=True).outcome == "resumed"
    assert ended(backend).state is State.SUCCEEDED
    assert [step for _, step in steps_done(run_path(tmp_path))] == list(range(25))


def test_resume_with_fewer_devices_goes_on_with_them(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stand_in_msrun(tmp_path / "site", monkeypatch)
    options = ("--steps", "25", "--save_every", "1000", "--step_s", "0.1", "--accumulate_steps", "1")
    plan = written(tmp_path, stage(run_path(tmp_path), "train", *options, processes=2))
    backend.submit(plan)
    working(tmp_path)
    with pytest.raises(UsageError, match="launcher cancel demo"):
        backend.submit("demo", resume=True, resize=Resize(1))
    assert backend.cancel("demo")

    assert backend.submit("demo", resume=True, resize=Resize(1)).outcome == "resumed"

    run = ended(backend)
    assert (run.state, run.devices) == (State.SUCCEEDED, 1), run
    log = (run_path(tmp_path) / "train/logs/pod.log").read_text()
    assert "attempt 1 of train begins, 2 process(es)" in log
    assert "attempt 2 of train begins, 1 process(es)" in log
    assert backend.submit(plan).outcome == "unchanged"


def test_a_killed_supervisor_takes_its_stage_along_and_submit_goes_on(backend: LocalBackend, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "--steps", "20", "--step_s", "0.1")
    backend.submit(plan)
    working(tmp_path)

    kill_supervisor(tmp_path)

    run = status(backend)
    assert (run.state, run.reason, run.stages[0].state) == (State.UNKNOWN, "SupervisorLost", State.UNKNOWN)
    wait_until(lambda: left_over(run_path(tmp_path)) == [])
    assert backend.submit(plan).outcome == "resumed"
    run = ended(backend)
    assert run.state is State.SUCCEEDED
    assert [step for _, step in steps_done(run_path(tmp_path))] == list(range(20))
    assert record.stage_facts(run_path(tmp_path), plan)["train"].attempts[0].reason in ("Terminated", "SupervisorLost")


def test_cancel_works_without_a_supervisor(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(plan_of(tmp_path, *LONG))
    working(tmp_path)
    kill_supervisor(tmp_path)

    assert backend.cancel("demo")

    assert left_over(run_path(tmp_path)) == []
    assert status(backend).state is State.CANCELLED
    assert status(backend).stages[0].state is State.CANCELLED
    assert not (run_path(tmp_path) / layout.CANCEL).exists()


def test_delete_stops_a_run_and_removes_only_that(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(plan_of(tmp_path, *LONG))
    working(tmp_path)
    (tmp_path / layout.RUNS / "notes.txt").write_text("mine")

    backend.delete("demo")

    assert left_over(run_path(tmp_path)) == []
    assert [path.name for path in (tmp_path / layout.RUNS).iterdir()] == ["notes.txt"]
    with pytest.raises(NotFound):
        backend.observe("demo")


def test_a_killed_pod_is_retried_by_its_supervisor(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(plan_of(tmp_path, "--steps", "20", "--step_s", "0.1"))
    working(tmp_path)
    attempt = record.read_attempt(run_path(tmp_path) / "train", 1)
    assert attempt is not None

    os.kill(attempt.pid, signal.SIGKILL)

    run = ended(backend)
    assert (run.state, run.stages[0].attempts) == (State.SUCCEEDED, 2)
    first = record.read_attempt(run_path(tmp_path) / "train", 1)
    assert first is not None
    assert (first.reason, first.exit_code) == ("Killed", -signal.SIGKILL)


def test_a_stopped_pod_is_killed_and_retried(backend: LocalBackend, tmp_path: Path) -> None:
    folder = run_path(tmp_path)
    quick = stage(folder, "train", "--steps", "20", "--step_s", "0.1", policy=replace(FAST, heartbeat_s=1.5))
    backend.submit(stand_in_plan(tmp_path, quick))
    working(tmp_path)
    attempt = record.read_attempt(folder / "train", 1)
    assert attempt is not None

    os.kill(attempt.pid, signal.SIGSTOP)

    assert ended(backend).state is State.SUCCEEDED


def test_a_stopped_supervisor_is_woken_by_resume(backend: LocalBackend, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "--steps", "20")
    backend.submit(plan)
    now = supervisor.holder(run_path(tmp_path))
    assert now is not None
    assert now.pid is not None
    os.kill(now.pid, signal.SIGSTOP)
    wait_until(lambda: (seen := now.process) is not None and seen.state == "T")

    assert backend.submit(plan, resume=True).outcome == "resumed"

    assert ended(backend).state is State.SUCCEEDED


def test_a_failed_run_says_why_and_is_left_alone_until_resumed(backend: LocalBackend, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "--trouble", "0:2:nan", "--until", "1")
    backend.submit(plan)

    run = ended(backend)

    assert (run.state, run.reason, run.message) == (State.FAILED, "Diverged", "loss is NaN at step 3")
    assert run.stages[1].state is State.PENDING
    assert (backend.submit(plan).outcome, backend.submit(plan).state) == ("unchanged", State.FAILED)
    assert backend.submit(plan, resume=True).outcome == "resumed"
    assert ended(backend).state is State.SUCCEEDED


def test_a_run_survives_the_end_of_its_terminal(backend: LocalBackend, tmp_path: Path) -> None:
    """The terminal's end is SIGHUP to the whole process group and session of whoever submitted."""
    plan_of_it = f"plan_of(Path({str(tmp_path)!r}), '--steps', '20', '--step_s', '0.1')"
    code = (
        "import signal, time; from pathlib import Path; from launcher.backends.local import LocalBackend\n"
        "from tests.launcher.backends.test_local import plan_of\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        f"LocalBackend(Path({str(tmp_path)!r})).submit({plan_of_it}); print('submitted', flush=True); time.sleep(600)\n"
    )
    shell = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[3],
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "submitted\n"

    os.killpg(shell.pid, signal.SIGHUP)

    shell.communicate()
    assert ended(backend).state is State.SUCCEEDED


def test_runs_are_listed_oldest_first_and_unreadable_ones_are_shown(backend: LocalBackend, tmp_path: Path) -> None:
    for number, name in enumerate(("b", "a")):
        plan = plan_of(tmp_path, run=name)
        record.write_plan(Path(plan.folder), plan)
        record.write_run(Path(plan.folder), record.new_run(plan, "local", 1000.0 + number))
    torn = plan_of(tmp_path, run="torn")
    record.write_plan(Path(torn.folder), torn)
    (Path(torn.folder) / layout.RUN).write_text("{")

    found = {run.run: run for run in backend.observe()}

    assert [run for run in found if run != "torn"] == ["b", "a"]
    assert {run.state for run in found.values()} == {State.UNKNOWN}
    assert found["torn"].reason == "RecordUnreadable"
    assert found["a"].reason == "SupervisorLost"


def test_devices_that_are_not_there_are_refused_before_anything_is_written(
    backend: LocalBackend, tmp_path: Path
) -> None:
    plan = replace(plan_of(tmp_path), profile=load_profile("ascend910"))

    with pytest.raises(UsageError, match="ascend910: this machine has none"):
        backend.submit(plan)

    assert not (tmp_path / layout.RUNS).exists()


def test_a_folder_that_is_no_run_is_not_taken(backend: LocalBackend, tmp_path: Path) -> None:
    run_path(tmp_path).mkdir(parents=True)
    (run_path(tmp_path) / "thesis.tex").touch()

    with pytest.raises(UsageError, match="exists and is not a run"):
        backend.submit(plan_of(tmp_path))

    assert [path.name for path in (tmp_path / layout.RUNS).iterdir()] == ["demo"]
    with pytest.raises(NotFound):
        backend.delete("demo")


def test_drafts_of_killed_submits_are_never_shown_and_cleared_in_time(backend: LocalBackend, tmp_path: Path) -> None:
    runs = tmp_path / layout.RUNS
    for name, age in ((".new-demo-1", 7200), (".removed-demo-2", 7200), (".new-demo-3", 10)):
        (runs / name).mkdir(parents=True)
        (runs / name / layout.PLAN).write_text("{}")
        os.utime(runs / name, (time.time() - age,) * 2)
    assert backend.observe() == ()

    backend.submit(plan_of(tmp_path, *LONG))

    assert sorted(path.name for path in runs.iterdir()) == [".new-demo-3", "demo"]


def test_a_second_supervisor_ends_at_once(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(plan_of(tmp_path, *LONG))
    argv = [sys.executable, "-m", "launcher.backends.local_runner", "--folder", str(run_path(tmp_path))]

    second = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)

    assert second.stdout == "already supervised\n"
    assert not status(backend).state.terminal


@pytest.mark.parametrize("name", ["none", "../demo", ".new-demo-1", ""])
def test_a_name_that_is_no_run_is_not_found(backend: LocalBackend, name: str) -> None:
    with pytest.raises(NotFound):
        backend.observe(name)


def test_following_a_run_that_nobody_drives_is_an_error(backend: LocalBackend, tmp_path: Path) -> None:
    backend.submit(plan_of(tmp_path, *LONG))
    working(tmp_path)
    kill_supervisor(tmp_path)

    with pytest.raises(BackendError, match="launcher resume"):
        list(backend.logs("demo", LogQuery(follow=True)))
