"""A fake backend, and a call of the command with it as a user would make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.cli import main
from tests.launcher.fake_backend import FakeBackend, FakeClock, session_with


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    return FakeBackend(tmp_path, FakeClock())


@pytest.fixture
def call(
    backend: FakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls `launcher WORDS` in an empty folder and home, and gives exit code, stdout and stderr."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "LAUNCHER_STORAGE", "LAUNCHER_BACKEND", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    session = session_with(backend)

    def call(*words: str) -> Outcome:
        capsys.readouterr()
        try:
            code = main(words, session)
        except SystemExit as end:  # --help, --version
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call
