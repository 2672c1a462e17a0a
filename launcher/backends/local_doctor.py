"""Whether this machine can carry out a run, before it is submitted."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from launcher import lite_programs, spec_file
from launcher.backends import local_devices
from launcher.doctor import Finding, error, ok, warning
from launcher.plan import Plan
from launcher.processes import msrun

GIB = 1 << 30
ENOUGH = 2 * GIB
"""Of a checkpoint with its momenta (0.1 to 0.4 GB) a run keeps five."""
TOO_LITTLE = GIB // 4
SHM = GIB // 4
"""What ranks exchange through /dev/shm, with some room."""


def examine(plan: Plan) -> Iterator[Finding]:
    yield devices(plan)
    yield storage(Path(plan.spec["storage"]))
    for line in spec_file.missing_inputs(plan):
        key, _, text = line.partition(": ")
        yield error("input", f"{key}: {text}", "mend the path, or put the data there")
    for line in lite_programs.missing(plan, os.environ):
        text, _, advice = line.partition("; ")
        yield error("programs", text, advice)
    yield framework(importlib.util.find_spec("mindspore") is not None)
    if plan.devices > 1:
        yield command("ip", shutil.which("ip"))
        yield port()
        yield shared_memory(Path("/dev/shm"))  # noqa: S108


def devices(plan: Plan) -> Finding:
    if missing := local_devices.missing(plan):
        text, _, advice = missing.rpartition("; ")
        return error("devices", text, advice)
    processors = len(os.sched_getaffinity(0))
    if not plan.profile.device_files and processors < plan.devices:
        return warning(
            "devices", f"{plan.devices} processes share {processors} processor(s)", "fewer --devices may be as fast"
        )
    own = [f"{profile.name} x1" for profile in plan.own_profiles]
    return ok("devices", ", ".join([f"{plan.device} x{plan.devices}", *own]))


def storage(folder: Path) -> Finding:
    """Room and right to write, in the nearest folder that is there."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return error("storage", f"{there} is not writable", "choose another --storage, or mend the permissions")
    return room(folder, shutil.disk_usage(there).free)


def room(folder: Path, free: int) -> Finding:
    text = f"{folder} has {free / GIB:.1f} GiB free"
    if free < TOO_LITTLE:
        return error("storage", text, "free some space, or choose another --storage")
    if free < ENOUGH:
        return warning("storage", text, "a run with large networks may fill it; free some space")
    return ok("storage", text)


def framework(found: bool) -> Finding:
    if found:
        return ok("mindspore", "is installed beside the launcher")
    return error("mindspore", "is not installed", "install the launcher with its requirements (make demo does)")


def command(name: str, path: str | None) -> Finding:
    if path:
        return ok(name, path)
    return error(name, f"there is no command '{name}', which MindSpore calls for several ranks", "install iproute2")


def port() -> Finding:
    try:
        number = msrun.free_port()
    except OSError as failure:
        return error("port", f"no port of {msrun.HOST} can be had: {failure.strerror}", "bring the loopback device up")
    return ok("port", f"{msrun.HOST}:{number} is free for the ranks to meet")


def shared_memory(folder: Path) -> Finding:
    try:
        size = shutil.disk_usage(folder).total
    except OSError:
        return error("shared memory", f"there is no {folder}", "mount a tmpfs there")
    text = f"{folder} has {size / GIB:.1f} GiB"
    if size < SHM:
        return warning("shared memory", text, "in a container: give it more (docker run --shm-size=2g)")
    return ok("shared memory", text)
