"""Debian packages that the tools for building and testing need: which are missing, and how they come."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 600.0
"""How long another apt-get (a build beside this one, or the machine's own at its start) is waited for."""


def missing(packages: Mapping[str, str]) -> list[str]:
    """Of `{command or file: package}`, the packages whose command or file is not on this machine."""
    return [package for sign, package in packages.items() if not (Path(sign).exists() or shutil.which(sign))]


def install(packages: Sequence[str], *, pause_s: float = 1.0) -> None:
    """SystemExit: apt-get cannot install them."""
    if not packages:
        return
    print(f"installing with apt-get: {' '.join(packages)}", flush=True)
    for words in (["update", "--quiet"], ["install", "--yes", "--quiet", "--no-install-recommends", *packages]):
        if said := _apt_get(words, pause_s):
            raise SystemExit(f"error: `apt-get {words[0]}` failed; install {' '.join(packages)} by hand\n{said}")


def _apt_get(words: list[str], pause_s: float) -> str:
    """What it said where it failed. Two at once do not wait for each other by themselves: the second one fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    end = time.monotonic() + PATIENCE_S
    waits = False
    while True:
        done = subprocess.run(
            ["apt-get", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        if done.returncode == 0:
            return ""
        if "Could not get lock" not in done.stderr or time.monotonic() > end:
            return done.stderr.strip() or f"exit code {done.returncode}"
        if not waits:
            print("waiting for another apt-get", flush=True)
        waits = True
        time.sleep(pause_s)
