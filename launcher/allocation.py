"""What this pod was given: its devices and their addresses, as device plugin, container runtime and driver say.

Read from, in this order: the device plugin's annotation, which Kubernetes shows to the pod as a file; else the
variables of the container's runtime, with addresses from `/etc/hccn.conf` or `hccn_tool`. Nothing is guessed.
"""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import ascend
from launcher.ascend import Board
from launcher.errors import LauncherError, UsageError, WaitTimeout, one_line
from launcher.pod_table import POLL_S, whole_table
from launcher.rank_tables import build, hccn, pods, visible
from launcher.rank_tables.json_text import MAX_BYTES
from launcher.rank_tables.model import Device, Server
from launcher.rank_tables.pods import Allocation
from launcher.rank_tables.values import ip, listed, shown

ANNOTATION_FILE = f"{ascend.ANNOTATION_FOLDER}/{ascend.ANNOTATION_ITEM}"

_TOOL_S = 10.0


@dataclass(frozen=True)
class Given:
    allocation: Allocation
    source: str
    """What said so: a file or a variable."""
    notes: tuple[str, ...] = ()
    """What was not to be had, one line each."""


def hccn_tool(argv: list[str]) -> str:
    """Runs it; what it printed, on both streams. Raises OSError and subprocess.SubprocessError."""
    ran = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_TOOL_S, check=False
    )
    return ran.stdout + ran.stderr


def own_server(
    environment: Mapping[str, str],
    root: Path,
    board: Board,
    count: int,
    run: Callable[[list[str]], str] = hccn_tool,
    *,
    pod: int = 0,
    nodes: int = 1,
    deadline_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> Given:
    """The `count` devices of this pod, by ascending id: a process of it calls the first of them DEVICE_ID 0.

    `root` of the file system; `pod`: its number, 0, 1, … of `nodes`. Where the annotation's file is mounted and still
    empty it is waited for, `deadline_s` seconds at most, unless the environment says all that a table needs. Raises
    WaitTimeout when nothing was said by then, and LauncherError, one line, for what is not there or cannot be used
    together.
    """
    path = root / ANNOTATION_FILE.lstrip("/")
    began = clock()
    fallback: Given | None = None
    while True:
        annotated = _annotated(path, environment, pod)
        if annotated:
            return _usable(annotated, board, count)
        fallback = fallback or _from_environment(environment, root, board, pod, run)
        whole = fallback is not None and _is_whole(fallback, board, nodes)
        if whole or not path.parent.is_dir() or clock() - began >= deadline_s:
            break
        if stopped():
            raise LauncherError(f"{path}: told to stop before the device plugin had written the pod's devices")
        sleep(POLL_S)
    if fallback is None:
        raise _nothing(environment, path, board, clock() - began)
    return _usable(fallback, board, count)


def _annotated(path: Path, environment: Mapping[str, str], pod: int) -> Given | None:
    try:
        text = _read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LauncherError(f"{path}: cannot read the pod's annotation: {error.strerror}") from None
    if not text.strip():
        return None
    found = pods.allocation(text, str(path), pod)
    devices = sorted(found.server.devices, key=lambda device: device.device_id or 0)
    chosen = visible.chosen(environment, [device.device_id or 0 for device in devices])
    server = replace(found.server, devices=tuple(devices[position] for position in chosen))
    return Given(replace(found, server=server), str(path))


def _from_environment(
    environment: Mapping[str, str], root: Path, board: Board, pod: int, run: Callable[[list[str]], str]
) -> Given | None:
    ids = visible.physical(environment)
    if not ids or board.versions == (ascend.LEVELS,):  # layers of network stand in the annotation alone
        return None
    addresses, notes = _addresses(root, ids, run)
    host = environment.get(ascend.HOST_IP, "")
    name = host or environment.get(ascend.POD_IP, "") or platform.node()
    devices = tuple(Device(number, device_ip=addresses.get(number, "")) for number in ids)
    server = Server(name[: ascend.MAX_SERVER_ID], devices, host if ip(host) else "")
    variable = ascend.VISIBLE_DEVICES if environment.get(ascend.VISIBLE_DEVICES) else ascend.RT_VISIBLE_DEVICES
    return Given(Allocation(f"pod {pod}", server, "0", pod), variable, notes)


def _addresses(
    root: Path, ids: tuple[int, ...], run: Callable[[list[str]], str]
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Of the devices that have one; and what could not be asked."""
    path = root / ascend.HCCN_CONF.lstrip("/")
    notes: list[str] = []
    found: dict[int, str] = {}
    try:
        found = hccn.addresses(_read(path), str(path))
    except OSError as error:
        notes.append(f"{path}: {error.strerror}")
    except UsageError as error:
        notes.append(str(error))
    for number in ids:
        if found.get(number):
            continue
        argv = [ascend.HCCN_TOOL, "-i", str(number), "-ip", "-g"]
        try:
            said = hccn.addresses(run(argv), " ".join(argv))
        except OSError as error:
            notes.append(f"{ascend.HCCN_TOOL}: {error.strerror}")
            break  # it is not there for the other devices either
        except subprocess.SubprocessError as error:
            notes.append(one_line(str(error)))
        except UsageError as error:
            notes.append(str(error))
        else:
            found[number] = next(iter(said.values())) if len(said) == 1 else ""
    return found, tuple(notes)


def _is_whole(given: Given, board: Board, nodes: int) -> bool:
    """The annotation could add nothing: addresses of devices are needed between servers, numbers in super pods."""
    addressed = all(device.device_ip for device in given.allocation.server.devices)
    return board.versions == ("1.0",) and (nodes == 1 or addressed)


def _usable(given: Given, board: Board, count: int) -> Given:
    server = given.allocation.server
    ids = [device.device_id for device in server.devices if device.device_id is not None]
    if len(ids) != count:
        raise LauncherError(
            f"{given.source}: this pod was given {len(ids)} devices ({listed(ids)}), its stage asks for {count}; the "
            "pod's limit of devices and the run's devices must be the same number"
        )
    if len(set(ids)) < len(ids):
        raise LauncherError(f"{given.source}: device {_twice(ids)} stands there twice; each must stand once")
    try:
        build.choose(server, count, board)
    except UsageError as error:
        raise LauncherError(
            f"{given.source}: {error}, or see to it that the scheduler knows the board's rings (Volcano with Ascend's "
            "plugin does)"
        ) from None
    whole_table([given.allocation], board)
    return given


def _twice(ids: list[int]) -> int:
    return next(number for position, number in enumerate(ids) if number in ids[:position])


def _nothing(environment: Mapping[str, str], path: Path, board: Board, waited_s: float) -> LauncherError:
    mounted = path.parent.is_dir()
    looked = [f"{path} is {f'still empty after {waited_s:.0f} s' if mounted else 'not mounted'}"]
    for variable in (ascend.VISIBLE_DEVICES, ascend.RT_VISIBLE_DEVICES):
        value = environment.get(variable)
        looked.append(f"{variable} is {shown(value) if value else 'not set'}")
    if board.versions == (ascend.LEVELS,):
        looked.append(f"and for {board.name} the annotation alone says enough")
    text = one_line(
        f"this pod does not know its devices: {', '.join(looked)}; see to it that the Ascend device plugin runs on the "
        f"node (it writes the annotation {ascend.POD_ANNOTATION}), or use a profile with start: msrun"
    )
    return WaitTimeout(text) if mounted else LauncherError(text)


def _read(path: Path) -> str:
    with path.open("rb") as opened:
        return opened.read(MAX_BYTES + 1).decode(errors="replace")
