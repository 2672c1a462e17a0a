from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from docker import build


def test_the_base_is_kept_under_the_hash_of_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.base_tag()
    assert re.fullmatch(r"localhost/sphereface-base:[0-9a-f]{12}", before)
    assert build.base_tag() == before
    monkeypatch.setattr(build, "EMPTIED", (*build.EMPTIED, "usr/share/info"))
    assert build.base_tag() != before


def test_archives_are_those_of_apt() -> None:
    targets = "bookworm http://a/debian\nbookworm-updates http://a/debian\nbookworm-security http://b/sec\nnodistro http://c\n"
    found = build.archives(targets)
    assert build.sources(found) == (
        "deb http://a/debian bookworm main\n"
        "deb http://a/debian bookworm-updates main\n"
        "deb http://b/sec bookworm-security main\n"
    )


def test_without_the_bases_suite_it_says_what_to_do() -> None:
    with pytest.raises(build.BuildError, match="no archive of Debian bookworm"):
        build.archives("trixie http://a/debian\n")


def test_pip_inside_a_build_gets_this_machines_settings(tmp_path: Path) -> None:
    certificates = tmp_path / "ca.crt"
    certificates.write_text("x")
    own = [":env:.default-timeout='180'", ":env:.find-links='/opt/wheels'"]
    listed = [*own, f"global.cert='{certificates}'", "global.timeout='9'"]
    pip = build.pip_settings("\n".join(listed), {})
    assert pip == build.Pip("[global]\ntimeout = 180\ncert = /run/ca.pem\n", certificates)


def test_several_indexes_stay_on_one_line() -> None:
    pip = build.pip_settings("global.index-url='http://a'\nglobal.extra-index-url='\\nhttp://b\\nhttp://c'\n", {})
    assert pip == build.Pip("[global]\nindex-url = http://a\nextra-index-url = http://b http://c\n", None)


def test_certificates_may_come_from_the_environment(tmp_path: Path) -> None:
    certificates = tmp_path / "ca.crt"
    certificates.write_text("x")
    environ = {"REQUESTS_CA_BUNDLE": str(tmp_path / "none"), "SSL_CERT_FILE": str(certificates)}
    assert build.pip_settings("", environ).certificates == certificates
    assert build.pip_settings("", {}).certificates is None


def test_a_reference_is_written_beside_the_others(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    build.remember(path, "cpu", "r@sha256:1")
    path.write_text(json.dumps({"cpu": "old", "gpu": "theirs"}))
    build.remember(path, "cpu", "r@sha256:2")
    assert json.loads(path.read_text()) == {"cpu": "r@sha256:2", "gpu": "theirs"}


def test_a_failed_program_is_told_with_its_last_lines() -> None:
    with pytest.raises(build.BuildError, match=r"`sh -c` failed with exit code 3, its last lines:\nwhy"):
        build.run("sh", "-c", "echo why >&2; exit 3")


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    for name in ("base-1", "context-2", "registry"):
        (tmp_path / name / "proc").mkdir(parents=True)
    build.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["registry"]


def test_builds_wait_for_each_other(tmp_path: Path) -> None:
    inside = threading.Event()

    def second() -> None:
        with build.one_at_a_time(tmp_path):
            inside.set()

    thread = threading.Thread(target=second)
    with build.one_at_a_time(tmp_path):
        thread.start()
        assert not inside.wait(0.2)
    thread.join(timeout=60)
    assert inside.is_set()
