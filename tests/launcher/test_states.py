from __future__ import annotations

import pytest

from launcher.states import REASONS, State, by_message, judge, outweighs, reason_for, reason_of


@pytest.mark.parametrize(
    ("exit_code", "word"),
    [
        (0, "NoMarker"),
        (1, "StageFailed"),
        (2, "ConfigurationError"),
        (3, "StageFailed"),
        (42, "ConfigurationError"),
        (74, "StorageFull"),
        (126, "StartFailed"),
        (127, "StartFailed"),
        (130, "Interrupted"),
        (137, "Killed"),
        (139, "Crashed"),
        (143, "Terminated"),
        (255, "StageFailed"),
        (-1, "Terminated"),
        (-2, "Interrupted"),
        (-6, "Crashed"),
        (-9, "Killed"),
        (-11, "Crashed"),
        (-15, "Terminated"),
        (-200, "StageFailed"),
        (None, "Killed"),
    ],
)
def test_each_exit_code_has_a_reason(exit_code: int | None, word: str) -> None:
    assert reason_for(exit_code).word == word
    assert word in REASONS


@pytest.mark.parametrize("word", REASONS)
def test_the_word_of_the_first_process_outweighs_the_exit_code(word: str) -> None:
    assert reason_for(1, word) is REASONS[word]


def test_every_reason_is_a_camel_case_word_with_a_sentence() -> None:
    for word, reason in REASONS.items():
        assert word == reason.word
        assert word.isidentifier()
        assert word[0].isupper()
        assert reason.sentence.endswith(".")


def test_a_word_that_we_do_not_know_is_kept_and_retried() -> None:
    reason = reason_of("MartianWeather")
    assert (reason.word, reason.retry) == ("MartianWeather", True)
    assert "MartianWeather" in reason.sentence


def test_exit_42_is_never_retried_whatever_the_word() -> None:
    for word in (*REASONS, "MartianWeather", ""):
        assert not reason_for(42, word).retry


def test_a_complete_stage_succeeded_however_its_process_ended() -> None:
    for exit_code in (None, 0, 1, 42, -9):
        assert judge(exit_code, "RankHung", complete=True) == (State.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("word", "state"),
    [("CancelledByUser", State.CANCELLED), ("Interrupted", State.CANCELLED), ("RankHung", State.FAILED)],
)
def test_a_cancelled_stage_is_not_a_failed_one(word: str, state: State) -> None:
    assert judge(143, word) == (state, REASONS[word])


def test_terminal_states() -> None:
    terminal = {state for state in State if state.terminal}
    assert terminal == {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED}


@pytest.mark.parametrize("told", ["", "Terminated", "Killed", "SupervisorLost"])
@pytest.mark.parametrize("seen", ["OOMKilled", "Evicted", "NodeLost", "JobDeleted", "NotStarted"])
def test_the_cluster_knows_better_why_something_ended_from_outside(seen: str, told: str) -> None:
    assert outweighs(seen, told)


@pytest.mark.parametrize("told", ["ConfigurationError", "Diverged", "StorageFull", "DeadlineExceeded", "NoMarker"])
@pytest.mark.parametrize("seen", ["OOMKilled", "Evicted", "NodeLost"])
def test_the_stage_knows_better_what_failed_inside_of_it(seen: str, told: str) -> None:
    assert not outweighs(seen, told)


@pytest.mark.parametrize("told", ["RankFailed", "StageFailed", "Crashed", "RankHung", "SchedulerFailed", "StartFailed"])
def test_memory_that_ran_out_explains_what_fell_with_it(told: str) -> None:
    assert outweighs("OOMKilled", told)
    assert not outweighs("Evicted", told)


def test_a_cluster_that_knows_nothing_outweighs_nothing() -> None:
    assert not any(outweighs("", told) for told in ("", "Terminated", "RankFailed"))


def test_the_first_pattern_of_a_table_decides_whatever_the_case() -> None:
    table = (("quota", "QuotaExceeded"), ("forbid", "Forbidden"))
    assert by_message("is FORBIDDEN by Quota", table, "x") == "QuotaExceeded"
    assert by_message("is FORBIDDEN", table, "x") == "Forbidden"
    assert by_message("no", table, "x") == "x"
