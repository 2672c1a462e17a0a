"""What the environment of a stage may hold, whoever gives it: a spec or a device's profile. Pure."""

from __future__ import annotations

import re

MAX_ENV = 100_000
"""Bytes of one variable: Linux starts no program with more than 128 KiB."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|(API|ACCESS|PRIVATE|AUTH)_?KEY", re.IGNORECASE)
_OURS = re.compile(
    r"LAUNCHER_.*|SPHEREFACE_STATUS_DIR|RANK_ID|RANK_SIZE|DEVICE_ID|MS_ROLE|MS_SCHED_.*|MS_WORKER_NUM|MS_NODE_ID"
)


def check(name: str, value: str) -> None:
    """Raises ValueError whose text goes on after the variable's name: `is set by the launcher itself`."""
    if not _NAME.fullmatch(name):
        raise ValueError("is not a name for an environment variable (letters, digits and '_')")
    if _SECRET.search(name):
        raise ValueError(
            "looks like a secret, and a plan is kept as plain text; export it in the shell that submits instead"
        )
    if _OURS.fullmatch(name):
        raise ValueError("is set by the launcher itself")
    if "\0" in value:
        raise ValueError("has a NUL, which no process is given")
    if len(value.encode()) > MAX_ENV:
        raise ValueError(f"has more than {MAX_ENV} bytes, and Linux starts no program with that")
