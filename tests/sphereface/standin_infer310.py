"""STAND-IN for the C++ program `sphereface_infer310`, so that the tests of its stage need no C++ build.

Says how far it is, writes what the real one leaves, prints the line. What `STANDIN_INFER310` holds goes wrong: an exit
code and the last words, `SIGNAL n`, or `wait`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

LFW = {
    "protocol": "zoo", "accuracy": 0.9, "std": 0.01, "threshold": 0.3, "auc": 0.95, "eer": 0.1, "pairs": 40,
    "checkpoint": "0-1_10.ckpt", "images": 40,
}  # fmt: skip


def main() -> int:
    given = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
    trouble = os.environ.get("STANDIN_INFER310", "")
    print("7 of 40 images, 81.5 images/s", file=sys.stderr, flush=True)
    if trouble == "wait":
        Path(given["output"], "pid").write_text(str(os.getpid()))
        time.sleep(600)
    if trouble.startswith("SIGNAL"):
        os.kill(os.getpid(), int(trouble.split()[1]))
    if trouble:
        code, _, words = trouble.partition(" ")
        print(words, file=sys.stderr, end="")
        return int(code)
    output = Path(given["output"])
    (output / "time_Result").mkdir(exist_ok=True)
    for name in ("embeddings.npy", "scores.csv", "images.txt", "time_Result/test_perform_static.txt"):
        (output / name).write_text("content\n")
    (output / "given.json").write_text(json.dumps(given))
    (output / "lfw.json").write_text(json.dumps(LFW))
    print("lfw: 40 images, 80.0 images/s (the network alone 90.0)", file=sys.stderr)
    print("LFWACC=0.9000 std=0.0100 thd=0.3000")
    return 0


if __name__ == "__main__":
    sys.exit(main())
