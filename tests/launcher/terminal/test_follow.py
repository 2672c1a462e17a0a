from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import BackendError, RunFailed, Unreachable, WaitTimeout
from launcher.plan import make_plan
from launcher.spec import RunSpec
from launcher.states import State
from launcher.terminal import follow
from launcher.terminal.progress_display import Silent
from tests.launcher.fake_backend import FakeBackend, FakeClock, session_with


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    return FakeBackend(tmp_path, FakeClock())


def submit(backend: FakeBackend) -> None:
    backend.submit(make_plan(RunSpec("demo", storage="/s")))


def test_until_end_waits_for_the_end(backend: FakeBackend) -> None:
    submit(backend)
    began = backend.clock.now
    run = follow.until_end(backend, "demo", session_with(backend), Silent())
    assert run.state is State.SUCCEEDED
    assert backend.clock.now - began == pytest.approx(45, abs=1)


def test_timeout_says_how_far_it_is(backend: FakeBackend) -> None:
    submit(backend)
    with pytest.raises(
        WaitTimeout, match=r"after 10s waiting for run/demo .still Running, train at epoch 2/4, step 20"
    ):
        follow.until_end(backend, "demo", session_with(backend), Silent(), 10)


def test_a_run_that_nobody_drives_ends_the_waiting(backend: FakeBackend) -> None:
    submit(backend)
    backend.clock.now += 3
    backend.lose_supervisor("demo")
    began = backend.clock.now
    with pytest.raises(BackendError, match=r"run/demo cannot be followed: SupervisorLost: .*`launcher resume`"):
        follow.until_end(backend, "demo", session_with(backend), Silent())
    assert backend.clock.now - began >= follow.LOST_AFTER_S, "a supervisor that just starts gets its time"


def test_an_outage_ends_no_waiting(backend: FakeBackend, capsys: pytest.CaptureFixture[str]) -> None:
    submit(backend)
    backend.away_until = backend.clock.now + 120
    run = follow.until_end(backend, "demo", session_with(backend), Silent())
    assert run.state is State.SUCCEEDED
    assert capsys.readouterr().err == "the cluster cannot be reached; waiting for it\n"


@pytest.mark.parametrize(("timeout_s", "after_s"), [(None, follow.OUTAGE_S), (10.0, 10.0)])
def test_an_outage_without_end_is_given_up(timeout_s: float | None, after_s: float, backend: FakeBackend) -> None:
    submit(backend)
    began = backend.clock.now
    backend.away_until = began + 1e6
    with pytest.raises(Unreachable):
        follow.until_end(backend, "demo", session_with(backend), Silent(), timeout_s)
    assert backend.clock.now - began == pytest.approx(after_s, abs=1)


def test_check_succeeded_shows_the_failed_stages_last_lines(
    backend: FakeBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    backend.fails_in = "evaluate"
    submit(backend)
    backend.clock.now += 60
    (run,) = backend.observe("demo")
    with pytest.raises(RunFailed, match="run/demo Failed in evaluate: RankFailed: rank 1 ended with exit code 1: boom"):
        follow.check_succeeded(backend, run)
    assert capsys.readouterr().err.splitlines() == [f"[evaluate 0] line {number}" for number in range(3)]


def test_a_cancelled_run_has_not_succeeded(backend: FakeBackend) -> None:
    submit(backend)
    backend.clock.now += 3
    backend.cancel("demo")
    (run,) = backend.observe("demo")
    with pytest.raises(RunFailed, match="run/demo Cancelled in train: CancelledByUser"):
        follow.check_succeeded(backend, run)


def test_print_end(backend: FakeBackend, capsys: pytest.CaptureFixture[str]) -> None:
    submit(backend)
    backend.clock.now += 60
    (run,) = backend.observe("demo")
    follow.print_end(run, backend.clock.now)
    out = capsys.readouterr().out
    assert out.startswith("LFWACC=0.9875 std=0.0050 thd=0.3050\n\nSTAGE ")
    assert "└── plan.json" in out
