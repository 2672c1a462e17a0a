"""Images a second of MindSpore Lite in C++ beside OpenCV dnn and ONNX Runtime: one network, one set of faces, one CPU.

The three take turns in a new order every round; each is a process of its own that times its network alone, on as many
threads. Writes `results/infer310.md`, and exits 1 below the bound. Needs `make infer310`.
"""

from __future__ import annotations

import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from runfolder import atomic
from sphereface import checkpoint, cli, synthetic
from sphereface.model import initial_values

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "infer310.md"
PROGRAMS = HERE.parent / "build" / "infer310" / "release"
BOUND = 0.9
ROUNDS = 7
NET, BATCH, THREADS = "sphereface20a", 16, 2
REST_S = 0.5  # before each turn, so that the machine is quiet
IDENTITIES, IMAGES = 20, 8

OTHERS: Mapping[str, str] = {
    "OpenCV dnn": """
import cv2
cv2.setNumThreads(threads)
network = cv2.dnn.readNetFromONNX(path)
version = cv2.__version__
def forward(faces):
    network.setInput(faces)
    return network.forward()
""",
    "ONNX Runtime": """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
version = onnxruntime.__version__
def forward(faces):
    return session.run(None, {"images": faces})[0]
""",
}
TIMED = """
import sys, time
import numpy as np
path, threads, batch, images = sys.argv[1], *map(int, sys.argv[2:])
{network}
faces = np.random.default_rng(0).uniform(-1, 1, (batch, 3, 112, 96)).astype(np.float32)
forward(faces)
began = time.perf_counter()
for _ in range(images // batch):
    forward(faces)
print(version, images // batch * batch / (time.perf_counter() - began))
"""


def main() -> int:
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        rates: dict[str, list[float]] = {}
        versions = {"MindSpore Lite": "2.0.0"}
        whole = []
        for turn in range(ROUNDS):
            sides = ["MindSpore Lite", *OTHERS]
            random.Random(turn).shuffle(sides)  # noqa: S311 - no secret
            for side in sides:
                time.sleep(REST_S)
                if side in OTHERS:
                    versions[side], rate = run_other(side, folder)
                else:
                    both, rate = run_ours(folder)
                    whole.append(both / rate)
                rates.setdefault(side, []).append(rate)
    medians = {side: statistics.median(values) for side, values in rates.items()}
    best = max(medians[side] for side in OTHERS)
    ratio = medians["MindSpore Lite"] / best
    atomic.write_text(RESULT, report(rates, versions, ratio, statistics.median(whole), busy))
    print(f"MindSpore Lite {medians['MindSpore Lite']:.1f} images/s, the better other {best:.1f}: {ratio:.2f}")
    return int(ratio < BOUND)


def prepare(folder: Path) -> None:
    """Drawn photographs, and an untrained network in both formats."""
    faces = synthetic.Request(2, 2, test_identities=IDENTITIES, test_images=IMAGES, seed=0)
    synthetic.write(folder / "faces", faces)
    weights = initial_values(NET, conv_bias=False, seed=0)
    checkpoint.save(folder / "0-1_1.ckpt", checkpoint.Checkpoint(weights, {}, {}))
    words = [f"--ckpt_files={folder / '0-1_1.ckpt'}", f"--output={folder}", "--file_format=LITE,ONNX"]
    if cli.main(["export", *words]):
        raise SystemExit("infer310: the network could not be exported")


def photographs(folder: Path) -> list[str]:
    test = folder / "faces" / "test"
    return [f"--image_path={test / 'images'}", f"--landmarks={test / 'landmark.txt'}", f"--pairs={test / 'pairs.txt'}"]


def run_ours(folder: Path) -> tuple[float, float]:
    """Images a second from photographs to results, and of the network alone."""
    sizes = [f"--batch_size={BATCH}", f"--threads={THREADS}", f"--output={folder / 'out'}"]
    model = f"--mindir_path={folder / 'sphereface.lite.mindir'}"
    command = [str(PROGRAMS / "sphereface_infer310"), model, "--device=cpu", *photographs(folder), *sizes]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = re.search(r"images, ([\d.]+) images/s \(the network alone ([\d.]+)\)", said)
    if found is None:
        raise SystemExit(f"infer310: no rate in {said!r}")
    return float(found[1]), float(found[2])


def run_other(side: str, folder: Path) -> tuple[str, float]:
    numbers = [str(number) for number in (THREADS, BATCH, IDENTITIES * IMAGES)]
    program = TIMED.format(network=OTHERS[side])
    command = [sys.executable, "-c", program, str(folder / "sphereface.onnx"), *numbers]
    version, rate = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return version, float(rate)


def report(
    rates: Mapping[str, list[float]], versions: Mapping[str, str], ratio: float, whole: float, busy: float
) -> str:
    rows = "\n".join(
        f"| {side} {versions[side]} | {statistics.median(values):.1f} | {min(values):.1f} .. {max(values):.1f} |"
        for side, values in sorted(rates.items())
    )
    return f"""# Inference in C++ on a CPU, beside others

`python benchmarks/infer310.py`: {NET}, batches of {BATCH}, {THREADS} threads, {os.cpu_count()} cores of
{platform.machine()}, {ROUNDS} rounds in which the three take turns in a new order. Images a second, the network alone.

| runtime | median | from .. to |
|---|---|---|
{rows}

MindSpore Lite against the better of the others: {ratio:.2f} (bound: {BOUND}).

From photographs to results, `sphereface_infer310` keeps {whole:.0%} of its network's rate. Load of the machine by
others when it began: {busy:.1f}; what is above 0 takes from all three.
"""


if __name__ == "__main__":
    raise SystemExit(main())
