from __future__ import annotations

import json
from pathlib import Path

import pytest

from sphereface import lfw_file
from sphereface.errors import DataError

WHOLE = {
    "protocol": "zoo",
    "threshold": 0.3,
    "threshold_at_far": {"0.1": 0.2, "0.0001": 0.7},
    "checkpoint": "0-1_2.ckpt",
    "checkpoint_sha256": "00",
}


def test_thresholds_are_read_by_rate(tmp_path: Path) -> None:
    file = tmp_path / "lfw.json"
    file.write_text(json.dumps({**WHOLE, "more": 1}))
    assert lfw_file.read(file) == lfw_file.LfwResult("zoo", 0.3, {0.1: 0.2, 1e-4: 0.7}, "0-1_2.ckpt", "00")


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", json.dumps({**WHOLE, "threshold_at_far": []}), "\xff"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lfw.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"is not the lfw\.json"):
        lfw_file.read(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json: cannot read"):
        lfw_file.read(tmp_path / "none.json")
