from __future__ import annotations

import pytest

from tests.launcher.conftest import Call


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_the_shells_code(shell: str, call: Call) -> None:
    outcome = call("completion", shell)
    assert outcome.code == 0
    assert "_ARGCOMPLETE" in outcome.out


def test_another_shell_is_refused(call: Call) -> None:
    assert call("completion", "csh").code == 2
