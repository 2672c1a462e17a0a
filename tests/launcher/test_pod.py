"""The first process of a stage, over real processes that run the stand-in program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import marker, names, record
from launcher.facts import Attempt
from launcher.plan import to_json
from launcher.processes import msrun, process_tree
from launcher.spec import StagePolicy
from runfolder import layout
from tests.launcher.standin import (
    FAST,
    left_over,
    nothing_left,
    run_path,
    stage,
    stand_in_plan,
    steps_done,
    use_stand_in_msrun,
    wait_until,
    written,
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(run_path(tmp_path)) as path:
        yield path


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stand_in_msrun(tmp_path / "site", monkeypatch)


Pod = subprocess.Popen[str]


def start(folder: Path, *options: str, processes: int = 1, policy: StagePolicy = FAST, attempt: int = 1) -> Pod:
    if not (folder / layout.PLAN).exists():
        written(folder.parents[1], stage(folder, "train", *options, processes=processes, policy=policy))
    marks = {names.ENV_FOLDER: str(folder), names.ENV_STAGE: "train"}
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "train"]
    return subprocess.Popen(
        [*argv, "--attempt", str(attempt)], env={**os.environ, **marks}, stdout=subprocess.PIPE, text=True
    )


def finish(pod: Pod) -> tuple[int, list[str]]:
    out, _ = pod.communicate(timeout=120)
    return pod.returncode, out.splitlines()


def run(folder: Path, *options: str, processes: int = 1, policy: StagePolicy = FAST, attempt: int = 1) -> Attempt:
    """One attempt to its end, as the pod wrote it down; its exit code is the pod's."""
    code, _ = finish(start(folder, *options, processes=processes, policy=policy, attempt=attempt))
    ended = record.read_attempt(folder / "train", attempt)
    assert ended is not None
    assert ended.ended is not None
    assert ended.exit_code == code
    return ended


def pid_of(folder: Path, name: str, attempt: int = 1) -> int:
    path = layout.pid_file(layout.status_folder(folder / "train", attempt), name)
    wait_until(path.exists)
    return int(path.read_text())


def begun(folder: Path, name: str = "rank_0") -> Callable[[], bool]:
    log = layout.log_file(folder / "train" / "logs", name)
    return lambda: log.exists() and " done" in log.read_text()


def test_a_good_stage_is_complete_with_marker_logs_and_prefixes(folder: Path) -> None:
    code, lines = finish(start(folder, "--steps", "3"))

    plan = record.read_plan(folder)
    ended = record.read_attempt(folder / "train", 1)
    assert code == 0
    assert marker.marker_fault(folder / "train", plan.stage("train"), plan.hash, deep=True) is None
    assert "[rank 0] step 2 done" in lines
    assert lines[0].startswith("[launcher] attempt 1 of train begins")
    assert all(line.startswith(("[rank 0] ", "[launcher] ")) for line in lines)
    assert "step 2 done" in (folder / "train/logs/rank_0.log").read_text().splitlines()
    assert ended is not None
    assert (ended.exit_code, ended.reason, ended.message) == (0, "", "")


def test_lines_are_whole_whatever_bytes_they_hold(folder: Path) -> None:
    _, lines = finish(start(folder, "--steps", "2", "--trouble", "0:1:bytes"))

    assert "[rank 0] \ufffd\ufffd not text" in lines
    assert "[rank 0] no endstep 1 done" in lines


def test_an_error_of_the_program_is_told_with_its_last_lines(folder: Path) -> None:
    ended = run(folder, "--trouble", "0:2:exit1")

    assert (ended.exit_code, ended.reason, ended.retry, ended.rank) == (1, "StageFailed", True, None)
    assert ended.message == "the stand-in was told to fail"
    assert ended.last_lines[-1] == "now comes: exit1"
    assert not (folder / "train" / layout.SUCCESS).exists()


@pytest.mark.parametrize(
    ("trouble", "exit_code", "reason", "retry"),
    [
        ("exit2", 42, "ConfigurationError", False),
        ("nan", 1, "Diverged", False),
        ("SIGKILL", 1, "Killed", True),
        ("SIGSEGV", 1, "Crashed", True),
        ("noresult", 1, "NoMarker", True),
    ],
)
def test_how_a_program_ends_becomes_a_reason(
    folder: Path, trouble: str, exit_code: int, reason: str, retry: bool
) -> None:
    ended = run(folder, "--trouble", f"0:1:{trouble}")

    assert (ended.exit_code, ended.reason, ended.retry) == (exit_code, reason, retry)


