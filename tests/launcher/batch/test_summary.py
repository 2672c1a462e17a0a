from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from launcher.batch import summary
from launcher.batch.indexed_job import IndexedJob
from launcher.batch.summary import Found
from launcher.facts import Attempt
from launcher.states import State

METRICS = {"std": 0.01, "threshold": 0.25, "auc": 0.9876, "eer": 0.05, "pairs": 600, "protocol": "zoo"}


def found(index: int, accuracy: float | None = None, *attempts: Attempt, name: str = "") -> Found:
    metrics = None if accuracy is None else {"accuracy": accuracy, **METRICS}
    return Found(index, name or f"runs/{index}.ckpt", f"/storage/batch/june/{index}-{index}", metrics, attempts)


def job(count: int, *failed: int, reason: str = "FailedIndexes") -> IndexedJob:
    completed = frozenset(range(count)) - set(failed)
    return IndexedJob(count, ended=True, completed=completed, failed=frozenset(failed), reason=reason)


def ranked(*everything: Found, failed: Sequence[int] = ()) -> tuple[summary.Verdict, ...]:
    return summary.verdicts(everything, job(len(everything), *failed))


ENDED = Attempt(1, started=1.0, ended=2.0, exit_code=42, reason="ConfigurationError", message="a.ckpt: is cut short")


def test_the_best_comes_first_and_equal_ones_share_a_rank() -> None:
    order = [(one.rank, one.index) for one in ranked(found(0, 0.91), found(1, 0.97), found(2, 0.91), found(3, 0.5))]
    assert order == [(1, 1), (2, 0), (2, 2), (4, 3)]


def test_a_failed_one_comes_last_with_the_reason_of_its_last_attempt() -> None:
    early = replace(ENDED, reason="Killed", message="was ended by SIGKILL")
    *_, last = ranked(found(0, None, early, replace(ENDED, attempt=2)), found(1, 0.9), failed=[0])
    assert (last.index, last.state, last.rank) == (0, State.FAILED, None)
    assert (last.reason, last.message) == ("ConfigurationError", "a.ckpt: is cut short")


@pytest.mark.parametrize(
    ("one", "reason", "words"),
    [
        (
            found(0, None, Attempt(3, started=1.0)),
            "Killed",
            "attempt 3 ended without a word: its pod ran out of memory",
        ),
        (found(0, None, Attempt(1, started=1.0, ended=1.0)), "Killed", "without a word"),
        (found(0), "StartFailed", "its pod wrote nothing"),
        (found(0, None, Attempt(1, 1.0, 2.0, exit_code=1)), "StageFailed", "The stage's program ended with an error"),
    ],
)
def test_an_index_that_died_without_a_word_is_told(one: Found, reason: str, words: str) -> None:
    (told,) = ranked(one, failed=[0])
    assert told.reason == reason
    assert words in told.message


def test_a_result_of_before_does_not_hide_that_the_index_failed_now() -> None:
    (told,) = ranked(found(0, 0.9, ENDED), failed=[0])
    assert told.state is State.FAILED


def test_a_result_that_was_removed_is_missed() -> None:
    (told,) = ranked(found(0))
    assert told.reason == "NoMarker"


def test_a_list_that_is_longer_than_the_job_is_told() -> None:
    _, told = summary.verdicts([found(0, 0.9), found(1)], job(1))
    assert told.reason == "NotJudged"
    assert "only 1 completions" in told.message


def test_a_job_that_was_ended_before_its_last_index() -> None:
    ended = IndexedJob(1, True, frozenset(), frozenset(), "DeadlineExceeded", "Job was active longer than its deadline")
    (told,) = summary.verdicts([found(0)], ended)
    assert told.message == "the Job ended before its turn: Job was active longer than its deadline"


def test_json_has_a_line_for_each_with_what_is_known() -> None:
    value = summary.as_json("june", ranked(found(0, 0.9), found(1, None, ENDED), failed=[1]))
    assert {key: value[key] for key in ("batch", "checkpoints", "judged", "failed")} == {
        "batch": "june", "checkpoints": 2, "judged": 1, "failed": 1,
    }  # fmt: skip
    good, bad = value["results"]
    assert good["accuracy"] == 0.9
    assert "reason" not in good
    assert bad["reason"] == "ConfigurationError"
    assert "accuracy" not in bad
    assert "rank" not in bad


def test_csv_is_read_back_whatever_is_in_a_name() -> None:
    name = 'a "b", c\n=1+1.ckpt'
    rows = list(csv.DictReader(io.StringIO(summary.as_csv(ranked(found(0, 0.9, name=name))), newline="")))
    assert [row["checkpoint"] for row in rows] == [name]
    assert tuple(rows[0]) == summary.COLUMNS
    assert rows[0]["message"] == ""


def test_markdown() -> None:
    text = summary.as_markdown("june", ranked(found(0, 0.9, name="a|b.ckpt"), found(1, None, ENDED), failed=[1]))
    assert text == (
        "# june: 1 of 2 checkpoints judged, 1 failed\n"
        "\n"
        "| rank | accuracy | std    | threshold | AUC    | EER    | index | checkpoint |\n"
        "|------|----------|--------|-----------|--------|--------|-------|------------|\n"
        "| 1    | 0.9000   | 0.0100 | 0.2500    | 0.9876 | 0.0500 | 0     | a\\|b.ckpt  |\n"
        "\n"
        "| index | checkpoint  | reason             | what happened        |\n"
        "|-------|-------------|--------------------|----------------------|\n"
        "| 1     | runs/1.ckpt | ConfigurationError | a.ckpt: is cut short |\n"
    )


def test_a_message_of_several_lines_stays_in_its_cell() -> None:
    attempt = replace(ENDED, message="first\nsecond")
    text = summary.as_markdown("june", ranked(found(0, None, attempt), failed=[0]))
    assert "| first second  |" in text


def test_metrics_without_some_numbers() -> None:
    one = Found(0, "a.ckpt", "/x", {"accuracy": 0.9})
    row: dict[str, Any] = summary.as_json("june", ranked(one))["results"][0]
    assert row["accuracy"] == 0.9
    assert "| 0.9000   | -   |" in summary.as_markdown("june", ranked(one))
