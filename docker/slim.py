"""Takes out of an image's Python packages what its target never loads, and compiles the rest.

    python slim.py /opt/venv/lib/python3.11/site-packages --target cpu

The MindSpore wheel carries the plugins of every device it knows (1.8 of its 2.5 GB); a container has one of them.
Byte code is made here, and trusted as it is: a container's root is read-only.
"""

from __future__ import annotations

import argparse
import compileall
import py_compile
import shutil
import sys
from pathlib import Path

PLUGINS = {
    "ascend": ("ascend*", "libmindspore_ascend.so*", "libmindspore_ops_ascend.so*"),
    "gpu": ("gpu*", "libmindspore_gpu.so*"),
}
"""What in `mindspore/lib/plugin` belongs to one kind of device alone."""
UNUSED = (
    "mindspore/include",  # headers for operators of one's own, which need a compiler
    "mindspore/lib/plugin/cpu",  # compiler of fused operators for processors: 118 MB, off unless asked for
    "cv2/data",  # Haar cascades
    "kubernetes/aio",  # the second, asynchronous copy of the client
)
TESTED = ("numpy", "scipy", "kubernetes", "psutil")
"""Packages that bring folders of their tests."""


def unneeded(packages: Path, target: str) -> list[Path]:
    """What of a site-packages folder the target (cpu, ascend or gpu) does without; no path lies inside another."""
    plugins = packages / "mindspore/lib/plugin"
    paths = {path for device, globs in PLUGINS.items() if device != target for g in globs for path in plugins.glob(g)}
    paths |= {packages / name for name in UNUSED if (packages / name).exists()}
    paths |= {path for name in TESTED for path in (packages / name).rglob("tests") if path.is_dir()}
    return sorted(path for path in paths if not paths & set(path.parents))


def main() -> int:
    parser = argparse.ArgumentParser(description="Take out what a target never loads, and compile the rest.")
    parser.add_argument("packages", type=Path, help="the site-packages folder")
    parser.add_argument("--target", required=True, choices=["cpu", *PLUGINS])
    given = parser.parse_args()
    for path in unneeded(given.packages, given.target):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(given.packages, quiet=2, workers=0, force=True, invalidation_mode=mode)
    return 0


if __name__ == "__main__":
    sys.exit(main())
