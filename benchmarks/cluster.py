"""How long the launcher's calls to a cluster take, as whole processes, in turn with kubectl's own beside them.

    KUBECONFIG=… python benchmarks/cluster.py [--jobs 10000]

In a namespace of its own, removed afterwards, on a cluster of this machine: makes so many suspended Jobs over four
connections. Bounds: submit 1 s, status 0.5 s, render 0.3 s; list 1 s and 150 MiB among all those Jobs. Writes
`results/cluster.md` and exits 1 where a bound is not kept.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from launcher.backends.kubernetes import credentials
from launcher.backends.kubernetes.api import Object
from launcher.backends.kubernetes.http_api import HttpApi
from runfolder import atomic

RESULT = Path(__file__).resolve().parent / "results" / "cluster.md"
RUNS = 7
CONNECTIONS = 4
LAUNCHER = str(Path(sys.executable).parent / "launcher")
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Of one process."""

    seconds: float
    cpu_s: float
    mib: float
    """Most memory that it held at a time."""


@dataclass(frozen=True)
class Pair:
    """A call of the launcher beside the call of kubectl that comes nearest."""

    ours: str
    theirs: str
    our_cost: Cost
    their_cost: Cost
    ratio: float
    """Median over the pairs of (our seconds / their seconds)."""
    bound_s: float | None = None
    bound_mib: float | None = None

    @property
    def kept(self) -> bool:
        in_time = self.bound_s is None or self.our_cost.seconds <= self.bound_s
        return in_time and (self.bound_mib is None or self.our_cost.mib <= self.bound_mib)


