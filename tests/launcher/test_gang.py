"""Several pods of one attempt, as processes of this machine over one folder; and what they leave for each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import marker, names, record
from launcher.gang import Card, End, Gang
from launcher.plan import sealed
from launcher.processes.endings import Ending
from launcher.states import reason_of
from runfolder import layout
from tests.launcher.standin import (
    FAST,
    left_over,
    nothing_left,
    run_path,
    stage,
    stand_in_plan,
    use_stand_in_msrun,
    wait_until,
)

PATIENT = replace(FAST, heartbeat_s=6.0)
"""A pod's watcher writes to a storage, and on a busy machine that takes seconds."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    use_stand_in_msrun(tmp_path / "site", monkeypatch)
    with nothing_left(run_path(tmp_path)) as path:
        yield path


def start(folder: Path, *options: str, pods: int = 2) -> list[subprocess.Popen[str]]:
    """All pods of the attempt, each with two ranks."""
    train = replace(stage(folder, "train", *options, processes=2, policy=PATIENT), nodes=2)
    made = sealed(replace(stand_in_plan(folder.parents[1], train), nodes=2))
    record.write_plan(folder, made)
    argv = [sys.executable, "-m", "launcher.pod", "--folder", str(folder), "--stage", "train", "--attempt", "1"]
    marks = {names.ENV_FOLDER: str(folder), names.ENV_STAGE: "train"}
    return [
        subprocess.Popen(
            argv,
            env={**os.environ, **marks, names.ENV_COMPLETION_INDEX: str(pod)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for pod in range(pods)
    ]


def finish(pods: list[subprocess.Popen[str]]) -> tuple[list[int], list[str]]:
    """Exit codes, and what the first pod printed."""
    printed = [pod.communicate(timeout=120)[0] for pod in pods]
    return [pod.returncode for pod in pods], printed[0].splitlines()


def test_pods_work_as_one_and_the_first_speaks_for_all(folder: Path) -> None:
    codes, lines = finish(start(folder, "--steps", "3"))

    plan = record.read_plan(folder)
    ended = record.read_attempt(folder / "train", 1)
    assert codes == [0, 0], lines
    assert marker.marker_fault(folder / "train", plan.stage("train"), plan.hash, deep=True) is None
    assert {f"[rank {rank}] step 2 done" for rank in range(4)} <= set(lines)
    kept = layout.attempt_log(folder / "train", 1).read_text().splitlines()
    assert kept == lines
    assert ended is not None
    assert (ended.exit_code, ended.reason) == (0, "")


def test_a_rank_that_fails_in_another_pod_is_named_with_its_last_lines(folder: Path) -> None:
    codes, lines = finish(start(folder, "--steps", "200", "--trouble", "3:2:exit1"))

    ended = record.read_attempt(folder / "train", 1)
    assert 0 not in codes, lines
    assert ended is not None
    assert (ended.exit_code, ended.rank, ended.retry) == (1, 3, True)
    assert "rank 3" in ended.message
    assert ended.last_lines[-1] == "now comes: exit1"
    assert not (folder / "train" / layout.SUCCESS).exists()


def test_a_rank_that_is_killed_in_another_pod_ends_all(folder: Path) -> None:
    codes, lines = finish(start(folder, "--steps", "200", "--trouble", "2:2:SIGKILL"))

    ended = record.read_attempt(folder / "train", 1)
    assert 0 not in codes, lines
    assert ended is not None
    assert (ended.reason, ended.rank) == ("Killed", 2)


def test_a_rank_that_waits_for_one_that_works_in_another_pod_does_not_hang(folder: Path) -> None:
    busy_s = 2 * PATIENT.heartbeat_s + 1
    codes, lines = finish(start(folder, "--steps", "6", "--trouble", f"0:2:busy_{busy_s}"))

    ended = record.read_attempt(folder / "train", 1)
    assert codes == [0, 0], (ended, lines)


def test_a_rank_that_hangs_in_another_pod_is_named(folder: Path) -> None:
    codes, lines = finish(start(folder, "--steps", "200", "--trouble", "3:2:silent"))

    ended = record.read_attempt(folder / "train", 1)
    assert 0 not in codes, lines
    assert ended is not None
    assert (ended.reason, ended.rank) == ("RankHung", 3), ended


def test_a_pod_that_tells_nothing_any_more_is_told_and_not_charged(folder: Path) -> None:
    first, second = start(folder, "--steps", "2000")
    seen = layout.pod_seen_file(layout.status_folder(folder / "train", 1), 1)
    wait_until(seen.exists)
    second.send_signal(signal.SIGSTOP)
    out, _ = first.communicate(timeout=60)
    second.kill()
    second.communicate(timeout=60)
    wait_until(lambda: not left_over(folder))

    ended = record.read_attempt(folder / "train", 1)
    assert first.returncode == 1, out
    assert ended is not None
    assert ended.reason == "PodSilent", ended
    assert ended.message.startswith("pod 1 has told nothing of its ranks for ")
    assert reason_of("PodSilent").disruption


def test_a_pod_that_is_alone_says_for_whom_it_waits_and_ends_when_told(folder: Path) -> None:
    (alone,) = start(folder, pods=1)
    wait_until(layout.pod_file(layout.status_folder(folder / "train", 1), 0).exists)
    alone.send_signal(signal.SIGTERM)
    codes, lines = finish([alone])

    assert codes == [143]
    assert any("waits for pod 1 (1 of 2 are here)" in line for line in lines), lines
    assert not list((folder / "train" / "status" / "attempt_1").glob("rank_*"))


def test_the_gang_that_does_not_come_together_in_time_is_incomplete(tmp_path: Path) -> None:
    gang = Gang(tmp_path, 3, 1)
    gang.enter("here", 5)
    said: list[str] = []

    ending = gang.meet(0.01, lambda: None, said.append)

    assert ending is not None
    assert (ending.reason, ending.exit_code) == ("GangIncomplete", 1)
    assert ending.message == "only 1 of 3 pods began within 0.01 s; pods 0, 2 did not"
    assert said == ["waits for pods 0, 2 (1 of 3 are here)"]


def test_cards_and_ends_are_read_as_written_and_torn_ones_are_not_there(tmp_path: Path) -> None:
    first, second = (Gang(tmp_path, 3, pod) for pod in (0, 1))
    first.enter("a", 7)
    second.tell(End(1, 5.0, Ending(1, "Killed", "rank 3 was ended", culprit="rank_3"), ("x", "y")))
    layout.pod_end_file(tmp_path, 2).write_text('{"pod": 2, ')

    assert second.cards() == {0: Card(0, "a", 7)}
    assert second.port() == 7
    assert first.first_failure() == End(1, 5.0, Ending(1, "Killed", "rank 3 was ended", culprit="rank_3"), ("x", "y"))
    assert first.failed() == Ending(1, "Killed", "rank 3 was ended", culprit="rank_3")
    assert second.failed() is None  # its own


def test_the_first_failure_is_the_earliest(tmp_path: Path) -> None:
    for pod, time, reason in ((0, 9.0, "RankFailed"), (1, 8.0, "Killed")):
        Gang(tmp_path, 2, pod).tell(End(pod, time, Ending(1, reason)))
    first = Gang(tmp_path, 2, 0).first_failure()
    assert first is not None
    assert first.ending.reason == "Killed"


def test_what_the_others_did_not_tell_is_waited_for_no_longer_than_the_limit(tmp_path: Path) -> None:
    first, second = (Gang(tmp_path, 2, pod) for pod in (0, 1))
    first.tell(End(0, 1.0, Ending(0)))
    late = first.complete(0.01, lambda: None)
    assert (late.exit_code, late.message) == (1, "pod 1 did not tell its end within 0.01 s of the others")
    second.tell(End(1, 1.0, Ending(0)))
    assert first.complete(0.01, lambda: None) == Ending(0)


def test_a_pod_forgets_its_own_files_of_an_earlier_start_only(tmp_path: Path) -> None:
    mine = ("rank_2.pid", "rank_3.heartbeat", "pod_1.json", "pod_1.end.json", "msrun_1.pid")
    others = ("rank_0.pid", "rank_1.failure.json", "pod_0.json", "msrun.pid", "scheduler.pid", "pod_10.json")
    for name in (*mine, *others):
        (tmp_path / name).write_text("")
    Gang(tmp_path, 2, 1).forget(["rank_2", "rank_3", "msrun_1"])
    assert {path.name for path in tmp_path.iterdir()} == set(others)


def test_a_name_that_nobody_knows_is_told(tmp_path: Path) -> None:
    gang = Gang(tmp_path, 2, 1)
    Gang(tmp_path, 2, 0).enter("nobody", 5)
    with pytest.raises(OSError, match=r"pod 0 is not found by its name nobody\.invalid .*is the Service invalid there"):
        gang.address("invalid", 0.0)
