"""STAND-IN for `python -m sphereface evaluate`: the checkpoint's first word says what becomes of it.

A number is its accuracy, `bad` is refused as sphereface refuses a checkpoint, `killed` ends by SIGKILL, `fails` with 1.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from runfolder import atomic, layout


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("stage")
    parser.add_argument("--ckpt_files", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--batch_size", type=int, default=32)
    given = parser.parse_args()
    with (given.output / "calls.log").open("a") as calls:
        print(given.batch_size, file=calls)
    if not given.ckpt_files.exists():
        return refuse(f"{given.ckpt_files}: does not exist")
    word = given.ckpt_files.read_text().split()[0]
    if word == "bad":
        return refuse(f"{given.ckpt_files}: is cut short")
    if word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "fails":
        print("a fault of its own", file=sys.stderr)
        return 1
    for name in (layout.LFW, layout.SCORES):
        atomic.write_text(given.output / name, "content\n")
    metrics = {"accuracy": float(word), "std": 0.01, "threshold": 0.25, "auc": 0.98, "eer": 0.05, "pairs": 600}
    value = {"schema": 1, "stage": given.stage, "metrics": metrics, "files": [layout.LFW]}
    atomic.write_json(given.output / layout.RESULT, value)
    return 0


def refuse(message: str) -> int:
    status = Path(os.environ[layout.STATUS_DIR_VARIABLE])
    told = {"schema": 1, "rank": 0, "time": time.time(), "reason": "ConfigurationError", "message": message}
    atomic.write_json(layout.failure_file(status, 0), told | {"retry": False, "exit_code": 2})
    return 2


if __name__ == "__main__":
    sys.exit(main())
