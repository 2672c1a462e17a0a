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
        ("a,c", {"type": "str", "parts": ["a", "b"]}, "must be among a, b, not 'c'"),
        ("1,x", {"type": "str", "ascending": True}, "must be numbers as in '10,16', not '1,x'"),
        ("1,nan", {"type": "str", "ascending": True}, "must be numbers as in '10,16', not '1,nan'"),
        ("2,1", {"type": "str", "ascending": True}, "must ascend, not '2,1'"),
        ("b", {"type": "str", "pattern": "a+", "form": "some a"}, "must be some a, not 'b'"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_in_words_that_go_on_after_the_key(
    raw: Any, schema: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="must ") as caught:
        typed.value(raw, schema)
    assert str(caught.value).endswith(message)


def test_text_in_its_form_is_taken() -> None:
    assert typed.value(" a, b", {"type": "str", "parts": ["a", "b"], "required": True}) == " a, b"
    assert typed.value("", {"type": "str", "parts": ["a", "b"], "ascending": True}) == ""
    assert typed.value("1, 2.5", {"type": "str", "ascending": True}) == "1, 2.5"
    with pytest.raises(ValueError, match="is empty; name at least one of a, b"):
        typed.value(" , ", {"type": "str", "parts": ["a", "b"], "required": True})


TOGETHER: dict[str, dict[str, Any]] = {
    "kind": {"default": "plain"},
    "steps": {"default": "", "rules": [{"when": {"kind": ["stepped"]}, "needed": "as in '10'"}]},
    "scale": {"default": 0, "rules": [{"when": {"kind": ["plain"]}, "unused": "plain has none"}]},
    "size": {"default": 0, "rules": [{"when": {"kind": ["stepped"]}, "low": 2}]},
    "warm": {"default": 0.0, "rules": [{"at_most": "all"}]},
    "all": {"default": 5},
}


@pytest.mark.parametrize(
    ("values", "message", "keys"),
    [
        ({"kind": "stepped"}, "with x.kind stepped, x.steps is needed, as in '10'", ("steps", "kind")),
        ({"scale": 3}, "with x.kind plain, x.scale must be left out: plain has none", ("scale", "kind")),
        (
            {"kind": "stepped", "steps": "1", "size": 1},
            "with x.kind stepped, x.size must be at least 2, not 1",
            ("size", "kind"),
        ),
        ({"warm": 6.0}, "x.warm must be at most x.all, which is 5, not 6.0", ("warm", "all")),
    ],
)
def test_keys_that_do_not_fit_together_are_named(values: dict[str, Any], message: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(typed.RuleError) as caught:
        typed.check_together(values, TOGETHER, "x.")
    assert (str(caught.value), caught.value.keys) == (message, keys)


@pytest.mark.parametrize("values", [{}, {"kind": "stepped", "steps": "1"}, {"size": 1}, {"warm": 5.0}])
def test_keys_that_fit_are_taken(values: dict[str, Any]) -> None:
    typed.check_together(values, TOGETHER)
