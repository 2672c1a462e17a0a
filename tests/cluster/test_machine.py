"""What the machine has, and one command at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.machine import locked, remember


def test_a_second_command_waits_for_the_first(tmp_path: Path) -> None:
    state = tmp_path / "parent" / "state"
    program = (
        f"from tests.cluster.machine import locked\nfrom pathlib import Path\nwith locked(Path({str(state)!r})): pass"
    )
    with locked(state):
        second = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert "waiting for another command" in second.stdout.readline()
        assert second.poll() is None
    assert second.communicate(timeout=20)[0] == ""
    assert second.returncode == 0
    assert list(state.parent.iterdir()) == []


def test_the_first_note_of_what_was_before_stays(tmp_path: Path) -> None:
    layout = Layout(tmp_path, tmp_path, tmp_path)
    note = tmp_path / "before.json"
    remember(layout)
    assert json.loads(note.read_text())["sysctls"]["net/ipv4/ip_forward"] in "01"
    note.write_text("first")
    remember(layout)
    assert note.read_text() == "first"
