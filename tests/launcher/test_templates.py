from __future__ import annotations

from typing import Any

import pytest

from launcher import templates
from launcher.errors import SpecError
from runfolder import strict_yaml

TEXTS = [
    "",
    "plain",
    'quote " and \\ back',
    "a: b # c",
    "{{ name }} {% raw %} {# x #}",
    "---\n...\n- [&a *a !!x]",
    "tab\tand\r\nlines\x85\u2028\u2029",
    "\x00\x01\x1f\x7f\x9f",
    "\ufeff\ufffe\uffff",
    "ä 漢 \U0001f600 \U0010ffff",
    "\\ud83d\\ude00 \\U0001f600",
    "</script>' or 1=1",
]


def fill(text: str, **values: Any) -> dict[str, Any]:
    return templates.fill("x", values, {"x.yaml.j2": text})


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_arrives_as_it_is_as_a_value_and_as_a_key(text: str) -> None:
    assert fill("a: {{ value | json }}\nb: [{{ value | json }}]\n{{ value | json }}: c\n", value=text) == {
        "a": text,
        "b": [text],
        text: "c",
    }


def test_what_json_has_is_the_same_in_yaml() -> None:
    value = {"a": [1, 2.5, True, None, "yes", "1e3"], "b": {}}
    assert fill("v: {{ value | json }}\n", value=value) == {"v": value}


@pytest.mark.parametrize("value", ["\ud800", ["x", "a\udfff"], {"\udc80": 1}])
def test_bytes_that_are_not_utf_8_are_refused(value: Any) -> None:
    with pytest.raises(SpecError, match=r"template x.yaml.j2:1: a text has bytes that are not UTF-8"):
        fill("v: {{ value | json }}\n", value=value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {{ value }}\n", r"x.yaml.j2:2: a value must be written as {{ value \| json }}"),
        ("a: {{ 'x' }}\n", "a value must be written as"),
        ("a: {{ value | json | upper }}\n", "a value must be written as"),
        ("a: {{ value | json ~ 'x' }}\n", "a value must be written as"),
        ("a: {{ valeu | json }}\n", "'valeu' is undefined"),
        ("a: {{ value.x | json }}\n", "has no attribute 'x'"),
        ("{% if valeu %}a: 1{% endif %}\n", "'valeu' is undefined"),
        ("a: {{ value | jsn }}\n", "No filter named 'jsn'"),
        ("a: {% endif %}\n", "x.yaml.j2:1: Encountered unknown tag 'endif'"),
        ("a: {{ 1 / 0 }}\n", "division by zero"),
        ("a: {{ range(1000000) | json }}\n", "Range too big"),
        ("a: {{ value.__class__ | json }}\n", "is unsafe"),
        ("{% include 'stage.yaml.j2' %}\n", "no loader"),
        ("a: 1\na: 2\n", "filled template x.yaml.j2:2: key 'a' is given twice"),
        ("a: 1\n---\nb: 1\n", "not valid YAML"),
        ("[a]\n", "must be a mapping"),
        ("a: !!python/name:os.system x\n", "could not determine a constructor"),
    ],
)
def test_a_template_that_is_wrong_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        fill(text, value="v")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("template x.yaml.j2", "filled template x.yaml.j2"))


def test_templates_change_nothing_of_what_they_are_given() -> None:
    values = {"items": ["a"]}
    with pytest.raises(SpecError):
        fill("{% set _ = items.append('b') %}a: {{ items | json }}\n", **values)
    assert values == {"items": ["a"]}


def test_ours_are_listed_by_file_name() -> None:
    assert {"plan.yaml.j2", "stage.yaml.j2", "runner.yaml.j2"} <= set(templates.our_names())


def test_json_is_read_back_the_same_by_the_strict_reader() -> None:
    assert strict_yaml.parse(f"v: {templates.yaml_json(TEXTS)}\n", "x").values == {"v": TEXTS}
