"""Where the C++ programs of ascend310_infer/ are found: the launcher looks for them before a run, sphereface in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = "SPHEREFACE_LITE"
"""Environment variable: folder of the programs, where they are neither built in this checkout nor on PATH."""
CONVERT, RUN, INFER = "sphereface_lite_convert", "sphereface_lite_run", "sphereface_infer310"
BUILT = Path(__file__).parents[1] / "build" / "infer310" / "release"


def find(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of a program, or None."""
    given = environ.get(FOLDER)
    places = [given] if given else [str(BUILT), environ.get("PATH", os.defpath)]
    return next((found for place in places if (found := shutil.which(name, path=place))), None)


def missing(names: Sequence[str], environ: Mapping[str, str] = os.environ) -> str:
    """Why programs were not found, and what to do; one line."""
    where = environ.get(FOLDER) or "build/infer310/release, nor on PATH"
    what = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not in {where}"
    return f"{what}; run `make infer310` in a checkout, or set {FOLDER} to the folder of its programs"
