"""Builds the two Go programs of `kube/` once for each content of that folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.layout import KUBERNETES

SOURCE = Path(__file__).parent / "kube"
MAJOR, MINOR = KUBERNETES.lstrip("v").split(".")[:2]
VERSION = {"gitVersion": KUBERNETES, "gitMajor": MAJOR, "gitMinor": MINOR}
STAMPS = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in VERSION.items())
COSTS = {"kube": " (about 6 minutes on 2 cores where Go has nothing cached)"}
PROGRAMS = {"kube": (".", f"-s -w {STAMPS}"), "pod": ("./pod", "-s -w")}  # name -> package, linker flags


def sources() -> dict[str, bytes]:
    """Files that decide what is built."""
    paths = [SOURCE / "go.mod", SOURCE / "go.sum", *sorted(SOURCE.rglob("*.go"))]
    return {str(path.relative_to(SOURCE)): path.read_bytes() for path in paths}


def digest(files: Mapping[str, bytes], compiler: str, program: str) -> str:
    """Twelve hexadecimal digits that name one build."""
    package, flags = PROGRAMS[program]
    seen = hashlib.sha256(f"{compiler}\0{package}\0{flags}".encode())
    for name, content in sorted(files.items()):
        belongs = name.startswith("pod/") == (program == "pod") or name in ("go.mod", "go.sum")
        if belongs:
            seen.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return seen.hexdigest()[:12]


def built(program: str, cache: Path) -> Path:
    """The program's path in the cache, compiled if it is not there yet (`kube`: minutes)."""
    path = cache / f"{program}-{digest(sources(), compiler(), program)}"
    if not path.exists():
        print(f"building {path.name} from {SOURCE}{COSTS.get(program, '')}", flush=True)
        compile_to(path, program)
    return path


def compiler() -> str:
    try:
        command = ["go", "version"]
        return subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        raise SystemExit("error: no `go` on PATH: the test cluster needs Go 1.24 or later; install it") from None


def compile_to(path: Path, program: str) -> None:
    """Compiles beside `path` and renames: a killed build leaves no half program under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".build-*"):  # of a killed build
        shutil.rmtree(left)
    package, flags = PROGRAMS[program]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        output = Path(folder) / program
        command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(output), package]
        if subprocess.run(command, cwd=SOURCE, env={**os.environ, "CGO_ENABLED": "0"}).returncode:
            raise SystemExit(f"error: go could not build {program} in {SOURCE} (its words stand above)")
        output.rename(path)
    for old in superseded(path.parent.glob(f"{program}-*")):
        old.unlink()


def superseded(builds: Iterable[Path], keep: int = 3) -> list[Path]:
    """All but the newest few: going back and forth between two versions builds neither again."""
    return sorted(builds, key=lambda build: build.stat().st_mtime, reverse=True)[keep:]
