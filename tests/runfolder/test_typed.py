from __future__ import annotations

from typing import Any

import pytest

from runfolder import typed


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ("0.1", "float", 0.1), (1, "float", 1.0), ("3", "int", 3), (3.0, "int", 3), (0, "bool", False),
        ("Yes", "bool", True), (True, "bool", True), (5, "str", "5"), ([112, 96], "str", "112, 96"),
    ],
)  # fmt: skip
def test_values_take_the_type_of_their_key(raw: Any, kind: str, expected: Any) -> None:
    value = typed.value(raw, {"type": kind})
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("raw", "schema", "message"),
    [
        ("fast", {"type": "float"}, "must be a number, not 'fast'"),
        (True, {"type": "float"}, "must be a number, not True"),
        (1.5, {"type": "int"}, "must be a whole number, not 1.5"),
        (float("inf"), {"type": "int"}, "must be a whole number, not inf"),
        (None, {"type": "str"}, "must be text, not None"),
        ({"a": 1}, {"type": "str"}, "must be text, not {'a': 1}"),
        ("maybe", {"type": "bool"}, "must be true or false (or 1, 0), not 'maybe'"),
        ("nan", {"type": "float"}, "must be a finite number, not nan"),
        (0, {"type": "float", "positive": True}, "must be above 0, not 0.0"),
        (-1, {"type": "int", "low": 0}, "must be at least 0, not -1"),
        (2, {"type": "float", "high": 1}, "must be at most 1, not 2.0"),
        ("zooo", {"type": "str", "choices": ["zoo"]}, "must be one of zoo, not 'zooo' (did you mean 'zoo'?)"),
        ("x" * 500, {"type": "float"}, "x..."),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_in_words_that_go_on_after_the_key(
    raw: Any, schema: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        typed.value(raw, schema)
    assert str(caught.value).endswith(message)
