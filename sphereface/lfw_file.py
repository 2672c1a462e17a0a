"""Reading lfw.json, the result of an evaluation, for the thresholds in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sphereface.errors import DataError


@dataclass(frozen=True)
class LfwResult:
    """What an evaluation found: thresholds in the score of `protocol`, and which checkpoint they belong to."""

    protocol: str
    threshold: float
    threshold_at_far: Mapping[float, float]
    checkpoint: str
    checkpoint_sha256: str


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
