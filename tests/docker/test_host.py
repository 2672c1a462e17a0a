from __future__ import annotations

import threading
from pathlib import Path

import pytest

from docker import host


def test_pip_inside_a_build_gets_this_machines_settings(tmp_path: Path) -> None:
    certificates = tmp_path / "ca.crt"
    certificates.write_text("x")
    own = [":env:.default-timeout='180'", ":env:.find-links='/opt/wheels'"]
    listed = [*own, f"global.cert='{certificates}'", "global.timeout='9'"]
    pip = host.pip_settings("\n".join(listed), {})
    assert pip == host.Pip("[global]\ntimeout = 180\ncert = /run/ca.pem\n", certificates)


def test_several_indexes_stay_on_one_line() -> None:
    pip = host.pip_settings("global.index-url='http://a'\nglobal.extra-index-url='\\nhttp://b\\nhttp://c'\n", {})
    assert pip == host.Pip("[global]\nindex-url = http://a\nextra-index-url = http://b http://c\n", None)


def test_certificates_may_come_from_the_environment(tmp_path: Path) -> None:
    certificates = tmp_path / "ca.crt"
    certificates.write_text("x")
    environ = {"REQUESTS_CA_BUNDLE": str(tmp_path / "none"), "SSL_CERT_FILE": str(certificates)}
    assert host.pip_settings("", environ).certificates == certificates
    assert host.pip_settings("", {}).certificates is None


def test_a_failed_program_is_told_with_its_last_lines() -> None:
    with pytest.raises(host.BuildError, match=r"`sh -c` failed with exit code 3, its last lines:\nwhy"):
        host.run("sh", "-c", "echo why >&2; exit 3")


def test_builds_wait_for_each_other(tmp_path: Path) -> None:
    inside = threading.Event()

    def second() -> None:
        with host.one_at_a_time(tmp_path):
            inside.set()

    thread = threading.Thread(target=second)
    with host.one_at_a_time(tmp_path):
        thread.start()
        assert not inside.wait(0.2)
    thread.join(timeout=60)
    assert inside.is_set()
