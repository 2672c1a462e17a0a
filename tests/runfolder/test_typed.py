from __future__ import annotations

from typing import Any

import pytest

from runfolder import typed


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("str", "x", "x"), ("str", 3, "3"), ("str", [1, "b"], "1, b"),
        ("int", "7", 7), ("int", 7.0, 7), ("int", " 7 ", 7),
        ("float", "1e-3", 0.001), ("float", 2, 2.0),
        ("bool", True, True), ("bool", "No", False), ("bool", 1, True), ("bool", "0", False),
    ],
)  # fmt: skip
def test_conversions(kind: str, raw: Any, value: Any) -> None:
    converted = typed.value(raw, {"type": kind})
    assert (converted, type(converted)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "raw", "message"),
    [
        ({"type": "int"}, True, "must be a whole number, not True"),
        ({"type": "int"}, 1.5, "must be a whole number"),
        ({"type": "int"}, float("inf"), "must be a whole number"),
        ({"type": "int"}, None, "must be a whole number, not None"),
        ({"type": "float"}, False, "must be a number, not False"),
        ({"type": "float"}, "nan", "must be a finite number"),
        ({"type": "bool"}, "perhaps", "must be true or false"),
        ({"type": "bool"}, 2, "must be true or false"),
        ({"type": "str"}, True, "must be text, not True"),
        ({"type": "str"}, [[None]], "must be text"),
        ({"type": "str"}, {"a": 1}, "must be text"),
        (
            {"type": "str", "choices": ["zoo", "paper"]},
            "zo",
            r"must be one of zoo, paper, not 'zo' \(did you mean 'zoo'",
        ),
        ({"type": "int", "choices": (1, 2)}, 3, "must be one of 1, 2, not '3'"),
        ({"type": "int", "low": 0}, -1, "must be at least 0, not -1"),
        ({"type": "float", "high": 1}, 1.1, "must be at most 1, not 1.1"),
        ({"type": "float", "positive": True}, 0, "must be above 0, not 0"),
    ],
)
def test_refusals_say_what_is_allowed(schema: dict[str, Any], raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed.value(raw, schema)


def test_a_long_value_is_shown_short() -> None:
    with pytest.raises(ValueError) as caught:
        typed.value("x" * 1000, {"type": "int"})
    assert len(str(caught.value)) < 130
