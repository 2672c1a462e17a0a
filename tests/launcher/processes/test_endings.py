from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.processes import endings, rank
from launcher.processes.endings import RankFailure
from launcher.processes.process_tree import Process
from launcher.processes.stage_processes import Member
from runfolder import layout

PROCESS = Process(1, 1, "S", 0.0, 1, 0)


def member(name: str, ended: float | None = None, exit_code: int | None = None) -> Member:
    return Member(name, PROCESS, ended, exit_code)


def said(rank: int, time: float, reason: str = "StageFailed", *, exit_code: int = 1, retry: bool = True) -> RankFailure:
    return RankFailure(rank, time, reason, "loss is NaN", retry, exit_code)


def test_nothing_failed_while_ranks_live_or_ended_well() -> None:
    members = [member("rank_0"), member("rank_1", 5.0, 0), member("scheduler"), member("msrun")]

    assert endings.first_failure(members, []) is None


def test_a_starter_that_fails_when_all_its_ranks_have_ended_well_takes_nothing_from_them() -> None:
    ranks = [member("rank_0", 5.0, 0), member("rank_1", 5.0, 0)]

    assert endings.first_failure([*ranks, member("scheduler", 5.5, -9), member("msrun", 6.0, 1)], []) is None
    ending = endings.first_failure([ranks[0], member("rank_1", 5.0), member("msrun", 6.0, 1)], [])
    assert ending is not None, "of rank 1 nobody knows how it ended"
    assert ending.culprit == "msrun"


def test_the_first_to_die_is_to_blame_and_not_those_killed_with_it() -> None:
    members = [member("rank_0", 6.0, -9), member("rank_1", 5.0, -11), member("scheduler"), member("msrun", 6.5, 1)]

    ending = endings.first_failure(members, [])

    assert ending is not None
    assert (ending.reason, ending.rank, ending.exit_code, ending.retry) == ("Crashed", 1, 1, True)
    assert ending.message == "rank 1 was ended by SIGSEGV"


def test_the_earliest_failure_file_tells_more_than_an_exit_code() -> None:
    members = [member("rank_0", 6.0, 1), member("rank_1", 6.0, 1), member("scheduler"), member("msrun")]

    ending = endings.first_failure(members, [said(0, 5.9), said(1, 5.5, "Diverged", retry=False)])

    assert ending is not None
    assert (ending.reason, ending.rank, ending.retry) == ("Diverged", 1, False)
    assert ending.message == "rank 1: loss is NaN"


def test_a_failure_file_written_after_another_rank_was_killed_is_a_consequence() -> None:
    members = [member("rank_0"), member("rank_1", 5.0, -9), member("scheduler"), member("msrun")]

    ending = endings.first_failure(members, [said(0, 36.0)])

    assert ending is not None
    assert (ending.reason, ending.rank) == ("Killed", 1)


def test_a_killed_msrun_is_to_blame_for_the_ranks_that_died_with_it() -> None:
    members = [member("rank_0", 5.0, -9), member("rank_1", 5.0, -9), member("msrun", 5.0, -9)]

    ending = endings.first_failure(members, [])

    assert ending is not None
    assert (ending.culprit, ending.rank, ending.reason) == ("msrun", None, "Killed")


def test_a_scheduler_may_end_after_the_ranks_but_not_before() -> None:
    before = [member("rank_0"), member("scheduler", 5.0, -9), member("msrun")]
    after = [member("rank_0", 5.0, 0), member("scheduler", 6.0, 1), member("msrun")]

    ending = endings.first_failure(before, [])

    assert ending is not None
    assert (ending.reason, ending.culprit) == ("SchedulerFailed", "scheduler")
    assert endings.first_failure(after, []) is None
    early = endings.first_failure([member("scheduler", 1.0, 1), member("msrun")], [])
    assert early is not None
    assert early.culprit == "scheduler"


def test_bad_input_is_42_and_never_retried() -> None:
    by_code = endings.first_failure([member("rank_0", 5.0, 2)], [])
    by_word = endings.first_failure([member("rank_0", 5.0, 2)], [said(0, 4.0, "ConfigurationError", exit_code=2)])

    for ending in (by_code, by_word):
        assert ending is not None
        assert (ending.exit_code, ending.reason, ending.retry) == (42, "ConfigurationError", False)


