"""Where everything of the test cluster lies: folders, addresses, ports and names. Pure."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.35.4"
SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
API_PORT = 6443
ETCD_PORT = 23790
REGISTRY = "127.0.0.1:5000"
PAUSE_IMAGE = f"{REGISTRY}/pod:1"  # also the server and client of the cluster's own tests
FAKE_ACCELERATORS = {"huawei.com/Ascend910": 16, "nvidia.com/gpu": 8}  # numbers in the node's status: no device exists
FAKE_NOTE = "test-cluster/fake-accelerators"
BOOTED = "booted"  # file of the state folder: the fingerprint of a cluster that was booted to its end
DEVICE_FOLDER = Path("/var/lib/kubelet/device-plugins")  # fixed in the kubelet
NODE_CPUS = 32  # told to the scheduler instead of the machine's own count
STATE_MARK = "SEED_CLUSTER_STATE"  # in the environment of each process of the cluster: how a sweep knows them


@dataclass(frozen=True)
class Node:
    """One node: its bridge is its address, its pod network and its gateway."""

    name: str
    bridge: str
    network: str  # first three numbers of its /24

    @property
    def address(self) -> str:
        return f"{self.network}.1"

    @property
    def hardware_address(self) -> str:
        """Of its bridge: locally administered, then the four numbers of its address."""
        return "02:00:" + ":".join(f"{int(number):02x}" for number in self.address.split("."))


NODES = (Node("node-a", "seed0", "10.244.0"), Node("node-b", "seed1", "10.244.1"))
API_ADDRESS = NODES[0].address


@dataclass(frozen=True)
class Layout:
    """The files of one cluster: `state` goes with `down`, `cache` stays."""

    state: Path
    cache: Path
    kube: Path  # the program that holds every part

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for people and tests."""
        return self.kubeconfig_of("admin")

    @property
    def images(self) -> Path:
        """JSON that names the images built for this cluster: {"cpu": "127.0.0.1:5000/sphereface@sha256:…"}."""
        return self.state / "images.json"

    @property
    def storage(self) -> Path:
        """Parent of the folders that hostPath volumes offer on both nodes."""
        return self.state / "storage"

    @property
    def registry(self) -> Path:
        return self.cache / "registry"

    def kubeconfig_of(self, user: str) -> Path:
        return self.state / f"{user}.kubeconfig"

    def log(self, part: str) -> Path:
        return self.state / "log" / f"{part}.log"

    def record(self, part: str) -> Path:
        return self.state / "run" / f"{part}.json"

    def node(self, node: Node) -> Path:
        return self.state / node.name

    def containerd_socket(self, node: Node) -> Path:
        return self.node(node) / "containerd.sock"

    def cgroup(self, node: Node) -> str:
        """Name of the node's own cgroup: two kubelets with one root remove each other's pods."""
        return f"seed-{hashlib.sha256(str(self.state).encode()).hexdigest()[:8]}-{node.name}"


def folders(environ: Mapping[str, str] = os.environ) -> tuple[Path, Path]:
    """State and cache folder of this machine's cluster, by the XDG rules."""
    home = Path(environ.get("HOME", "/root"))
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "seed-cluster"
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "seed-cluster"
    return state, cache
