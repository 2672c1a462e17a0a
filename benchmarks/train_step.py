"""Time of a training step against PyTorch's, of the same network from the same weights on the same batch.

Both sides live through the whole run as processes of their own, and take turns, now one first and now the other, while
the other one sleeps. Their losses must agree, so that both are known to do the same work. Writes
`results/train_step.md`, and exits 1 where the ratio is above the bound. Needs PyTorch in `.bench-venv`:

    python3.11 -m venv .bench-venv
    .bench-venv/bin/pip install --no-deps --require-hashes -r benchmarks/requirements.lock
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runfolder import atomic

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "train_step.md"
OTHER_PYTHON = HERE.parent / ".bench-venv" / "bin" / "python"
BOUND = 1.3
ROUNDS = 9
BATCH, CLASSES, THREADS = 32, 10_574, 2
NETS: Mapping[str, int] = {"sphereface4a": 4, "sphereface20a": 1}
"""Networks, and the steps of one turn: enough for about two seconds."""

VECTORS = {"AVX-512": "avx512f", "AVX2": "avx2"}
"""Instructions that decide what each side's kernels are, the widest first, and the processor's flag for them."""

REST_S = 0.3  # before each turn, so that the other side's spinning threads have gone to sleep
LOSS_TOLERANCE = 2e-3  # relative, after some steps of float32 sums in another order


class Worker:
    """One side: a process that takes steps when told to."""

    def __init__(self, python: str, script: str, setting: Mapping[str, Any]) -> None:
        argv = [python, str(HERE / script), json.dumps(setting)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS)}
        self.process = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = str(self._answer()["version"])

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def step(self, steps: int) -> tuple[float, float]:
        """Seconds a step, and the last loss."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        answer = self._answer()
        return float(answer["seconds"]), float(answer["loss"])

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        raise SystemExit(f"train_step: {self.process.args!r} ended with exit code {self.process.wait()}")


@dataclass(frozen=True)
class Comparison:
    net: str
    versions: tuple[str, str]
    ours: tuple[float, ...]
    """Seconds a step, one figure a round; `theirs` the same."""
    theirs: tuple[float, ...]
    losses: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Median over the rounds of ours / theirs."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def same_work(self) -> bool:
        return abs(self.losses[0] - self.losses[1]) <= LOSS_TOLERANCE * abs(self.losses[1])


def compare(net: str, rounds: int) -> Comparison:
    steps = NETS[net]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        setting = {
            "net": net, "batch": BATCH, "classes": CLASSES, "threads": THREADS, "exchange": f"{folder}/start.npz"
        }  # fmt: skip
        ours = stack.enter_context(Worker(sys.executable, "train_step_mindspore.py", setting))
        theirs = stack.enter_context(Worker(str(OTHER_PYTHON), "train_step_pytorch.py", setting))
        losses = tuple(worker.step(3)[1] for worker in (ours, theirs))
        seconds: dict[Worker, list[float]] = {ours: [], theirs: []}
        for i in range(rounds):
            for worker in (ours, theirs) if i % 2 else (theirs, ours):
                time.sleep(REST_S)
                worker.step(1)
                seconds[worker].append(worker.step(steps)[0])
        versions = ours.version, theirs.version
        return Comparison(net, versions, tuple(seconds[ours]), tuple(seconds[theirs]), (losses[0], losses[1]))


def report(comparisons: Sequence[Comparison]) -> str:
    first = comparisons[0]
    lines = [
        "# Training step against PyTorch",
        "",
        f"`python benchmarks/train_step.py`: {first.versions[0]} (`sphereface.step.TrainStep`) and",
        f"{first.versions[1]} in turn, medians of {len(first.ours)} rounds. Batch {BATCH}, {CLASSES} classes,",
        f"A-Softmax, label smoothing, momentum SGD, gradient norm clipped, float32, {THREADS} threads. {machine()}.",
        "",
        "| network | MindSpore, ms | PyTorch, ms | ratio | range of the rounds | loss after 3 steps |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for c in comparisons:
        ratios = sorted(a / b for a, b in zip(c.ours, c.theirs, strict=True))
        ours, theirs = (1000 * statistics.median(side) for side in (c.ours, c.theirs))
        lines.append(
            f"| {c.net} | {ours:.0f} | {theirs:.0f} | {c.ratio:.2f} | {ratios[0]:.2f}..{ratios[-1]:.2f} "
            f"| {c.losses[0]:.5f} and {c.losses[1]:.5f} |"
        )
    return "\n".join([*lines, "", f"Bound: ratio {BOUND:g}."]) + "\n"


def machine() -> str:
    told = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    facts = {key.strip(): value.strip() for key, _, value in told}
    model, flags = facts.get("model name", platform.machine()), facts.get("flags", "").split()
    vectors = next((name for name, flag in VECTORS.items() if flag in flags), "neither AVX-512 nor AVX2")
    return f"{model} with {vectors}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--nets", nargs="+", choices=tuple(NETS), default=list(NETS))
    arguments = parser.parse_args()
    if not OTHER_PYTHON.exists():
        print(f"train_step: PyTorch is missing.{str(__doc__).partition('Needs')[2]}", file=sys.stderr)
        return 2
    comparisons = [compare(net, arguments.rounds) for net in arguments.nets]
    text = report(comparisons)
    print(text)
    atomic.write_text(RESULT, text)
    problems = [f"{c.net}: {c.ratio:.2f} times PyTorch's step, above {BOUND:g}" for c in comparisons if c.ratio > BOUND]
    problems += [f"{c.net}: the losses differ: {c.losses}" for c in comparisons if not c.same_work]
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
