from __future__ import annotations

import errno

import pytest

from launcher.errors import Conflict, NotFound, SpecError
from launcher.terminal import failure


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (SpecError("a.yaml:3: wrong"), "a.yaml:3: wrong", 2),
        (NotFound("no run 'x'"), "no run 'x'", 3),
        (Conflict("taken"), "taken", 6),
        (OSError(errno.ENOSPC, "No space left on device", "/x/run.json"), "/x/run.json: No space left on device", 2),
        (OSError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied", 2),
        (OSError(errno.EIO, "Input/output error"), "Input/output error", 1),
    ],
)
def test_explain(error: Exception, line: str, code: int) -> None:
    assert failure.explain(error) == (line, code)


def test_a_bug_is_one_line_that_says_how_to_see_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure.report(KeyError("lr"), traceback=False) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: unexpected KeyError: 'lr'")
    assert "LAUNCHER_TRACEBACK=1" in err
    assert err.count("\n") == 1


def test_traceback_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("lr")
    except KeyError as error:
        failure.report(error, traceback=True)
    assert "test_failure.py" in capsys.readouterr().err


def test_interrupt_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure.report(KeyboardInterrupt(), traceback=False) == 130
    assert capsys.readouterr().err == ""