def cost(command: Sequence[str], folder: Path) -> Cost:
    """Raises CalledProcessError for a call that fails."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        _, state, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(state)
    if process.returncode:
        said = (folder / "err").read_text()
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MIB)


def compare(
    ours: Callable[[int], Sequence[str]],
    theirs: Callable[[int], Sequence[str]],
    folder: Path,
    *,
    runs: int = RUNS,
    bound_s: float | None = None,
    bound_mib: float | None = None,
) -> Pair:
    """Each is a command of the number of the run; the first pair is a rehearsal."""
    pairs = [(cost(ours(number), folder), cost(theirs(number), folder)) for number in range(runs + 1)][1:]
    ratio = statistics.median(one.seconds / other.seconds for one, other in pairs)
    return Pair(
        ours=" ".join(map(_shown, ours(1))),
        theirs=" ".join(map(_shown, theirs(1))),
        our_cost=_median([one for one, _ in pairs]),
        their_cost=_median([other for _, other in pairs]),
        ratio=ratio,
        bound_s=bound_s,
        bound_mib=bound_mib,
    )


def measure(folder: Path, namespace: str, jobs: int, api: HttpApi) -> list[Pair]:
    place = ("-n", namespace)
    (folder / "run.yaml").write_text(
        f"stages: [train]\ntrain: {{train_img_dir: faces}}\nkubernetes: {{namespace: {namespace}, claim: none}}\n"
    )
    (folder / "manifests").mkdir()
    for number in range(RUNS + 1):
        rendered = subprocess.run(
            [LAUNCHER, "render", "run.yaml", "--name", f"k{number}"], cwd=folder, capture_output=True, check=True
        )
        (folder / "manifests" / f"k{number}.yaml").write_bytes(rendered.stdout)

    def kubectl(*words: str) -> Callable[[int], Sequence[str]]:
        return lambda number: ("kubectl", *place, *(word.format(number) for word in words))

    def launcher(*words: str, named: bool = True) -> Callable[[int], Sequence[str]]:
        return lambda number: (LAUNCHER, *(word.format(number) for word in words), *(place if named else ()))

    status, get = launcher("status", "r1"), kubectl("get", "job", "r1-runner")
    pairs = [
        compare(
            launcher("render", "run.yaml", "--name", "r{}", named=False),
            kubectl("version", "--client"),
            folder,
            bound_s=0.3,
        ),
        compare(
            launcher("submit", "run.yaml", "--name", "r{}"),
            kubectl("create", "-f", "manifests/k{}.yaml"),
            folder,
            bound_s=1.0,
        ),
        compare(status, get, folder, bound_s=0.5),
        compare(launcher("list"), kubectl("get", "jobs"), folder, bound_s=1.0),
    ]
    began = time.perf_counter()
    make_jobs(api, jobs)
    print(f"{jobs} suspended Jobs made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return [
        *pairs,
        compare(status, get, folder, bound_s=0.5),
        compare(launcher("list"), kubectl("get", "jobs"), folder, runs=5, bound_s=1.0, bound_mib=150),
        compare(
            launcher("list", "-o", "json"),
            kubectl("get", "jobs", "-o", "json"),
            folder,
            runs=1,
            bound_s=1.0,
            bound_mib=150,
        ),
    ]


def make_jobs(api: HttpApi, count: int) -> None:
    def make(number: int) -> None:
        api.create("jobs", suspended_job(f"job-{number:05}"))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(make, range(count)):
            pass


def suspended_job(name: str) -> Object:
    container = {"name": "stage", "image": "none", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"suspend": True, "template": template},
    }


def report(pairs: Sequence[Pair], few: int, jobs: int, version: str) -> str:
    def row(pair: Pair) -> str:
        bounds = [f"{pair.bound_s:g} s"] if pair.bound_s else []
        bounds += [f"{pair.bound_mib:g} MiB"] if pair.bound_mib else []
        ours, theirs = pair.our_cost, pair.their_cost
        return (
            f"| `{pair.ours}` | {ours.seconds:.2f} | {ours.cpu_s:.2f} | {ours.mib:.0f} | `{pair.theirs}` | "
            f"{theirs.seconds:.2f} | {theirs.cpu_s:.2f} | {theirs.mib:.0f} | {pair.ratio:.2f} | {', '.join(bounds)} |"
        )

    head = (
        "| launcher | seconds | of these CPU | MiB | kubectl | seconds | of these CPU | MiB | ratio | bound |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    return "\n".join(
        [
            "# Calls to a cluster, beside kubectl's",
            "",
            f"`python benchmarks/cluster.py`: processes, medians of {RUNS} pairs (fewer where one takes long), each",
            "of the launcher followed by one of kubectl; the ratio is the median of the pairs' own. Kubernetes",
            f"{version}, all of it on this machine ({os.cpu_count()} cores).",
            "",
            "## In a namespace with few Jobs",
            "",
            head,
            *(row(pair) for pair in pairs[:few]),
            "",
            f"## Among {jobs} more Jobs",
            "",
            head,
            *(row(pair) for pair in pairs[few:]),
            "",
            "`launcher list` reads the metadata of the runs' own status ConfigMaps, whatever else is in the namespace.",
            "",
        ]
    )


def is_here(server: str) -> bool:
    """Whether the server's address is one of this machine: load is put on nobody else."""
    with socket.socket() as probe:
        try:
            probe.bind((urlsplit(server).hostname or "", 0))
        except OSError:
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Times the launcher's calls to a cluster beside kubectl's.")
    parser.add_argument("--jobs", type=int, default=10_000, metavar="N", help="suspended Jobs beside the runs")
    jobs = parser.parse_args().jobs
    namespace = f"launcher-benchmark-{uuid.uuid4().hex[:6]}"
    api = HttpApi(credentials.load(), namespace)
    if not is_here(api.server):
        print(f"error: {api.server} is not on this machine; a benchmark puts load on no other", file=sys.stderr)
        return 2
    version = str(api.request("GET", "/version")["gitVersion"])
    api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
    try:
        with tempfile.TemporaryDirectory() as folder:
            pairs = measure(Path(folder), namespace, jobs, api)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd)}: {error.stderr.strip()}", file=sys.stderr)
        return 1
    finally:
        api.request("DELETE", f"/api/v1/namespaces/{namespace}")
    text = report(pairs, 4, jobs, version)
    atomic.write_text(RESULT, text)
    print(text)
    late = [pair.ours for pair in pairs if not pair.kept]
    print("\n".join(f"{words}: its bound is not kept" for words in late), file=sys.stderr)
    return 1 if late else 0


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(each.seconds for each in costs),
        statistics.median(each.cpu_s for each in costs),
        max(each.mib for each in costs),
    )


def _shown(word: str) -> str:
    return "launcher" if word == LAUNCHER else "NAMESPACE" if word.startswith("launcher-benchmark-") else word


if __name__ == "__main__":
    sys.exit(main())
