from __future__ import annotations

import pytest

from launcher.ascend import BOARDS
from launcher.rank_tables.rules import RULES
from tools import make_rank_table_docs as docs


def test_the_page_has_the_boards_and_rules_as_they_are() -> None:
    page = docs.TARGET.read_text(encoding="utf-8")
    assert page == docs.text(page), "run `python -m tools.make_rank_table_docs`"
    assert all(f"| `{name}` |" in page for name in (*BOARDS, *RULES))


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for boards"):
        docs.text("# Rank tables\n")
