"""lfw.json, the result of an evaluation: what a stage tells of it, and its thresholds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphereface.errors import DataError

_TOLD = ("protocol", "accuracy", "std", "threshold", "auc", "eer", "pairs", "checkpoint")


@dataclass(frozen=True)
class LfwResult:
    """What an evaluation found: thresholds in the score of `protocol`, and which checkpoint they belong to."""

    protocol: str
    threshold: float
    threshold_at_far: Mapping[float, float]
    checkpoint: str
    checkpoint_sha256: str


def metrics(lfw: Mapping[str, Any], line: str) -> dict[str, Any]:
    """Of result.json: the chief numbers of an lfw.json, and the zoo's line."""
    return {key: lfw[key] for key in _TOLD} | {"line": line}


def read(path: Path) -> LfwResult:
    """Reads `lfw.json` as `sphereface evaluate` writes it. Raises DataError for anything else."""
    try:
        value = json.loads(path.read_bytes())
        return LfwResult(
            protocol=str(value["protocol"]),
            threshold=float(value["threshold"]),
            threshold_at_far={float(far): float(threshold) for far, threshold in value["threshold_at_far"].items()},
            checkpoint=str(value["checkpoint"]),
            checkpoint_sha256=str(value["checkpoint_sha256"]),
        )
    except OSError as error:
        raise DataError(f"{path}: cannot read the result of an evaluation: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DataError(f"{path}: is not the lfw.json of `sphereface evaluate`") from None
