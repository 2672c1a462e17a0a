from __future__ import annotations

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_delete(demo: str, backend: FakeBackend, call: Call) -> None:
    outcome = call("delete", demo)
    assert (outcome.code, outcome.out) == (0, "run/demo deleted\n")
    assert backend.observe() == ()


def test_a_name_given_twice_is_deleted_once(demo: str, call: Call) -> None:
    assert call("delete", demo, demo).code == 0


def test_no_such_run(call: Call) -> None:
    outcome = call("delete", "demo")
    assert (outcome.code, outcome.out) == (3, "")
