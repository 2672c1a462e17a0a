"""What a sweep decides to remove."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.sweep import mounts_below, shim_sockets, without_kube

SAVED = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-X - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -j DOCKER
-A KUBE-SERVICES -d 10.96.0.1/32 -j KUBE-SEP-X
COMMIT
*filter
:INPUT ACCEPT [0:0]
-A INPUT -j ACCEPT
COMMIT
"""


def test_only_kubes_chains_and_the_jumps_into_them_go() -> None:
    assert without_kube(SAVED.splitlines()) == [
        "*nat",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-SEP-X - [0:0]",
        '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        "-X KUBE-SERVICES",
        "-X KUBE-SEP-X",
        "COMMIT",
    ]


def test_nothing_to_remove_is_nothing_to_do() -> None:
    assert without_kube(SAVED.partition("*filter")[2].splitlines()) == []


def test_mounts_of_the_folder_come_innermost_first() -> None:
    table = "\n".join(
        f"{number} 1 0:1 / {point} rw - tmpfs tmpfs rw"
        for number, point in enumerate(["/", "/s/outer", r"/s/outer/with\040space", "/sibling", "/s-not"])
    )
    assert mounts_below(table, Path("/s")) == ["/s/outer/with space", "/s/outer"]


def test_shim_sockets_are_read_from_their_bundles(tmp_path: Path) -> None:
    bundle = tmp_path / "node-a" / "containerd-state" / "io.containerd.runtime.v2.task" / "k8s.io" / "abc"
    bundle.mkdir(parents=True)
    (bundle / "address").write_text("unix:///run/containerd/s/1")
    assert shim_sockets(Layout(tmp_path, tmp_path, tmp_path)) == [Path("/run/containerd/s/1")]
