from __future__ import annotations

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_every_line_says_its_stage_and_rank(demo: str, call: Call) -> None:
    assert call("logs", demo).out.splitlines() == [
        f"[train {rank}] line {number}" for rank in (0, 1) for number in range(3)
    ]


def test_one_rank_of_one_stage_is_bare(demo: str, call: Call) -> None:
    outcome = call("logs", demo, "--stage", "train", "--rank", "1", "--tail", "2")
    assert outcome.out == "line 1\nline 2\n"


def test_no_lines_yet(demo: str, call: Call) -> None:
    outcome = call("logs", demo, "--stage", "export")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "No log lines found for run/demo (Running).\n"


def test_wrong_since(demo: str, call: Call) -> None:
    outcome = call("logs", demo, "--since", "yesterday")
    assert outcome.code == 2
    assert "argument --since: must be a duration" in outcome.err


def test_no_such_run(backend: FakeBackend, call: Call) -> None:
    assert call("logs", "demo").code == 3


def test_the_exit_code_of_follow_is_the_runs(backend: FakeBackend, demo: str, call: Call) -> None:
    backend.clock.now += 60
    assert call("logs", demo, "--follow").code == 0

    backend.runs[demo].fails_in = "evaluate"
    outcome = call("logs", demo, "--follow", "--stage", "train")

    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 6
    assert outcome.err == "error: run/demo Failed in evaluate: RankFailed: rank 1 ended with exit code 1: boom. " + (
        "One rank ended with an error and took the others with it.\n"
    )
    assert call("logs", demo).code == 0
