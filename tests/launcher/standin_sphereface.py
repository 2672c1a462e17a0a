"""STAND-IN for `python -m sphereface`, so that the tests of the command line need no training.

Takes `--max_epoch` steps of 0.1 s in train; `--seed 13` is a wrong configuration (exit 2). Writes what the plan asks of
each stage.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from runfolder import atomic, layout

METRICS = {
    "train": {"loss": 1.5},
    "evaluate": {"accuracy": 0.97, "line": "LFWACC=0.9700 std=0.0100 thd=0.2500"},
    "export": {"opset": 11},
}
FILES = {
    "train": [f"{layout.CHECKPOINTS}/0-1_1.ckpt", layout.METRICS],
    "evaluate": [layout.LFW, layout.SCORES],
    "export": ["sphereface.mindir"],
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("stage")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--max_epoch", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given, _ = parser.parse_known_args()
    print(f"{given.stage} begins", flush=True)
    if given.seed == 13:
        print("error: seed must not be 13", file=sys.stderr)
        return 2
    for step in range(given.max_epoch if given.stage == layout.TRAIN else 0):
        beat(step + 1, given.max_epoch)
        time.sleep(0.1)
    for name in FILES[given.stage]:
        atomic.write_text(given.output / name, "content\n")
    value = {"schema": 1, "stage": given.stage, "metrics": METRICS[given.stage], "files": FILES[given.stage]}
    atomic.write_json(given.output / layout.RESULT, value)
    return 0


def beat(step: int, steps: int) -> None:
    status = Path(os.environ[layout.STATUS_DIR_VARIABLE])
    value = {"schema": 1, "pid": os.getpid(), "rank": 0, "time": time.time(), "phase": "train"}
    atomic.write_json(layout.heartbeat_file(status, 0), value | {"epoch": step, "step": step, "steps": steps})


if __name__ == "__main__":
    sys.exit(main())
