from __future__ import annotations

import json

from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_waits_for_success(demo: str, call: Call) -> None:
    outcome = call("wait", demo)
    assert (outcome.code, outcome.out) == (0, "run/demo Succeeded\n")


def test_json(demo: str, call: Call) -> None:
    assert json.loads(call("wait", demo, "-o", "json").out)["state"] == "Succeeded"


def test_exit_code_is_the_runs(demo: str, backend: FakeBackend, call: Call) -> None:
    backend.cancel(demo)
    outcome = call("wait", demo)
    assert (outcome.code, outcome.out) == (1, "run/demo Cancelled\n")
    assert outcome.err.startswith("error: run/demo Cancelled in train: CancelledByUser")


def test_timeout_is_exit_5(demo: str, call: Call) -> None:
    outcome = call("wait", demo, "--timeout", "2s")
    assert outcome.code == 5
    assert "timed out after 2s waiting for run/demo" in outcome.err


def test_timeout_0_looks_once(demo: str, backend: FakeBackend, call: Call) -> None:
    now = backend.clock.now
    assert call("wait", demo, "--timeout", "0").code == 5
    assert backend.clock.now == now


def test_no_such_run(call: Call) -> None:
    assert call("wait", "demo").code == 3
