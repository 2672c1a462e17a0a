from __future__ import annotations

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_a_cancelled_run_goes_on(demo: str, backend: FakeBackend, call: Call) -> None:
    backend.cancel(demo)
    outcome = call("resume", demo, "--follow")
    assert outcome.code == 0
    assert outcome.out.startswith("run/demo resumed\nLFWACC=")


def test_a_run_that_goes_on_is_left_alone(demo: str, call: Call) -> None:
    assert call("resume", demo).out == "run/demo unchanged (Running)\n"


def test_no_such_run(call: Call) -> None:
    assert call("resume", "demo").code == 3
