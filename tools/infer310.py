"""Builds, tests and fuzzes ascend310_infer/: `make infer310`, `test-infer310`, `fuzz-infer310`; each can run twice.

MindSpore Lite comes from its wheel, by requirements/lite.lock, and is kept in ~/.cache/seed-infer310; MSLITE_ROOT names
another one, as on a machine with an Ascend 310. OpenCV and the compiler are Debian's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.cluster import machine

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "ascend310_infer"
BUILD = ROOT / "build" / "infer310"
LOCK = ROOT / "requirements" / "lite.lock"
WHEEL = ["--python-version", "37", "--implementation", "cp", "--abi", "cp37m", "--platform", "manylinux1_x86_64"]
PACKAGES = {
    "cmake": "cmake",
    "g++": "g++",
    "/usr/include/opencv4/opencv2/imgcodecs.hpp": "libopencv-imgcodecs-dev",
    "/usr/include/opencv4/opencv2/imgproc.hpp": "libopencv-imgproc-dev",
    "/usr/include/nlohmann/json.hpp": "nlohmann-json3-dev",
}
TEST_PACKAGES = {
    "/usr/include/gtest/gtest.h": "libgtest-dev",
    "clang-format-14": "clang-format-14",
    "clang-tidy-14": "clang-tidy-14",
}
FUZZ_PACKAGES = {"clang++-14": "clang-14", "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux": "libclang-rt-14-dev"}
JOBS = str(min(4, os.cpu_count() or 1))


class BuildError(Exception):
    """What is missing and what to do, in one line."""


def main() -> int:
    verb = sys.argv[1] if len(sys.argv) == 2 else ""
    try:
        if verb == "build":
            install(PACKAGES)
            build("release", lite_root())
            print(BUILD / "release")
        elif verb == "test":
            install({**PACKAGES, **TEST_PACKAGES})
            test(lite_root())
        elif verb == "fuzz":
            install({**PACKAGES, **FUZZ_PACKAGES})
            fuzz(int(os.environ.get("SECONDS", "600")))
        else:
            raise BuildError("usage: python -m tools.infer310 build|test|fuzz")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def install(packages: dict[str, str]) -> None:
    """Debian packages that are missing; root's apt-get installs them, others are told."""
    missing = machine.missing(packages)
    if missing and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise BuildError(f"packages are missing; as root: apt-get install {' '.join(missing)}")
    machine.install(missing)


def lite_root() -> Path:
    """The folder of MindSpore Lite's headers and libraries, fetched where MSLITE_ROOT names none."""
    cache = Path.home() / ".cache" / "seed-infer310"
    if given := os.environ.get("MSLITE_ROOT"):
        return Path(given)
    folder = cache / f"lite-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpacked = _fetch(Path(scratch))
            try:
                unpacked.rename(folder)
            except OSError:
                if not folder.is_dir():  # or another build was first
                    raise
    return folder


def _fetch(scratch: Path) -> Path:
    print("fetching MindSpore Lite (170 MB)", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *WHEEL]
    call([*pip, "--require-hashes", "-r", str(LOCK), "--dest", str(scratch)], "MindSpore Lite cannot be fetched")
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch, [name for name in archive.namelist() if name.startswith("mindspore_lite/")])
    return scratch / "mindspore_lite"


def build(preset: str, root: Path) -> None:
    """Configures and compiles a preset of ascend310_infer/CMakePresets.json; what is up to date is left."""
    options = ["-UMSLITE_*", f"-DMSLITE_ROOT={root}", "-Wno-dev", "--log-level=WARNING"]
    call(["cmake", "--preset", preset, *options], f"the {preset} build cannot be configured", SOURCE)
    command = ["cmake", "--build", "--preset", preset, "--parallel", JOBS, "--", "--no-print-directory"]
    call(command, f"the {preset} build failed", SOURCE)


def test(root: Path) -> None:
    """Style, both builds, their unit tests, and the comparison with Python."""
    sources = sorted(str(path) for path in SOURCE.rglob("*") if path.suffix in (".cc", ".h"))
    call(["clang-format-14", "--dry-run", "-Werror", *sources], "run clang-format-14 -i on the files named above")
    for preset in ("release", "sanitize"):
        build(preset, root)
        call(["ctest", "--preset", preset], f"tests of the {preset} build failed", SOURCE)
    tidy = ["sh", "-c", 'exec clang-tidy-14 --quiet -p "$0" "$1" 2> /dev/null', str(BUILD / "release")]
    checked = [path for path in sources if path.endswith(".cc") and "/tests/" not in path and "/fuzz/" not in path]
    seen = "".join(Path(path).read_text() for path in [*sources, str(SOURCE / ".clang-tidy")])
    stamp = BUILD / f"tidy-{hashlib.sha256(seen.encode()).hexdigest()[:16]}"
    if not stamp.exists():  # it takes as long as both builds
        call(["xargs", "-n", "1", "-P", JOBS, *tidy], "clang-tidy-14 found the above", words="\n".join(checked))
        stamp.touch()
    call([sys.executable, "-m", "pytest", "-m", "infer310", "tests/ascend310_infer"], "results differ from Python's")


def fuzz(seconds: int) -> None:
    """The parsers on whatever libFuzzer thinks of, from what it kept of earlier times."""
    build("fuzz", Path())
    corpus = BUILD / "fuzz" / "corpus"
    corpus.mkdir(exist_ok=True)
    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-print_final_stats=1", "-verbosity=1"]
    seeds = [f"-artifact_prefix={BUILD / 'fuzz'}/", str(corpus), str(SOURCE / "fuzz" / "seeds")]
    call([str(BUILD / "fuzz" / "fuzz" / "fuzz_parsers"), *limits, *seeds], "the fuzzer found the above")


def call(command: list[str], failure: str, folder: Path = ROOT, words: str | None = None) -> None:
    """Raises BuildError(failure) where the command does not end well; its output is shown as it comes."""
    if subprocess.run(command, cwd=folder, input=words, text=True).returncode:
        raise BuildError(failure)


if __name__ == "__main__":
    raise SystemExit(main())
