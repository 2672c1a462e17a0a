from __future__ import annotations

import re
from pathlib import Path

import pytest

from docker import base, host


def test_the_base_is_kept_under_the_hash_of_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.base_tag()
    assert re.fullmatch(r"localhost/sphereface-base:[0-9a-f]{12}", before)
    assert base.base_tag() == before
    monkeypatch.setattr(base, "EMPTIED", (*base.EMPTIED, "usr/share/info"))
    assert base.base_tag() != before


def test_archives_are_those_of_apt() -> None:
    targets = "bookworm http://a/debian\nbookworm-updates http://a/debian\nbookworm-security http://b/sec\nnodistro http://c\n"
    found = base.archives(targets)
    assert base.sources(found) == (
        "deb http://a/debian bookworm main\n"
        "deb http://a/debian bookworm-updates main\n"
        "deb http://b/sec bookworm-security main\n"
    )


def test_without_the_bases_suite_it_says_what_to_do() -> None:
    with pytest.raises(host.BuildError, match="no archive of Debian bookworm"):
        base.archives("trixie http://a/debian\n")


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    for name in ("base-1", "context-2", "registry"):
        (tmp_path / name / "proc").mkdir(parents=True)
    base.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]
