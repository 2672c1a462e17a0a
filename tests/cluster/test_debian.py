from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import debian

LOCKED = """
calls=$(dirname "$0")/calls
echo "$DEBIAN_FRONTEND: $*" >> "$calls"
if [ "$(wc -l < "$calls")" -le 2 ]; then
    echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
    exit 100
fi
"""
REFUSING = "echo 'E: Unable to locate package nothing' >&2; exit 100"

FakeAptGet = Callable[[str], Path]


@pytest.fixture
def fake_apt_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAptGet:
    """Puts a program of that name first on PATH; gives the file in which it may note its calls."""

    def make(script: str) -> Path:
        program = tmp_path / "apt-get"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return tmp_path / "calls"

    return make


def test_only_what_is_missing_is_installed(tmp_path: Path) -> None:
    assert debian.missing({"sh": "dash", "no-such-command": "one", str(tmp_path): "two", "/no/such/file": "three"}) == [
        "one",
        "three",
    ]


def test_nothing_to_install_calls_nothing(fake_apt_get: FakeAptGet) -> None:
    calls = fake_apt_get(LOCKED)
    debian.install([])
    assert not calls.exists()


def test_another_apt_get_is_waited_for(fake_apt_get: FakeAptGet, capsys: pytest.CaptureFixture[str]) -> None:
    calls = fake_apt_get(LOCKED)
    debian.install(["dash"], pause_s=0)
    update, install = "update --quiet", "install --yes --quiet --no-install-recommends dash"
    assert calls.read_text().splitlines() == [f"noninteractive: {words}" for words in (update, update, update, install)]
    assert capsys.readouterr().out.splitlines() == ["installing with apt-get: dash", "waiting for another apt-get"]


def test_what_apt_get_says_is_told(fake_apt_get: FakeAptGet) -> None:
    fake_apt_get(REFUSING)
    with pytest.raises(SystemExit, match="`apt-get update` failed; install nothing by hand\nE: Unable to locate"):
        debian.install(["nothing"], pause_s=0)
