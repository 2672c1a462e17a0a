"""Removes a run folder from the storage: what `launcher delete` runs in a pod, for no laptop sees the storage.

python -P -m launcher.backends.kubernetes.cleaner --folder RUN_FOLDER --plan-hash H
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from launcher import record
from launcher.errors import CONFIGURATION_EXIT, LauncherError, NotFound
from runfolder import layout

_REMOVED = ".removed-"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m launcher.backends.kubernetes.cleaner", description="Cleans up.")
    parser.add_argument("--folder", type=Path, required=True, help="the run folder")
    parser.add_argument("--plan-hash", required=True, help="of the run: a folder of another one is left alone")
    given = parser.parse_args(words)
    try:
        print(clean(given.folder, given.plan_hash))
    except OSError as error:
        print(f"error: {error.filename or given.folder}: {error.strerror or error}", file=sys.stderr)
        return 1
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return CONFIGURATION_EXIT
    return 0


def clean(folder: Path, plan_hash: str) -> str:
    """What was done, in words. May be killed at any point and run again. Raises OSError, and LauncherError for a folder
    that is no run's."""
    # Renamed first: a removal that is cut short leaves no half of a run under its name.
    removed = folder.with_name(f"{_REMOVED}{folder.name}-{plan_hash[:12]}")
    if folder.exists():
        if not _is_ours(folder, plan_hash):
            return f"{folder} is another run's and is left alone"
        if removed.exists():
            shutil.rmtree(removed)
        folder.rename(removed)
    if not removed.exists():
        return f"{folder} is not there"
    shutil.rmtree(removed)
    return f"{folder} removed"


def _is_ours(folder: Path, plan_hash: str) -> bool:
    """A folder that the runner had only begun to make is empty, or holds its draft alone."""
    try:
        return record.read_plan(folder).hash == plan_hash
    except NotFound:
        if all(path.name.startswith(".") for path in folder.iterdir()):
            return True
        raise LauncherError(f"{folder} has files but no {layout.PLAN}; it is left alone") from None


if __name__ == "__main__":
    sys.exit(main())
