"""Writes `launcher/schemas/sphereface.json`: what each key of sphereface may hold.

The launcher never imports sphereface and checks specs by this file. Run this after a change of
`sphereface/config.py`; a test compares the file with what would be written.
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
