from __future__ import annotations

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_cancel_then_nothing_to_cancel(demo: str, backend: FakeBackend, call: Call) -> None:
    assert call("cancel", demo).out == "run/demo cancelled\n"
    assert backend.observe(demo)[0].state == "Cancelled"
    again = call("cancel", demo)
    assert (again.code, again.out) == (0, "run/demo unchanged (Cancelled)\n")


def test_one_that_is_not_there_does_not_stop_the_others(demo: str, call: Call) -> None:
    outcome = call("cancel", "domo", demo)
    assert (outcome.code, outcome.out) == (3, "run/demo cancelled\n")
    assert outcome.err.startswith("error: no run 'domo'")
    assert "(did you mean 'demo'?)" in outcome.err


def test_name(demo: str, call: Call) -> None:
    assert call("cancel", demo, "-o", "name").out == "run/demo\n"
