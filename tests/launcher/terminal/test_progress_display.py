from __future__ import annotations

import io
from pathlib import Path

import pytest

from launcher.plan import make_plan
from launcher.spec import RunSpec
from launcher.terminal import progress_display
from tests.launcher.fake_backend import FakeBackend, FakeClock


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    backend = FakeBackend(tmp_path, FakeClock())
    backend.submit(make_plan(RunSpec("demo", storage="/s")))
    return backend


def watch(backend: FakeBackend, display: progress_display.Display, seconds: float = 50, each: float = 0.5) -> None:
    for _ in range(int(seconds / each)):
        display.show(backend.observe("demo")[0])
        backend.clock.sleep(each)
    display.close()


def test_plain_lines_at_each_epoch_and_every_ten_seconds(backend: FakeBackend) -> None:
    stream = io.StringIO()
    watch(backend, progress_display.for_stream(stream, backend.clock))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "train: Running"
    progress = [line for line in lines if "step" in line]
    assert [line.split(",")[0] for line in progress] == [
        "train: epoch 1/4",
        "train: epoch 2/4",
        "train: epoch 3/4",
        "train: epoch 4/4",
    ]
    assert lines[-1] == "export: Succeeded in 2s"
    assert "evaluate: Succeeded in 3s (LFWACC=0.9875 std=0.0050 thd=0.3050)" in lines


def test_a_slow_epoch_has_lines_within_it(backend: FakeBackend) -> None:
    stream = io.StringIO()
    display = progress_display.Lines(stream, backend.clock)
    display.show(backend.observe("demo")[0])
    backend.clock.sleep(0.5)
    display.show(backend.observe("demo")[0])
    backend.clock.now += 5
    display.show(backend.observe("demo")[0])
    assert stream.getvalue().count("epoch 1/4") == 1, "too soon for another line"


def test_a_bar_on_a_terminal(backend: FakeBackend) -> None:
    stream = FakeTerminal()
    watch(backend, progress_display.for_stream(stream, backend.clock), each=2)
    text = stream.getvalue()
    assert "train epoch 3/4  55%|" in text
    assert "| 44/80, loss 2.3, 102 images/s, ETA 18s" in text
    assert text.rstrip().endswith("export: Succeeded in 2s")


def test_a_bar_is_taken_away_when_the_watching_ends(backend: FakeBackend) -> None:
    stream = FakeTerminal()
    watch(backend, progress_display.Bar(stream), seconds=20)
    assert stream.getvalue().endswith("\r"), "the line is left empty for what is printed next"
