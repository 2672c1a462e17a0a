"""Starts, recognises and kills the cluster's processes; a record of each holds its pid and its exact command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.cluster.layout import NODE_CPUS, STATE_MARK, Layout
from tests.cluster.parts import Part

SAID = {"SEED_CLUSTER_NODE_CPUS": str(NODE_CPUS)}  # read by our kubelet (kube/kubelet.go)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(layout: Layout, part: Part) -> int:
    """Starts a part that does not run; returns its pid. SystemExit: its address is taken."""
    pid = running(layout, part.name)
    if pid is not None:
        return pid
    # A killed process may hold its sockets for a moment after it is a zombie.
    until(lambda: not answers(part.answers), f"{part.answers}, which {part.name} needs and another program has", 10)
    environment = {"PATH": PATH, "HOME": str(layout.state), STATE_MARK: str(layout.state), **SAID}
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(layout.log(part.name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Not subprocess: the part outlives this program, which never waits for it.
    pid = os.posix_spawnp(part.argv[0], part.argv, environment, file_actions=files, setsid=True)
    record = {"pid": pid, "started": started(pid), "argv": part.argv, "answers": part.answers}
    write(layout.record(part.name), json.dumps(record))
    return pid


def recorded(layout: Layout, name: str) -> Part:
    """The part as it was last started: a restart takes exactly its old flags. KeyError: never started."""
    try:
        record = json.loads(layout.record(name).read_text())
    except FileNotFoundError:
        raise KeyError(f"no part {name!r} in {layout.record(name).parent}") from None
    return Part(name, tuple(record["argv"]), record["answers"])


def running(layout: Layout, name: str) -> int | None:
    """Pid of a part that lives; a pid that another process took over does not count."""
    try:
        record = json.loads(layout.record(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    alive = record["started"] is not None and started(record["pid"]) == record["started"]
    return int(record["pid"]) if alive else None


def started(pid: int) -> str | None:
    """When the kernel started a process, in ticks since boot; None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def kill(layout: Layout, name: str, *, how: signal.Signals = signal.SIGKILL, within_s: float = 20) -> int | None:
    """Ends a part and waits until it is gone; returns the pid it had."""
    pid = running(layout, name)
    if pid is not None:
        end([pid], how)
        until(lambda: running(layout, name) is None, f"{name} (pid {pid}) to end", within_s)
    return pid


def end(pids: Iterable[int], how: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # ours to reap when this same process started it


def marked(state: Path) -> Iterator[int]:
    """Processes that were started for a state folder, and their children that kept the environment."""
    mark = f"{STATE_MARK}={state}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def answers(address: str) -> bool:
    """Whether something takes connections at host:port or at a socket file."""
    unix = address.startswith("/")
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
        client.settimeout(1)
        return client.connect_ex(address if unix else (host, int(port))) == 0


def wait_for(layout: Layout, part: Part, within_s: float = 60) -> None:
    """Waits until a part takes connections. SystemExit: it died or never did, with the end of its log."""

    def up() -> bool:
        if running(layout, part.name) is None:
            raise SystemExit(f"error: {part.name} ended at once; {layout.log(part.name)} ends:\n{tail(layout, part)}")
        return answers(part.answers)

    until(up, f"{part.name} to answer at {part.answers} (log: {layout.log(part.name)})", within_s)


def tail(layout: Layout, part: Part, lines: int = 8) -> str:
    return "\n".join(layout.log(part.name).read_text(errors="replace").splitlines()[-lines:])


def until(done: Callable[[], bool], what: str, within_s: float) -> None:
    """Asks ten times a second. SystemExit: not within the time."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"error: waited {within_s:.0f} s for {what}")
        time.sleep(0.1)


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