def test_a_crash_at_the_exit_of_a_program_that_is_done_is_no_failure(folder: Path) -> None:
    """The last step is behind it, its files are written: the heartbeat says so."""
    ended = run(folder, "--steps", "3", "--trouble", "0:3:SIGSEGV")

    assert (ended.exit_code, ended.reason) == (0, "")
    assert (folder / "train" / layout.SUCCESS).exists()


@pytest.mark.usefixtures("several")
def test_a_crash_at_the_exit_of_one_rank_takes_nothing_from_the_others(folder: Path) -> None:
    """msrun, which knows nothing of that, kills them and fails."""
    ended = run(folder, "--steps", "3", "--trouble", "1:3:SIGSEGV", processes=2)

    assert (ended.exit_code, ended.reason) == (0, "")
    assert "exit with exception" in (folder / "train/logs/msrun.log").read_text()
    assert (folder / "train" / layout.SUCCESS).exists()


@pytest.mark.usefixtures("several")
def test_a_rank_that_is_done_and_hangs_at_its_exit_is_ended_and_is_no_failure(folder: Path) -> None:
    ended = run(folder, "--steps", "3", "--trouble", "1:3:silent", processes=2, policy=replace(FAST, heartbeat_s=2.0))

    assert (ended.exit_code, ended.reason) == (0, "")
    assert (folder / "train" / layout.SUCCESS).exists()
    assert process_tree.read(pid_of(folder, "rank_1")) is None


def test_an_earlier_result_does_not_stand_in_for_a_missing_one(folder: Path) -> None:
    assert run(folder, "--steps", "2", "--trouble", "0:1:SIGKILL", "--until", "1").exit_code == 1
    (folder / "train" / layout.RESULT).write_text('{"schema": 1, "stage": "train", "files": []}')

    _, lines = finish(start(folder, attempt=2))

    assert "[rank 0] step 1 done" in lines
    result = marker.read_marker(folder / "train")
    assert result is not None
    assert result.metrics == {"steps": 2}


def test_a_stopped_rank_ends_the_stage(folder: Path) -> None:
    begin = time.monotonic()

    ended = run(folder, "--trouble", "0:1:SIGSTOP", policy=replace(FAST, heartbeat_s=2.0))

    assert (ended.exit_code, ended.reason, ended.retry) == (1, "RankHung", True)
    assert time.monotonic() - begin < 60


def test_a_busy_rank_without_steps_ends_the_stage_when_it_stalls(folder: Path) -> None:
    ended = run(folder, "--trouble", "0:1:busy", policy=replace(FAST, stall_s=2.0))

    assert ended.reason == "RankHung"
    assert "no step" in ended.message


def test_deadline_saves_a_checkpoint_and_is_not_retried(folder: Path) -> None:
    ended = run(folder, "--steps", "1000", "--save_every", "1000", policy=replace(FAST, deadline_s=4.0))

    assert (ended.exit_code, ended.reason, ended.retry) == (1, "DeadlineExceeded", False)
    saved = [path.name for path in (folder / "train/checkpoints").glob("*.ckpt")]
    done = len(steps_done(folder))  # none where the machine was too busy to begin within the deadline
    assert saved == ([f"0-1_{done}.ckpt"] if done else [])


def test_told_to_stop_it_saves_a_checkpoint_that_the_next_attempt_goes_on_from(folder: Path) -> None:
    pod = start(folder, "--steps", "30", "--save_every", "1000")
    wait_until(begun(folder))
    pod.send_signal(signal.SIGTERM)

    code, _ = finish(pod)

    ended = record.read_attempt(folder / "train", 1)
    done = len(steps_done(folder))
    assert (code, ended and ended.reason) == (143, "Terminated")
    assert run(folder, attempt=2).exit_code == 0
    assert [step for _, step in steps_done(folder)] == list(range(30))
    assert (2, done) in steps_done(folder)


def test_a_killed_pod_leaves_no_orphan(folder: Path, several: None) -> None:
    pod = start(folder, "--steps", "1000", processes=2)
    wait_until(begun(folder, "rank_1"))

    pod.kill()

    finish(pod)
    wait_until(lambda: left_over(folder) == [])


def test_ranks_go_together_and_each_has_its_log(folder: Path, several: None) -> None:
    code, lines = finish(start(folder, "--steps", "3", processes=4))

    assert code == 0
    for number in range(4):
        assert f"[rank {number}] step 2 done" in lines
        assert "step 2 done" in layout.log_file(folder / "train/logs", f"rank_{number}").read_text()


@pytest.mark.parametrize(
    ("trouble", "exit_code", "reason"),
    [("exit1", 1, "StageFailed"), ("SIGKILL", 1, "Killed"), ("exit2", 42, "ConfigurationError")],
)
def test_the_rank_that_failed_first_is_named(
    folder: Path, several: None, trouble: str, exit_code: int, reason: str
) -> None:
    ended = run(folder, "--steps", "1000", "--trouble", f"1:2:{trouble}", processes=3)

    assert (ended.exit_code, ended.reason, ended.rank) == (exit_code, reason, 1)
    assert ended.message.startswith("rank 1")
    assert any(f"now comes: {trouble}" in line for line in ended.last_lines)


