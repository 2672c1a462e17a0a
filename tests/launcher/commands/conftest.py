"""Runs that the verbs are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.plan import make_plan
from launcher.spec import RunSpec
from tests.launcher.fake_backend import FakeBackend


@pytest.fixture
def demo(backend: FakeBackend, tmp_path: Path) -> str:
    """A run that has been training for 20 seconds, half of its time."""
    backend.submit(make_plan(RunSpec("demo", devices=2, storage=str(tmp_path))))
    backend.clock.now += 20
    return "demo"
