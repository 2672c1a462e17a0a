"""Removes a cluster from the machine, whole or half, running or killed: processes, mounts, networks, cgroups, files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.layout import BOOTED, DEVICE_FOLDER, NODES, Layout
from tests.cluster.machine import FAKE_FILE, cgroup_folders, has_link
from tests.cluster.processes import end, marked, until


def sweep(layout: Layout) -> None:
    """Leaves the machine as before the first boot, but for the caches. Does nothing where nothing is."""
    (layout.state / BOOTED).unlink(missing_ok=True)  # first: half a cluster is never taken for a whole one
    sockets = shim_sockets(layout)
    end_processes(layout)
    for mount in mounts_below(Path("/proc/self/mountinfo").read_text(), layout.state):
        subprocess.run(["umount", "--lazy", mount], check=False)
    for node in NODES:
        remove_cgroup(layout.cgroup(node))
        if has_link(node.bridge):
            subprocess.run(["ip", "link", "delete", node.bridge], check=True)
    for family in ("iptables", "ip6tables"):
        remove_rules(family)
    remove_outside(layout, sockets)
    restore(layout)
    shutil.rmtree(layout.state, ignore_errors=True)
    if layout.state.exists():
        raise SystemExit(f"error: cannot remove {layout.state}: something still uses it")


def end_processes(layout: Layout) -> None:
    """Kills what was started for the state folder (parts, shims) and what runs in the nodes' cgroups (pods)."""

    def gone() -> bool:
        pids = {*marked(layout.state), *in_cgroups(layout)}
        end(pids)
        return not pids

    until(gone, f"the processes of {layout.state} to end", 60)


def in_cgroups(layout: Layout) -> set[int]:
    pids: set[int] = set()
    for node in NODES:
        for top in cgroup_folders(layout.cgroup(node)):
            for procs in top.rglob("cgroup.procs"):
                with contextlib.suppress(OSError):
                    pids.update(int(pid) for pid in procs.read_text().split())
    return pids - {0, os.getpid()}


def remove_cgroup(name: str) -> None:
    def gone() -> bool:
        for top in cgroup_folders(name):
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        return not any(top.exists() for top in cgroup_folders(name))

    until(gone, f"cgroup {name} to be empty", 20)


def mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """Mount points in `folder`, the innermost first."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    decoded = [point.encode().decode("unicode_escape") for point in points]
    return [point for point in reversed(decoded) if point.startswith(f"{folder}/")]


def remove_rules(family: str) -> None:
    """Takes kube-proxy's and the kubelet's chains out of `iptables` or `ip6tables`."""
    saved = subprocess.run([f"{family}-save"], capture_output=True, text=True).stdout
    undo = without_kube(saved.splitlines())
    if undo:
        subprocess.run([f"{family}-restore", "--noflush"], input="\n".join(undo) + "\n", text=True, check=True)


def without_kube(saved: Iterable[str]) -> list[str]:
    """Input for `iptables-restore --noflush` that removes every KUBE- chain and each jump into one."""
    undo: list[str] = []
    table = ""
    chains: list[str] = []
    jumps: list[str] = []
    for line in saved:
        if line.startswith("*"):
            table, chains, jumps = line, [], []
        elif line.startswith(":KUBE-"):
            chains.append(line.split()[0][1:])
        elif line.startswith("-A ") and not line.startswith("-A KUBE-") and "-j KUBE-" in line:
            jumps.append("-D" + line[2:])
        elif line == "COMMIT" and (chains or jumps):
            emptied = [f":{chain} - [0:0]" for chain in chains]
            undo += [table, *emptied, *jumps, *(f"-X {chain}" for chain in chains), "COMMIT"]
    return undo


def shim_sockets(layout: Layout) -> list[Path]:
    """Sockets of containerd's shims lie in /run; each bundle names its own."""
    found = layout.state.glob("node-*/containerd-state/io.containerd.runtime.v2.task/*/*/address")
    return [Path(file.read_text().removeprefix("unix://")) for file in found]


def remove_outside(layout: Layout, sockets: Iterable[Path]) -> None:
    """Files at fixed places: only ours are taken where others may have theirs."""
    networks = tuple(layout.cgroup(node) for node in NODES)
    results = [path for path in Path("/var/lib/cni/results").glob("*") if path.name.startswith(networks)]
    for path in (*sockets, *results, DEVICE_FOLDER / FAKE_FILE):
        path.unlink(missing_ok=True)
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{layout.state}/"):
            link.unlink()


def restore(layout: Layout) -> None:
    """Kernel settings as they were; folders that were not there before the first boot go."""
    try:
        before = json.loads((layout.state / "before.json").read_text())
    except (FileNotFoundError, ValueError):
        return
    for name, value in before["sysctls"].items():
        path = Path("/proc/sys") / name
        if path.read_text().strip() != value:
            path.write_text(value)
    for path in map(Path, before["absent"]):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
