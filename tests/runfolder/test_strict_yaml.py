from __future__ import annotations

from pathlib import Path

import pytest

from runfolder import strict_yaml
from runfolder.strict_yaml import StrictYamlError


def test_values_and_the_line_of_every_key() -> None:
    document = strict_yaml.parse("name: demo\ntrain:\n  lr: 0.1\n  nets: [a, b]\n", "spec.yaml")
    assert document.values == {"name": "demo", "train": {"lr": 0.1, "nets": ["a", "b"]}}
    assert document.where("train.lr") == "spec.yaml:3"
    assert document.where("absent") == "spec.yaml"


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert strict_yaml.parse("# nothing yet\n", "x").values == {}


def test_anchors_and_aliases_work() -> None:
    document = strict_yaml.parse("a: &x {lr: 1}\nb: *x\n", "x")
    assert document.values["b"] == {"lr": 1}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr: 1\nlr: 2\n", r"spec:2: key 'lr' is given twice \(first at line 1\)"),
        ("train:\n  lr: 1\n  lr: 2\n", r"spec:3: key 'train.lr' is given twice"),
        ("- a\n- b\n", "spec: must be a mapping of keys to values, not a list"),
        ("just words\n", "not a single value"),
        ("a: [1, 2\n", "spec:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "spec:2: not valid YAML"),
        ("? [a, b]\n: 1\n", "spec:1: a key must be a plain word"),
        ("a: *nowhere\n", "spec:1: not valid YAML: found undefined alias"),
        ("a: !!python/object/apply:os.system [id]\n", "spec:1: not valid YAML: could not determine a constructor"),
        ("a: 2026-99-99\n", "spec: not valid YAML"),
        ("a: &x [*x]\n", "not valid YAML|aliases are expanded"),
        (BOMB, "more than 10000 values once its aliases are expanded"),
        ("[" * 5000, "not valid YAML"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_what_is_refused_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(StrictYamlError, match=message) as caught:
        strict_yaml.parse(text, "spec")
    assert "\n" not in str(caught.value)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StrictYamlError, match="not UTF-8"):
        strict_yaml.read(path)
    path.write_bytes(b"#" * (strict_yaml.MAX_BYTES + 1))
    with pytest.raises(StrictYamlError, match="larger than 1 MiB"):
        strict_yaml.read(path)


def test_the_nearest_known_word_is_offered() -> None:
    assert strict_yaml.did_you_mean("lr_shceduler", ["lr", "lr_scheduler"]) == " (did you mean 'lr_scheduler'?)"
    assert strict_yaml.did_you_mean("zzz", ["lr"]) == ""
