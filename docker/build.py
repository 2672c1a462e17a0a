"""Builds the cpu image on this machine and pushes it to the test cluster's registry: `make images`.

    python -m docker.build

    Debian's packages ──debootstrap──▶ base ──docker/cpu/Dockerfile──▶ image ──push──▶ 127.0.0.1:5000/sphereface:cpu

Nothing is built twice: the base is kept under the hash of its recipe, and buildah keeps each layer under the files it
was made from, so that a changed line of code costs the last layer alone. Where packages come from (apt's archive, pip's
index and its certificates) is asked of this machine's own apt and pip.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from runfolder import atomic
from tests.cluster.layout import REGISTRY, folders

ROOT = Path(__file__).parents[1]
PACKAGES = ("k8s_templates", "launcher", "runfolder", "sphereface")
CONTEXT = (*PACKAGES, "docker", "requirements", "pyproject.toml", "README.md")
"""What .dockerignore lets through: buildah reads the whole of a folder, ignored or not, at every build."""
PROGRAMS = ("buildah", "debootstrap")
SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
BASE = "FROM scratch\nCOPY . /\n"
EMPTIED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")
NAME = "sphereface"
COMPRESSION = ("--compression-format=zstd", "--compression-level=3")
"""A seventh smaller than gzip for the same work, and less to unpack; containerd 1.6 reads it."""
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class BuildError(Exception):
    """What went wrong and what to do, in one line."""


@dataclass(frozen=True)
class Pip:
    """How pip reaches its index from inside a build."""

    conf: str
    certificates: Path | None


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


def build_arguments(tag: str, version: str, revision: str) -> list[str]:
    return [
        *("--layers", "--pull=never", "--file", "docker/cpu/Dockerfile", "--tag", tag),
        *("--build-arg", f"BASE={base_tag()}"),
        *("--build-arg", f"VERSION={version}", "--build-arg", f"REVISION={revision}"),
    ]


def main() -> int:
    state, cache = folders()
    try:
        with one_at_a_time(cache):
            reference = build_and_push(state, cache)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(reference)
    return 0


def build_and_push(state: Path, cache: Path) -> str:
    """Returns the image's reference by digest, written to the cluster's images.json as well."""
    os.environ["BUILDAH_ISOLATION"] = "chroot"  # no runtime and no network of its own: works inside containers too
    install_programs()
    sweep(cache)
    with step("base"):
        if not has_image(base_tag()):
            make_base(cache)
    tag = f"localhost/{NAME}:cpu"
    with step("image"), tempfile.TemporaryDirectory(dir=cache, prefix="context-") as name:
        build(tag, Path(name))
    with step("push"):
        require_registry()
        reference = push(tag)
    remember(state / "images.json", "cpu", reference)
    return reference


def install_programs() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        with step(f"apt-get install {' '.join(missing)}"):
            run("apt-get", "update")
            run("apt-get", "install", "--yes", "--no-install-recommends", *missing)


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


def build(tag: str, folder: Path) -> None:
    for name in CONTEXT:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "dev.lock"))
        else:
            shutil.copy2(source, target)
    pip = pip_settings(run(sys.executable, "-m", "pip", "config", "list"), os.environ)
    (folder / "pip.conf").write_text(pip.conf)
    secrets = ["--secret", f"id=pip.conf,src={folder / 'pip.conf'}"]
    if pip.certificates:
        secrets += ["--secret", f"id=ca.pem,src={pip.certificates}"]
    run("buildah", "build", *build_arguments(tag, version(), revision()), *secrets, ".", folder=folder)


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def revision() -> str:
    """The commit; `-changed` where files of the image differ from it."""
    try:
        commit = run("git", "rev-parse", "HEAD", folder=ROOT).strip()
        changed = run("git", "status", "--porcelain", "--", *CONTEXT, folder=ROOT)
    except BuildError:
        return "unknown"  # a source archive
    return commit + ("-changed" if changed.strip() else "")


def require_registry() -> None:
    try:
        urlopen(f"http://{REGISTRY}/v2/", timeout=5).close()
    except (URLError, OSError) as error:
        raise BuildError(f"no registry answers at {REGISTRY} ({error}): `make cluster` starts it") from None


def push(tag: str) -> str:
    target = f"docker://{REGISTRY}/{NAME}:{tag.rpartition(':')[2]}"
    with tempfile.NamedTemporaryFile("r") as digest:
        run("buildah", "push", "--tls-verify=false", *COMPRESSION, "--digestfile", digest.name, tag, target)
        return f"{REGISTRY}/{NAME}@{digest.read().strip()}"


def remember(path: Path, target: str, reference: str) -> None:
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        known = {}
    atomic.write_json(path, {**known, target: reference})


def has_image(tag: str) -> bool:
    return subprocess.run(["buildah", "inspect", "--type", "image", tag], capture_output=True).returncode == 0


def run(*argv: str, folder: Path | None = None, given: str | None = None) -> str:
    """Returns what it printed on stdout. BuildError with its last lines where it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, cwd=folder, input=given, env=environment, capture_output=True, text=True)
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
    cache.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
