"""How soon a stage's pod says its first line, beside a pod of the same image that only says one word.

    KUBECONFIG=… python benchmarks/pod_start.py SPEC [-n NAMESPACE] [--pairs 9]

SPEC is that of a run whose data is not there: it is submitted, fails at once (ConfigurationError) and so has a run
folder; its stage is then started again and again as further attempts, in turn with the other pod. Both times are from
asking for the pod to its first line as the node stamped it. Bound: 1 s more. Writes `results/pod_start.md`.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from launcher import names, render
from launcher.backends.kubernetes import credentials
from launcher.backends.kubernetes.api import Api, Object
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.errors import ApiError
from runfolder import atomic

RESULT = Path(__file__).resolve().parent / "results" / "pod_start.md"
RUN = "pod-start"
BOUND_S = 1.0
WAIT_S = 120.0
LAUNCHER = str(Path(sys.executable).parent / "launcher")


def pods(jobs: dict[str, Object], pairs: int) -> Iterator[tuple[Object, Object]]:
    """Pairs of pods: the stage's own, and the same one with a command that only prints."""
    (job,) = jobs.values()
    for number in range(100, 100 + pairs + 1):
        template = render.with_attempt(job, number)["spec"]["template"]
        stage = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
        stage["metadata"]["name"] = f"{RUN}-stage-{number}"
        word = copy.deepcopy(stage)
        word["metadata"]["name"] = f"{RUN}-word-{number}"
        word["spec"]["containers"][0] |= {"command": ["echo", "begun"], "args": []}
        yield stage, word


def first_line_s(api: Api, pod: Object) -> float:
    """Seconds from asking for the pod to its first line."""
    name = pod["metadata"]["name"]
    asked = time.time()
    api.create("pods", pod)
    try:
        while time.time() - asked < WAIT_S:
            for line in _log(api, name):
                stamp, _, _ = line.partition(" ")
                return datetime.fromisoformat(stamp[:26] + "+00:00").timestamp() - asked
            time.sleep(0.3)
        raise TimeoutError(f"{name} has said nothing for {WAIT_S:g} s")
    finally:
        api.delete("pods", name)


def _log(api: Api, name: str) -> list[str]:
    try:
        return list(api.log(name, {"timestamps": "true"}))
    except ApiError:  # the container has not started
        return []


def report(stage: list[float], word: list[float]) -> str:
    more = statistics.median(one - other for one, other in zip(stage, word, strict=True))
    ours, theirs = statistics.median(stage), statistics.median(word)
    return "\n".join(
        [
            "# From asking for a pod to its first line",
            "",
            f"`python benchmarks/pod_start.py`: medians of {len(stage)} pairs on a cluster of this machine "
            f"({os.cpu_count()} cores).",
            "",
            "| a stage's pod (`launcher.pod`), s | the same image running `echo`, s | ratio | difference, s | bound |",
            "| --- | --- | --- | --- | --- |",
            f"| {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {more:.2f} | {BOUND_S:g} s more |",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Times the start of a stage's pod beside that of a trivial one.")
    parser.add_argument("spec", type=Path)
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--image", required=True)
    parser.add_argument("--pairs", type=int, default=9)
    given = parser.parse_args()
    place = ("-n", given.namespace)
    submitted = [
        LAUNCHER,
        "submit",
        str(given.spec),
        "--name",
        RUN,
        "--image",
        given.image,
        "--stages",
        "train",
        *place,
    ]
    subprocess.run([*submitted, "--wait", "--timeout", "5m"], check=False)  # it fails, and so it should
    api = HttpApi(credentials.load(), given.namespace)
    jobs = json.loads(api.get("configmaps", names.object_name(RUN, names.PLAN))["data"][names.STAGES_KEY])
    try:
        measured = [(first_line_s(api, stage), first_line_s(api, word)) for stage, word in pods(jobs, given.pairs)]
    finally:
        subprocess.run([LAUNCHER, "delete", RUN, *place], check=True)
    text = report([stage for stage, _ in measured[1:]], [word for _, word in measured[1:]])
    atomic.write_text(RESULT, text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
