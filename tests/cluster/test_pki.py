"""Certificates, as openssl sees them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cluster.layout import Layout
from tests.cluster.pki import USERS, make_pki


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Made over what a killed attempt left."""
    made = Layout(tmp_path_factory.mktemp("state"), Path("/c"), Path("/k"))
    (made.state / "pki.part").mkdir()
    (made.state / "pki.part" / "ca.key").write_text("half a key")
    make_pki(made)
    return made


@pytest.mark.parametrize(
    ("authority", "name"), [("ca", name) for name in (*USERS, "apiserver")] + [("front-proxy-ca", "front-proxy-client")]
)
def test_each_certificate_is_signed_by_its_authority(layout: Layout, authority: str, name: str) -> None:
    command = ["openssl", "verify", "-CAfile", f"{authority}.crt", f"{name}.crt"]
    assert (
        subprocess.run(command, cwd=layout.pki, capture_output=True, check=True).stdout == f"{name}.crt: OK\n".encode()
    )


def test_kubeconfigs_are_for_their_owner_alone(layout: Layout) -> None:
    assert {layout.kubeconfig_of(user).stat().st_mode & 0o777 for user in USERS} == {0o600}
