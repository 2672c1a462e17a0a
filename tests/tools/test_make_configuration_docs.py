from __future__ import annotations

from sphereface.config import KEYS
from tools import make_configuration_docs


def test_the_page_is_what_the_dataclass_says() -> None:
    page = make_configuration_docs.TARGET.read_text(encoding="utf-8")
    assert page == make_configuration_docs.text(), "run `python -m tools.make_configuration_docs`"


def test_every_key_has_its_row() -> None:
    page = make_configuration_docs.text()
    assert [key for key in KEYS if page.count(f"| `{key}` |") != 1] == []
