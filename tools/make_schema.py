"""Writes `launcher/schemas/sphereface.json`: what each key of sphereface may hold, for a launcher that never imports it.

Run it after a change of `sphereface/config.py`; a test compares the file with what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path

from runfolder import atomic
from sphereface import config

TARGET = Path(__file__).resolve().parent.parent / "launcher" / "schemas" / "sphereface.json"


def text() -> str:
    return json.dumps(config.schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    atomic.write_text(TARGET, text())
