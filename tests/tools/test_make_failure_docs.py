from __future__ import annotations

import pytest

from launcher.failures import table
from tools import make_failure_docs as docs


def test_the_page_has_the_failures_as_they_are() -> None:
    page = docs.TARGET.read_text(encoding="utf-8")
    assert page == docs.text(page), "run `python -m tools.make_failure_docs`"
    for failure in table.ascend().failures:
        assert f"\n## {failure.name}\n" in page
        assert all(sign.source in page for sign in failure.signs)


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for overview"):
        docs.text("# Failures\n")
