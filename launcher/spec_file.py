"""From what a user wrote to a RunSpec: defaults, files, `--set` and flags, with the origin of every value.

Later wins: defaults < `config:` file < user's config < the spec file < LAUNCHER_STORAGE < `--set` < flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launcher.plan import Plan
from launcher.spec import Resolved


def user_config_path(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    return Path(base) / "launcher" / "launcher.yaml"


def resolve(
    spec_path: Path | None,
    flags: Mapping[str, Any],
    sets: Sequence[str],
    *,
    folder: Path,
    user_config: Path,
    environment: Mapping[str, str],
) -> Resolved:
    raise NotImplementedError


def resolve_storage(
    flag: str | None, *, folder: Path, user_config: Path, environment: Mapping[str, str]
) -> tuple[Path, str]:
    """Where verbs other than `submit` look for runs, and the origin of that."""
    raise NotImplementedError


def missing_inputs(plan: Plan) -> list[str]:
    """Local input paths of the plan that are not there, one line each (`train.train_img_dir: /x does not exist`)."""
    raise NotImplementedError
