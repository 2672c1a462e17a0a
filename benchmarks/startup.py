"""How long `launcher` takes to answer, as whole processes, in turn with a bare start of Python.

Bounds: `launcher --help` within 4 bare starts, `launcher submit --dry-run` within 0.4 s. Writes
`results/startup.md` and exits 1 where a bound is not kept. Standard library only.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runfolder import atomic

RESULT = Path(__file__).resolve().parent / "results" / "startup.md"
RUNS = 21
HELP_STARTS = 4.0
DRY_RUN_S = 0.4

BARE = (sys.executable, "-c", "pass")
LAUNCHER = str(Path(sys.executable).parent / "launcher")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("--version",),
    ("submit", "--help"),
    ("submit", "--dry-run", "--name", "demo", "--stages", "train", "--set", "train.train_img_dir=."),
    ("list",),
)


@dataclass(frozen=True)
class Timing:
    words: tuple[str, ...]
    seconds: float
    """Median of the whole process, wall clock."""
    cpu_s: float
    """The same, user and system time: what is left of it on a machine that does nothing else."""
    starts: float
    """Median over the pairs of (this / the bare start beside it)."""


def measure(words: tuple[str, ...], folder: Path, runs: int = RUNS) -> Timing:
    """A bare start before each run, so that what slows the machine slows both."""
    pairs = [(_run(BARE, folder), _run((LAUNCHER, *words), folder)) for _ in range(runs + 1)][1:]
    return Timing(
        words=words,
        seconds=statistics.median(ours for _, (ours, _) in pairs),
        cpu_s=statistics.median(cpu for _, (_, cpu) in pairs),
        starts=statistics.median(ours / bare for (bare, _), (ours, _) in pairs),
    )


def report(timings: Sequence[Timing]) -> str:
    lines = [
        "# Start-up of `launcher`",
        "",
        f"`python benchmarks/startup.py`: medians of {RUNS} runs, each paired with a bare `python -c pass` of the same",
        f"interpreter. Python {sys.version.split()[0]}, {os.cpu_count()} cores.",
        "",
        "| command | seconds | of these CPU | bare starts |",
        "| --- | --- | --- | --- |",
        *(f"| `launcher {' '.join(t.words)}` | {t.seconds:.3f} | {t.cpu_s:.3f} | {t.starts:.2f} |" for t in timings),
        "",
        f"Bounds: `--help` {HELP_STARTS:g} bare starts, `submit --dry-run` {DRY_RUN_S:g} s.",
    ]
    return "\n".join(lines) + "\n"


def too_slow(timings: Sequence[Timing]) -> list[str]:
    slow = []
    for timing in timings:
        if timing.words == ("--help",) and timing.starts > HELP_STARTS:
            slow.append(f"launcher --help takes {timing.starts:.2f} bare starts, more than {HELP_STARTS:g}")
        if "--dry-run" in timing.words and timing.seconds > DRY_RUN_S:
            slow.append(f"launcher submit --dry-run takes {timing.seconds:.3f} s, more than {DRY_RUN_S:g}")
    return slow


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        timings = [measure(words, Path(folder)) for words in COMMANDS]
    text = report(timings)
    atomic.write_text(RESULT, text)
    print(text)
    slow = too_slow(timings)
    print("\n".join(slow), file=sys.stderr)
    return 1 if slow else 0


def _run(argv: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    cpu, began = _children_cpu(), time.perf_counter()
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began, _children_cpu() - cpu


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
