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
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster import debian

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "ascend310_infer"
BUILD = ROOT / "build" / "infer310"
LOCK = ROOT / "requirements" / "lite.lock"
WHEEL = ["--python-version", "37", "--implementation", "cp", "--abi", "cp37m", "--platform", "manylinux1_x86_64"]
PACKAGES = {
    "cmake": "cmake",
    "g++": "g++",
    "make": "make",
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
COMPARED = ("runfolder", "sphereface", "tests/ascend310_infer")
SCRIPT = ROOT / "scripts" / "run_infer_310.sh"
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
    missing = debian.missing(packages)
    if missing and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        raise BuildError(f"packages are missing; as root: apt-get install {' '.join(missing)}")
    debian.install(missing)


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
    """Style, both builds, their unit tests, clang-tidy, and the comparison with Python; the last two after a change."""
    sources = sorted(path for path in SOURCE.rglob("*") if path.suffix in (".cc", ".h"))
    format_ = ["clang-format-14", "--dry-run", "-Werror", *map(str, sources)]
    call(format_, "run clang-format-14 -i on the files named above")
    for preset in ("release", "sanitize"):
        build(preset, root)
        call(["ctest", "--preset", preset], f"tests of the {preset} build failed", SOURCE)
    built = [*sources, SOURCE / ".clang-tidy", *SOURCE.rglob("CMake*"), LOCK, Path(__file__)]
    python = [path for name in COMPARED for path in (ROOT / name).rglob("*.py")]
    with_python = [*built, *python, LOCK.with_name("runtime.lock"), SCRIPT]
    once("tidy", built, tidy)
    if os.environ.get("DATA"):  # faces whose content is not looked at here
        compare()
    else:
        once("compared", with_python, compare)


def once(name: str, files: Iterable[Path], check: Callable[[], None]) -> None:
    """Calls `check` unless it ended well on the same files before."""
    seen = "".join(f"{path}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in sorted(set(files)))
    stamp = BUILD / f"{name}.sha256"
    digest = hashlib.sha256(seen.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        print(f"{name}: nothing has changed since", flush=True)
        return
    check()
    stamp.write_text(digest)


def tidy() -> None:
    """On the files of the unity build, which include ours: headers of others, most of the work, are read once each."""
    units = sorted(map(str, (BUILD / "release" / "CMakeFiles").glob("*/Unity/*.cxx")))
    rules = ["--quiet", f"--config-file={SOURCE / '.clang-tidy'}", "--checks=-bugprone-suspicious-include"]
    command = ["sh", "-c", 'exec clang-tidy-14 "$@" 2> /dev/null', "-", *rules, "-p", str(BUILD / "release")]
    call(["xargs", "-n", "1", "-P", JOBS, *command], "clang-tidy-14 found the above", words="\n".join(units))


def compare() -> None:
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
