"""What the cluster needs of the machine: packages, bridges, cgroups, kernel settings; and what they were before."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import debian
from tests.cluster.layout import DEVICE_FOLDER, NODES, SERVICES, Layout
from tests.cluster.processes import write

PACKAGES = {  # command or file that shows it is there -> Debian package
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "openssl": "openssl",
    "docker-registry": "docker-registry",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
SYSCTLS = (  # set by us (the first), by the kubelet and by kube-proxy
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
OUTSIDE = (  # written by the parts at fixed places outside the state folder
    "/run/containerd",
    "/run/xtables.lock",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
FAKE_FILE = "fake-accelerators"
CGROUPS = Path("/sys/fs/cgroup")


def install_missing() -> None:
    """SystemExit: not root, or apt-get cannot install what is missing."""
    if os.geteuid() != 0:
        raise SystemExit("error: the test cluster makes bridges, mounts and cgroups: run it as root")
    if shutil.which("kubectl") is None:
        print("note: no kubectl on PATH; the cluster tests need it (1.23 or later)", flush=True)
    debian.install(debian.missing(PACKAGES))


@contextlib.contextmanager
def locked(state: Path) -> Iterator[None]:
    """One command at a time: the lock is the folder that holds the state folder, so no file is left."""
    with alone(state.parent, "another command on this test cluster"):
        yield


@contextlib.contextmanager
def alone(folder: Path, other: str) -> Iterator[None]:
    """One at a time of those that lock this folder; `other` is what a second one says that it waits for."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for {other} to end", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remember(layout: Layout) -> None:
    """Notes what `down` has to put back, before anything changes it; a second boot keeps the first note."""
    note = layout.state / "before.json"
    if note.exists():
        return
    values = {name: read for name in SYSCTLS if (read := sysctl(name)) is not None}
    absent = [path for path in OUTSIDE if not Path(path).exists()]
    write(note, json.dumps({"sysctls": values, "absent": absent}))


def sysctl(name: str) -> str | None:
    try:
        return (Path("/proc/sys") / name).read_text().strip()
    except OSError:
        return None


def prepare(layout: Layout) -> None:
    """Forwarding, one bridge and one cgroup a node."""
    keep_fake_accelerators()
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for node in NODES:
        if not has_link(node.bridge):
            # Its own for good: else it is the lowest of its ports' and changes as pods come and go; the other pods then
            # send to a gateway that is no more until they ask anew, half a minute and more.
            ip("link", "add", node.bridge, "address", node.hardware_address, "type", "bridge")
            ip("addr", "add", f"{node.address}/24", "dev", node.bridge)
        ip("link", "set", node.bridge, "up")
        make_cgroup(layout.cgroup(node))
    # What goes to a Service that kube-proxy does not know yet ends here, and does not leave the machine to be answered.
    ip("route", "replace", SERVICES, "dev", NODES[0].bridge)


def keep_fake_accelerators() -> None:
    """A kubelet that starts with an empty device folder takes its node for a new one and sets the numbers to 0."""
    DEVICE_FOLDER.mkdir(parents=True, exist_ok=True)
    (DEVICE_FOLDER / FAKE_FILE).write_text("The test cluster's accelerators are numbers in the nodes' status alone.\n")


def ip(*args: str) -> None:
    subprocess.run(["ip", *args], check=True)


def has_link(name: str) -> bool:
    return name in {known for _, known in socket.if_nameindex()}


def make_cgroup(name: str) -> None:
    """In every hierarchy of cgroup v1, or in the one of v2."""
    for folder in cgroup_folders(name):
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):  # v1 makes them empty: nothing could run
            if folder.parent.name == "cpuset":
                (folder / file).write_text((folder.parent / file).read_text())


def cgroup_folders(name: str) -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / name]
    return [folder / name for folder in sorted(CGROUPS.iterdir()) if (folder / "cgroup.procs").exists()]
