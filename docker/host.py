"""What a build takes of this machine: its programs, how its pip reaches an index, and one build at a time."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian
from tests.cluster.machine import alone

PROGRAMS = ("buildah", "debootstrap")
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class BuildError(Exception):
    """What went wrong and what to do, in one line."""


@dataclass(frozen=True)
class Pip:
    """How pip reaches its index from inside a build."""

    conf: str
    certificates: Path | None


def pip_settings(listed: str, environ: Mapping[str, str]) -> Pip:
    """From `pip config list`; folders of this machine (find-links) mean nothing inside a build."""
    own: dict[str, str] = {}
    for line in listed.splitlines():  # the environment comes first there, and wins
        key, _, value = line.partition("=")
        own.setdefault(key.rpartition(".")[2].removeprefix("default-"), str(ast.literal_eval(value)))
    lines = [f"{key} = {' '.join(own[key].split())}" for key in PIP_KEYS if key in own]
    candidates = [own.get("cert"), *(environ.get(name) for name in CERTIFICATES)]
    certificates = next((Path(name) for name in candidates if name and Path(name).is_file()), None)
    if certificates:
        lines.append("cert = /run/ca.pem")
    return Pip("\n".join(["[global]", *lines, ""]), certificates)


def install_programs() -> None:
    if missing := debian.missing({name: name for name in PROGRAMS}):
        with step("apt-get"):
            debian.install(missing)


def has_image(tag: str) -> bool:
    return subprocess.run(["buildah", "inspect", "--type", "image", tag], capture_output=True).returncode == 0


def run(*argv: str, folder: Path | None = None, given: str | None = None) -> str:
    """Returns what it printed on stdout. BuildError with its last lines where it fails."""
    done = subprocess.run(argv, cwd=folder, input=given, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise BuildError(f"`{' '.join(argv[:2])}` failed with exit code {done.returncode}, its last lines:\n{last}")
    return done.stdout


@contextmanager
def step(name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{name:8} {time.monotonic() - began:6.1f} s", file=sys.stderr, flush=True)


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """The lock is the cache folder itself: no file is left, and a killed build holds nothing."""
    with alone(cache, "another build of images"):
        yield
