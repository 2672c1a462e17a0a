"""Writes the tables of boards and rules in `docs/rank-tables.md` from `launcher.ascend` and the rules themselves.

Run this after a change of either; a test compares the file with what would be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from launcher.ascend import BOARDS, Board
from launcher.rank_tables.rules import RULES, Severity
from runfolder import atomic

TARGET = Path(__file__).resolve().parent.parent / "docs" / "rank-tables.md"


def text(page: str) -> str:
    """The page with the tables as they should be. Raises ValueError for a page without their place."""
    for name, table in (
        ("boards", boards()),
        ("errors", rules(Severity.ERROR)),
        ("warnings", rules(Severity.WARNING)),
    ):
        place = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- end of {name} -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no place for {name}")
        page = place.sub(lambda _, table=table: table, page)  # type: ignore[misc]
    return page


def boards() -> str:
    rows = (
        (f"`{board.name}`", board.title, ", ".join(board.versions), _devices(board), board.source) for board in _all()
    )
    return _table(("`--device`", "board", "version", "devices of a server", "where it stands"), rows)


def rules(severity: Severity) -> str:
    chosen = (rule for rule in RULES.values() if rule.severity is severity)
    rows = ((f"`{rule.id}`", rule.must, rule.consequence, rule.remedy, rule.source) for rule in chosen)
    return _table(("rule", "what must hold", "otherwise", "to do", "where it stands"), rows)


def _all() -> Iterable[Board]:
    return BOARDS.values()


def _devices(board: Board) -> str:
    words = [f"0..{board.max_device_id}"]
    if board.counts:
        words.append(f"{', '.join(map(str, board.counts))} of them, up to {board.ring} in one ring of {board.ring}")
    elif board.ring:
        words.append(f"modules of {board.ring}")
    if board.dies:
        words.append("2k and 2k+1 are one NPU")
    return "; ".join(words)


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headers), *(list(row) for row in rows)]
    drawn = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines]
    return "\n".join((drawn[0], "|---" * len(lines[0]) + "|", *drawn[1:], ""))


if __name__ == "__main__":
    atomic.write_text(TARGET, text(TARGET.read_text(encoding="utf-8")))
