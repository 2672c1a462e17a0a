from __future__ import annotations

import os

import pytest

import launcher.cli
from tools import make_cli_docs


def test_the_page_is_what_the_commands_print() -> None:
    page = make_cli_docs.TARGET.read_text(encoding="utf-8")
    assert page == make_cli_docs.text(), "run `python tools/make_cli_docs.py`"


def test_help_has_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = make_cli_docs.help_of(launcher.cli.main, ["submit"])
    assert max(map(len, text.splitlines())) > 80
    assert os.environ["COLUMNS"] == "60"
