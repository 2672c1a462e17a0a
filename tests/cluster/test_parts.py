"""Command lines of the parts."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from tests.cluster.layout import NODES, Layout
from tests.cluster.parts import parts

LAYOUT = Layout(Path("/state"), Path("/cache"), Path("/cache/kube-1"))


def test_what_needs_the_api_server_starts_after_it() -> None:
    names = [part.name for part in parts(LAYOUT)]
    assert names[:5] == ["registry", "etcd", "containerd-node-a", "containerd-node-b", "apiserver"]
    assert {"controller-manager", "scheduler", "kubelet-node-a", "kubelet-node-b", "proxy"} <= set(names[5:])


def test_everything_answers_on_this_machine_alone() -> None:
    bridges = [ipaddress.ip_network(f"{node.network}.0/24") for node in NODES]
    for part in parts(LAYOUT):
        if not part.answers.startswith("/"):
            address = ipaddress.ip_address(part.answers.rpartition(":")[0])
            assert address.is_loopback or any(address in bridge for bridge in bridges)


def test_no_two_parts_answer_at_one_address() -> None:
    addresses = [part.answers for part in parts(LAYOUT)]
    assert len(set(addresses)) == len(addresses)


def test_files_lie_in_the_state_folder() -> None:
    for part in parts(LAYOUT):
        values = [argument.rpartition("=")[2] for argument in part.argv[1:]]
        assert all(value.startswith("/state/") for value in values if value.startswith("/")), part.name


def test_flags_are_kubes_own() -> None:
    by_name = {part.name: part.argv for part in parts(LAYOUT)}
    assert by_name["etcd"][:3] == ("/cache/kube-1", "etcd", "--data-dir=/state/etcd")
    assert by_name["coredns"] == ("/cache/kube-1", "coredns", "-conf=/state/Corefile")
    assert "--requestheader-client-ca-file=/state/pki/front-proxy-ca.crt" in by_name["apiserver"]