def test_ranks_that_fail_for_want_of_a_stopped_one_are_not_to_blame() -> None:
    stopped = Member("rank_1", replace(PROCESS, state="T"))

    ending = endings.first_failure([member("rank_0", 5.0, 1), stopped, member("msrun")], [said(0, 4.9)])

    assert ending is not None
    assert (ending.reason, ending.rank, ending.retry) == ("RankHung", 1, True)
    assert endings.first_failure([member("rank_0"), stopped, member("msrun")], []) is None


def test_an_msrun_that_fails_before_any_rank_has_begun_could_not_start() -> None:
    ending = endings.first_failure([member("msrun", 5.0, 1)], [])

    assert ending is not None
    assert (ending.reason, ending.culprit, ending.exit_code) == ("StartFailed", "msrun", 1)


def test_a_full_storage_is_told_from_other_failures_to_start() -> None:
    full = endings.not_started(OSError(errno.ENOSPC, "No space left on device", "/runs/demo"))
    other = endings.not_started(OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    no_log = endings.first_failure([member("rank_0", 5.0, rank.NO_LOG_EXIT)], [])

    assert (full.reason, full.retry, full.message) == ("StorageFull", False, "/runs/demo: No space left on device")
    assert (other.reason, other.retry) == ("StartFailed", True)
    assert no_log is not None
    assert (no_log.reason, no_log.retry) == ("StorageFull", False)


def test_one_process_alone_is_called_the_program() -> None:
    ending = endings.first_failure([member("rank_0", 5.0, 3)], [])

    assert ending is not None
    assert (ending.reason, ending.message) == ("StageFailed", "the stage's program ended with exit code 3")


def test_failure_files_are_read_and_foreign_ones_passed_over(tmp_path: Path) -> None:
    good = {"schema": 1, "rank": 1, "time": 5.0, "reason": "Diverged", "message": "m", "retry": False, "exit_code": 1}
    layout.failure_file(tmp_path, 1).write_text(json.dumps(good))
    layout.failure_file(tmp_path, 0).write_text("{torn")

    assert endings.read_failures(tmp_path, 3) == [RankFailure(1, 5.0, "Diverged", "m", False, 1)]


MEANINGS = {"247": "Killed", "137": "OOMKilled", "9": "ConfigurationError", "1": "Diverged"}


@pytest.mark.parametrize(
    ("code", "word", "exit_code", "retry"),
    [
        (247, "Killed", 1, True),
        (137, "OOMKilled", 1, False),
        (-9, "OOMKilled", 1, False),
        (9, "ConfigurationError", 42, False),
        (1, "Diverged", 1, False),
        (-15, "Terminated", 1, True),
        (3, "RankFailed", 1, True),
        (rank.NO_LOG_EXIT, "StorageFull", 1, False),
    ],
)
def test_an_exit_code_means_what_the_device_says_it_does(code: int, word: str, exit_code: int, retry: bool) -> None:
    members = [member("rank_0", 5.0, code), member("rank_1"), member("scheduler")]
    ending = endings.first_failure(members, [], MEANINGS)
    assert ending is not None
    assert (ending.reason, ending.exit_code, ending.retry, ending.rank) == (word, exit_code, retry, 0)


def test_what_a_rank_says_of_itself_outweighs_its_exit_code() -> None:
    ending = endings.first_failure([member("rank_0", 5.0, 1)], [said(0, 4.0, "StageFailed")], MEANINGS)
    assert ending is not None
    assert ending.reason == "StageFailed"


def test_the_codes_of_the_stages_program_are_not_those_of_who_starts_it() -> None:
    scheduler = endings.first_failure([member("rank_0"), member("scheduler", 5.0, 1)], [], MEANINGS)
    msrun = endings.first_failure([member("rank_0"), member("msrun", 5.0, 1)], [], MEANINGS)
    assert scheduler is not None
    assert msrun is not None
    assert (scheduler.reason, msrun.reason) == ("SchedulerFailed", "RankFailed")
