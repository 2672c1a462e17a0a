"""Builds the images on this machine and pushes them to the test cluster's registry: `make images`.

    python -m docker.build [--no-push] [cpu] [infer310]

    Debian's packages ──debootstrap──▶ base ──docker/cpu/Dockerfile──▶ runtime ──the project's code──▶ cpu
                                                                          └─docker/infer310/Dockerfile──▶ programs
                                                                                    ──the project's code──▶ infer310

Nothing is built twice: the base and the programs are kept under the hash of what they are made from, and buildah keeps
each layer under the files it was made from. A changed line of Python costs the last layer of each image alone; one of
C++ a compilation. Where packages come from (apt's archive, pip's index and its certificates) is asked of this machine's
own apt and pip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from docker.base import NAME, base_tag, make_base, sweep
from docker.host import BuildError, has_image, install_programs, one_at_a_time, pip_settings, run, step
from runfolder import atomic
from tests.cluster.layout import REGISTRY, folders

ROOT = Path(__file__).parents[1]
TARGETS = ("cpu", "infer310")
PACKAGES = ("k8s_templates", "launcher", "runfolder", "sphereface")
CONTEXT = (*PACKAGES, "docker", "requirements", "pyproject.toml", "README.md")
"""What .dockerignore lets through: buildah reads the whole of a folder, ignored or not, at every build."""
PROGRAMS_CONTEXT = (
    "ascend310_infer/CMakeLists.txt",
    "ascend310_infer/CMakePresets.json",
    "ascend310_infer/programs",
    "ascend310_infer/src",
    "requirements/lite.lock",
)
"""The same for docker/infer310/Dockerfile, which has an ignore file of its own."""
PROGRAMS_RECIPE = (
    *PROGRAMS_CONTEXT,
    "docker/infer310/Dockerfile",
    "docker/cpu/Dockerfile",
    "docker/entrypoint",
    "docker/slim.py",
    "requirements/runtime.lock",
)
"""What the layers of infer310 below the project's code are made from."""
COMPRESSION = ("--compression-format=zstd", "--compression-level=3")
"""A seventh smaller than gzip for the same work, and less to unpack; containerd 1.6 reads it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docker.build", description="Build the images and push them.")
    parser.add_argument("targets", nargs="*", metavar="IMAGE", help=f"any of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--no-push", action="store_true", help="ahead of a cluster: what is pushed later is built then")
    given = parser.parse_args()
    state, cache = folders()
    try:
        if unknown := set(given.targets) - set(TARGETS):
            raise BuildError(f"no image is called {' or '.join(sorted(unknown))}: name any of {', '.join(TARGETS)}")
        with one_at_a_time(cache):
            prepare(cache)
            for target in TARGETS:
                if target in (given.targets or TARGETS):
                    tag = build(target, cache)
                    print(tag if given.no_push else publish(tag, target, state), flush=True)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def prepare(cache: Path) -> None:
    os.environ["BUILDAH_ISOLATION"] = "chroot"  # no runtime and no network of its own: works inside containers too
    install_programs()
    sweep(cache)
    if not has_image(base_tag()):
        with step("base"):
            make_base(cache)


def build(target: str, cache: Path) -> str:
    """Returns the image's tag."""
    tag = f"localhost/{NAME}:{target}"
    with tempfile.TemporaryDirectory(dir=cache, prefix="context-") as name:
        context, arguments = Path(name), list[str]()
        fill(context, CONTEXT)
        if target == "infer310":
            arguments = ["--build-context", f"runtime=container-image://{programs(context, cache)}"]
        with step(target):
            labels = {"VERSION": version(), "REVISION": revision(target)}
            buildah(context, "docker/cpu/Dockerfile", tag, *arguments, BASE=base_tag(), **labels)
    return tag


def publish(tag: str, target: str, state: Path) -> str:
    """Returns the image's reference by digest, written to the cluster's images.json as well."""
    with step(f"push {target}"):
        require_registry()
        reference = push(tag)
    remember(state / "images.json", target, reference)
    return reference


def programs(cpu_context: Path, cache: Path) -> str:
    """The tag of infer310 below the project's code, built where it is not there."""
    tag = programs_tag(ROOT)
    if has_image(tag):
        return tag
    runtime = f"localhost/{NAME}-runtime:cpu"
    with step("runtime"):
        buildah(cpu_context, "docker/cpu/Dockerfile", runtime, "--target", "runtime", BASE=base_tag())
    with step("programs"), tempfile.TemporaryDirectory(dir=cache, prefix="context-") as name:
        context = Path(name)
        fill(context, (*PROGRAMS_CONTEXT, "docker"))
        buildah(context, "docker/infer310/Dockerfile", tag, SYSTEM=base_tag(), BASE=runtime)
    return tag


def programs_tag(root: Path) -> str:
    seen = hashlib.sha256(base_tag().encode())
    for name in PROGRAMS_RECIPE:
        for path in sorted((root / name).rglob("*")) if (root / name).is_dir() else [root / name]:
            if path.is_file():
                seen.update(f"\n{path.relative_to(root)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"localhost/{NAME}-programs:{seen.hexdigest()[:12]}"


def fill(context: Path, names: tuple[str, ...]) -> None:
    for name in names:
        source, target = ROOT / name, context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "dev.lock", "lite.lock"))
        else:
            shutil.copy2(source, target)


def buildah(context: Path, file: str, tag: str, *options: str, **arguments: str) -> None:
    """`buildah build` of a folder that `fill` made, with pip's settings as secrets."""
    pip = pip_settings(run(sys.executable, "-m", "pip", "config", "list"), os.environ)
    secret = context / "pip.conf"
    secret.write_text(pip.conf)
    words = ["--layers", "--pull=never", "--file", file, "--tag", tag, *options]
    for name, value in arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    words += ["--secret", f"id=pip.conf,src={secret}"]
    if pip.certificates:
        words += ["--secret", f"id=ca.pem,src={pip.certificates}"]
    run("buildah", "build", *words, ".", folder=context)


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def revision(target: str) -> str:
    """The commit; `-changed` where files of the image differ from it."""
    files = (*CONTEXT, *PROGRAMS_CONTEXT) if target == "infer310" else CONTEXT
    try:
        commit = run("git", "rev-parse", "HEAD", folder=ROOT).strip()
        changed = run("git", "status", "--porcelain", "--", *files, folder=ROOT)
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


if __name__ == "__main__":
    sys.exit(main())
