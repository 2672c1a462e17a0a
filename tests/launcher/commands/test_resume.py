from __future__ import annotations

from launcher.resize import Resize
from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_a_cancelled_run_goes_on(demo: str, backend: FakeBackend, call: Call) -> None:
    backend.cancel(demo)
    outcome = call("resume", demo, "--follow")
    assert outcome.code == 0
    assert outcome.out.startswith("run/demo resumed\nLFWACC=")


def test_a_run_that_goes_on_is_left_alone(demo: str, call: Call) -> None:
    assert call("resume", demo).out == "run/demo unchanged (Running)\n"


def test_other_devices_are_asked_for(demo: str, backend: FakeBackend, call: Call) -> None:
    backend.cancel(demo)
    assert call("resume", demo, "--devices", "4", "--scale-batch").out == "run/demo resumed\n"
    assert backend.resized == Resize(4, scale=True)


def test_how_devices_change_needs_the_devices(demo: str, call: Call) -> None:
    for flags in (("--scale-batch",), ("--nodes", "2")):
        outcome = call("resume", demo, *flags)
        assert (outcome.code, outcome.err) == (2, "error: --nodes and --scale-batch go with --devices N\n")


def test_no_such_run(call: Call) -> None:
    assert call("resume", "demo").code == 3
