from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import LauncherError
from launcher.failures import table

GOOD = """\
sources: {book: a book}
failures:
  one-thing:
    title: a thing
    cause: it is so
    remedy: mend it
    signs:
      - {text: it is broken, source: "book: page 1"}
      - {code: EI0006, source: "book: page 2"}
  other-thing:
    title: another
    cause: of the first
    remedy: none
    follows: [one-thing]
    signs:
      - {text: [was broken, x=3], source: "book: page 3; book: page 4"}
"""


def load(folder: Path, text: str) -> table.Table:
    path = folder / "table.yaml"
    path.write_text(text)
    return table.load(path)


def test_what_a_table_says(tmp_path: Path) -> None:
    one, other = load(tmp_path, GOOD).failures
    assert [(sign.texts, sign.is_code) for sign in one.signs] == [(("it is broken",), False), (("EI0006",), True)]
    assert other.signs[0].texts == ("was broken", "x=3")
    assert other.comes_of("one-thing")
    assert not other.comes_of("other-thing")


def test_ours_has_the_twelve_each_with_cause_remedy_and_a_sourced_sign() -> None:
    known = table.ascend()
    assert len({failure.name for failure in known.failures}) == 12
    for failure in known.failures:
        assert failure.cause.endswith(".")
        assert failure.remedy.endswith(".")
        assert all(sign.source.split(":")[0] in known.sources for sign in failure.signs)


def test_a_timeout_of_hccl_comes_of_everything_else() -> None:
    *others, timeout = table.ascend().failures
    assert timeout.name == "hccl-timeout"
    assert all(timeout.comes_of(other.name) for other in others)
    assert not any(other.comes_of("hccl-timeout") for other in others)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cause: it is so", "causes: it is so", "table.yaml:3: failures.one-thing: unknown key 'causes' (did you mean"),
        ("    cause: it is so\n", "", "table.yaml:3: failures.one-thing: cause is missing"),
        ("title: a thing", "title: ''", "table.yaml:3: failures.one-thing: title must be a text of one line"),
        ("title: a thing", "title: 3", "title must be a text of one line"),
        ("one-thing:\n", "One thing:\n", "failures.One thing: a failure's name has 3 to 30 of a-z, 0-9 and -"),
        ("text: it is broken", "text: oh", "sign 1: text is too short to mean this failure alone: 'oh'"),
        ("text: it is broken", "text: []", "sign 1: text must be a text of one line, or a list of such"),
        ("text: it is broken", "text: [1]", "sign 1: text must be a text of one line, or a list of such"),
        ("text: it is broken, ", "", "table.yaml:7: failures.one-thing.signs: sign 1: must have either text or code"),
        ("code: EI0006", "code: 6", "sign 2: code must be a text of one line"),
        ("code: EI0006", "code: EI6", "sign 2: code must be as EI0006, not 'EI6'"),
        ('source: "book: page 1"', "source: boook", "sign 1: source must name one of sources"),
        ('source: "book: page 1"', 'source: "boook: 1"', "not 'boook: 1' (did you mean 'book'?)"),
        ('source: "book: page 1"', "page: 1", "sign 1: unknown key 'page'"),
        (
            "follows: [one-thing]",
            "follows: [one]",
            "'one' is no other failure of this table (did you mean 'one-thing'?)",
        ),
        ("follows: [one-thing]", "follows: [other-thing]", "'other-thing' is no other failure of this table"),
        ("follows: [one-thing]", "follows: all", "failures.other-thing.follows: must be any or a list of failures"),
        ("text: [was broken, x=3]", "text: it is broken", "'it is broken' is a sign of one-thing already"),
        ("code: EI0006", "text: it is broken", "'it is broken' is a sign of one-thing already"),
        ("sources: {book: a book}", "sources: {book: b, more: m}", "table.yaml:1: sources.more: no sign names this"),
        ("sources: {book: a book}", "sources: []", "sources: must be a mapping with at least one key"),
        ("sources: {book: a book}\n", "", "sources is missing"),
        ("title: a thing", "title: a thing\n    title: b", "is given twice"),
    ],
)
def test_a_wrong_entry_is_one_clear_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(LauncherError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=r"gone\.yaml: cannot read the table of failures: No such file"):
        table.load(tmp_path / "gone.yaml")
