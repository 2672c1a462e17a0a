"""The base of the images: Debian, by debootstrap from this machine's own archive, kept under the hash of its recipe."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from docker.host import BuildError, run

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
BASE = "FROM scratch\nCOPY . /\n"
EMPTIED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")
NAME = "sphereface"


def base_tag() -> str:
    recipe = json.dumps([SUITE, SUITES, BASE, EMPTIED])
    return f"localhost/{NAME}-base:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def archives(targets: str) -> dict[str, str]:
    """Archive's address by suite, from `apt-get indextargets --format '$(RELEASE) $(SITE)'`.

    Raises BuildError where this machine's apt does not know the base's suite.
    """
    pairs = (line.split(maxsplit=1) for line in targets.splitlines() if line)
    found = {suite: site for suite, site in pairs if suite in SUITES}
    if SUITE not in found:
        raise BuildError(
            f"apt has no archive of Debian {SUITE} here: add one to its sources, or build with a base image of your own"
            " (docker/README.md)"
        )
    return found


def sources(found: Mapping[str, str]) -> str:
    return "".join(f"deb {found[suite]} {suite} main\n" for suite in SUITES if suite in found)


def sweep(cache: Path) -> None:
    """Removes what a killed build left; debootstrap mounts /proc while it runs."""
    for left in [*cache.glob("base-*"), *cache.glob("context-*")]:
        subprocess.run(["umount", "--lazy", str(left / "proc")], capture_output=True)
        shutil.rmtree(left)


def make_base(cache: Path) -> None:
    targets = run("apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages")
    found = archives(targets)
    with tempfile.TemporaryDirectory(dir=cache, prefix="base-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # becomes the image's /
        run("debootstrap", "--variant=minbase", SUITE, name, found[SUITE])
        for inside in EMPTIED:
            for path in (folder / inside).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / "etc/apt/sources.list").write_text(sources(found))
        run("buildah", "build", "--tag", base_tag(), "--file", "-", name, given=BASE)