def test_of_ranks_that_are_seen_dead_at_once_the_first_is_named(folder: Path, several: None) -> None:
    """As on a busy machine, where msrun may have killed the others before the pod comes to look."""
    pod = start(folder, "--steps", "1000", processes=2)
    wait_until(begun(folder, "rank_1"))
    first, other = pid_of(folder, "rank_1"), pid_of(folder, "rank_0")
    pod.send_signal(signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: (seen := process_tree.read(other)) is None or not seen.alive)
    pod.send_signal(signal.SIGCONT)

    finish(pod)

    ended = record.read_attempt(folder / "train", 1)
    assert ended is not None
    assert (ended.reason, ended.rank) == ("Killed", 1)


def test_a_silent_rank_among_several_is_named(folder: Path, several: None) -> None:
    ended = run(
        folder, "--steps", "1000", "--trouble", "2:3:silent", processes=3, policy=replace(FAST, heartbeat_s=3.0)
    )

    assert (ended.reason, ended.rank) == ("RankHung", 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_stopped_scheduler_ends_the_stage(folder: Path, several: None, number: signal.Signals) -> None:
    pod = start(folder, "--steps", "1000", processes=2, policy=replace(FAST, heartbeat_s=2.0))
    wait_until(begun(folder, "rank_1"))
    os.kill(pid_of(folder, "scheduler"), number)

    code, _ = finish(pod)

    ended = record.read_attempt(folder / "train", 1)
    assert (code, ended and ended.reason) == (1, "SchedulerFailed")


def test_a_killed_msrun_ends_the_stage(folder: Path, several: None) -> None:
    pod = start(folder, "--steps", "1000", processes=2)
    wait_until(begun(folder, "rank_1"))
    os.kill(pid_of(folder, "msrun"), signal.SIGKILL)

    code, _ = finish(pod)

    ended = record.read_attempt(folder / "train", 1)
    assert (code, ended and ended.reason) == (1, "Killed")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_an_msrun_that_ends_or_stops_before_its_ranks_begin_ends_the_stage(
    folder: Path, number: signal.Signals
) -> None:
    """The real one: importing MindSpore takes it a moment."""
    pod = start(folder, processes=2, policy=replace(FAST, heartbeat_s=2.0))
    os.kill(pid_of(folder, "msrun"), number)

    code, _ = finish(pod)

    ended = record.read_attempt(folder / "train", 1)
    assert (code, ended and ended.reason) == (1, "Killed" if number is signal.SIGKILL else "RankHung")


def test_several_told_to_stop_let_the_first_save_its_checkpoint(folder: Path, several: None) -> None:
    """Though msrun kills all ranks as soon as one has ended."""
    pod = start(folder, "--steps", "1000", "--save_every", "1000", "--step_s", "0.3", processes=2)
    wait_until(begun(folder, "rank_1"))
    pod.send_signal(signal.SIGTERM)

    code, _ = finish(pod)

    assert code == 143
    assert len(list((folder / "train/checkpoints").glob("*.ckpt"))) == 1


def test_a_port_that_is_taken_is_replaced(folder: Path, several: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`StageProcesses` asks for a port each time it starts; the first answer is one that is in use."""
    with socket.socket() as taken:
        taken.bind((msrun.HOST, 0))
        first = f"import launcher.processes.msrun as m; ports = [{taken.getsockname()[1]}]; free = m.free_port\n"
        patch = first + "m.free_port = lambda: ports.pop() if ports else free()\n"
        code = f"{patch}import sys; from launcher.pod import main; sys.exit(main(sys.argv[1:]))"
        written(folder.parents[1], stage(folder, "train", "--steps", "2", processes=2))
        argv = [sys.executable, "-c", code, "--folder", str(folder), "--stage", "train", "--attempt", "1"]
        out = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout

    assert "trying the next one" in out
    assert out.count("[rank 0] step 1 done") == 1


@pytest.mark.parametrize("by", ["its end", "a later attempt"])
def test_an_attempt_that_the_run_gave_up_ends_itself_and_leaves_its_record_alone(folder: Path, by: str) -> None:
    pod = start(folder, "--steps", "1000")
    wait_until(begun(folder))
    given_up = Attempt(1, 1.0, ended=2.0, reason="NodeLost")
    record.write_attempt(folder / "train", given_up)
    if by == "a later attempt":
        record.write_attempt(folder / "train", Attempt(2, 3.0))

    code, lines = finish(pod)

    assert (code, lines[-1]) == (
        1,
        "[launcher] attempt 1 of train ended, Superseded: the run has given this attempt up",
    )
    assert record.read_attempt(folder / "train", 1) == given_up
    assert finish(start(folder))[0] == 1, "nor may it begin again"
    assert record.read_attempt(folder / "train", 1) == given_up


def test_what_is_complete_is_not_done_again(folder: Path) -> None:
    assert run(folder, "--steps", "2").exit_code == 0
    made = (folder / "train" / layout.SUCCESS).read_bytes()

    assert run(folder, attempt=2).exit_code == 0

    assert (folder / "train" / layout.SUCCESS).read_bytes() == made
    assert {attempt for attempt, _ in steps_done(folder)} == {1}


def test_in_a_container_the_environment_says_which_attempt_and_image_it_is(folder: Path) -> None:
    written(folder.parents[1], stage(folder, "train", "--steps", "2"))
    environment = {**os.environ, names.ENV_ATTEMPT: "3", names.ENV_IMAGE: "registry/sphereface:1"}
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "train"]

    subprocess.run(argv, env=environment, stdout=subprocess.DEVNULL, check=True, timeout=120)

    made = marker.read_marker(folder / "train")
    assert made is not None
    assert (made.attempt, made.image) == (3, "registry/sphereface:1")


def test_a_storage_that_takes_nothing_is_told_by_the_exit_code(folder: Path) -> None:
    written(folder.parents[1], stage(folder, "train"))
    (folder / "train").touch()  # even root cannot make a folder there
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "train", "--attempt", "1"]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 74
    assert done.stderr.startswith(f"error: {folder}/train")


def test_an_unknown_stage_is_refused_for_good(folder: Path) -> None:
    written(folder.parents[1], stage(folder, "train"))
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "tarin", "--attempt", "1"]

    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 42
    assert done.stderr == "error: run 'demo' has no stage 'tarin'\n"


def test_msrun_of_mindspore_starts_the_ranks_and_ends_with_them(folder: Path) -> None:
    code, lines = finish(start(folder, "--steps", "3", processes=2))

    assert code == 0
    assert {"[rank 0] step 2 done", "[rank 1] step 2 done"} <= set(lines)


def without_runner(folder: Path, stage_name: str, plan: Path, attempt: int = 1) -> tuple[int, str]:
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", stage_name]
    argv += ["--attempt", str(attempt)]
    marks = {names.ENV_FOLDER: str(folder), names.ENV_STAGE: stage_name}
    done = subprocess.run(
        [*argv, "--plan", str(plan)], env={**os.environ, **marks}, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def test_without_a_runner_the_pod_makes_the_run_folder_and_keeps_the_order(folder: Path, tmp_path: Path) -> None:
    train, evaluate = stage(folder, "train", "--steps", "2"), stage(folder, "evaluate", "--steps", "1")
    made = stand_in_plan(tmp_path, train, replace(evaluate, needs=("train",)))
    given = tmp_path / "plan.json"
    given.write_text(json.dumps(to_json(made)))

    early = without_runner(folder, "evaluate", given)
    assert early == (42, "error: evaluate of run 'demo' needs train, which is not complete; start that first\n")
    for name in ("train", "evaluate"):
        code, out = without_runner(folder, name, given)
        assert code == 0, out
        assert marker.is_complete(folder / name, made.stage(name), made.hash)


def test_without_a_runner_what_failed_goes_on_as_the_next_attempt(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "plan.json"
    options = ("--steps", "6", "--trouble", "0:4:exit1", "--until", "1")
    given.write_text(json.dumps(to_json(stand_in_plan(tmp_path, stage(folder, "train", *options)))))

    assert without_runner(folder, "train", given)[0] == 1
    assert without_runner(folder, "train", given) == (1, "[launcher] attempt 1 of train was given up before it began\n")
    code, out = without_runner(folder, "train", given, attempt=2)

    assert code == 0, out
    assert steps_done(folder) == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 4), (2, 5)]


def test_without_a_runner_another_plan_of_that_name_is_refused(folder: Path, tmp_path: Path) -> None:
    written(tmp_path, stage(folder, "train", "--steps", "2"))
    given = tmp_path / "plan.json"
    given.write_text(json.dumps(to_json(stand_in_plan(tmp_path, stage(folder, "train", "--steps", "3")))))

    code, out = without_runner(folder, "train", given)

    assert (code, out.count("\n")) == (42, 1)
    assert "exists with another plan" in out


def test_a_plan_that_cannot_be_read_is_one_line(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "plan.json"
    for content in ("{", "[]"):
        given.write_text(content)
        code, out = without_runner(folder, "train", given)
        assert (code, out.count("\n")) == (42, 1), out
