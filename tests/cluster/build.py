"""Builds the Go programs of `kube/` once for each content of the folder.

They are one module: Kueue is compiled from the packages that the cluster's parts have compiled already.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.layout import KUBERNETES
from tests.cluster.machine import alone

SOURCE = Path(__file__).parent / "kube"
MAJOR, MINOR = KUBERNETES.lstrip("v").split(".")[:2]
VERSION = {"gitVersion": KUBERNETES, "gitMajor": MAJOR, "gitMinor": MINOR}
STAMPS = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in VERSION.items())
COSTS = {
    "kube": " (about 7 minutes on 2 cores where Go has nothing cached)",
    "kueue": " (about 3 minutes more on 2 cores where Go has nothing cached)",
}
IN_MEMORY = "-X sigs.k8s.io/kueue/pkg/visibility.certDir="  # a certificate of its own, not written to /visibility
PROGRAMS = {  # name -> package, linker flags
    "kube": (".", f"-s -w {STAMPS}"),
    "pod": ("./pod", "-s -w"),
    "kueue": ("sigs.k8s.io/kueue/cmd/kueue", f"-s -w {IN_MEMORY}"),
}


def sources() -> dict[str, bytes]:
    """Files that decide what is built."""
    paths = [SOURCE / "go.mod", SOURCE / "go.sum", *sorted(SOURCE.rglob("*.go"))]
    return {str(path.relative_to(SOURCE)): path.read_bytes() for path in paths}


def digest(files: Mapping[str, bytes], compiler: str, program: str) -> str:
    """Twelve hexadecimal digits that name one build."""
    package, flags = PROGRAMS[program]
    seen = hashlib.sha256(f"{compiler}\0{package}\0{flags}".encode())
    for name, content in sorted(files.items()):
        if name in ("go.mod", "go.sum") or owner(name) == program:
            seen.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return seen.hexdigest()[:12]


def owner(source: str) -> str:
    """The program that a file of ours belongs to; all of Kueue comes from its module."""
    return "pod" if source.startswith("pod/") else "kube"


def built(program: str, cache: Path) -> Path:
    """The program's path in the cache, compiled if it is not there yet (`kube`, `kueue`: minutes)."""
    path = cache / f"{program}-{digest(sources(), compiler(), program)}"
    if not path.exists():
        with alone(building(path, program), f"another build of {program}"):
            if not path.exists():
                print(f"building {path.name} from {SOURCE}{COSTS.get(program, '')}", flush=True)
                compile_to(path, program)
    return path


def building(path: Path, program: str) -> Path:
    """The folder in which the program is made, one build of it at a time."""
    return path.parent / f"building-{program}"


def compiler() -> str:
    try:
        command = ["go", "version"]
        return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise SystemExit("error: no `go` on PATH: the test cluster needs Go 1.25 or later; install it") from None


def compile_to(path: Path, program: str) -> None:
    """Compiles beside `path` and renames: a killed build leaves no half program under its name."""
    place = building(path, program)
    place.mkdir(parents=True, exist_ok=True)
    for left in place.iterdir():  # of a killed build
        shutil.rmtree(left)
    package, flags = PROGRAMS[program]
    with tempfile.TemporaryDirectory(dir=place) as made:
        output = Path(made) / program
        command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(output), package]
        if subprocess.run(command, cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"}).returncode:
            raise SystemExit(f"error: go could not build {program} in {SOURCE} (its words stand above)")
        output.rename(path)
    for old in superseded(path.parent.glob(f"{program}-*")):
        old.unlink()


def superseded(builds: Iterable[Path], keep: int = 3) -> list[Path]:
    """All but the newest few: going back and forth between two versions builds neither again."""
    return sorted(builds, key=lambda build: build.stat().st_mtime, reverse=True)[keep:]


def module(name: str) -> Path:
    """Folder of a Go module that the programs are made of, fetched if need be: its manifests and CRDs lie there."""
    command = ["go", "mod", "download", "-json", name]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: go could not fetch {name}: {done.stderr.strip() or done.stdout.strip()}")
    return Path(json.loads(done.stdout)["Dir"])
