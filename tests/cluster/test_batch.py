"""Batch evaluation by kubectl alone: six checkpoints, one of them broken, judged, ranked, and not judged again."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cluster.access import Kubectl, Namespace
from tests.cluster.chores import FACES, STORAGE, TRAIN, await_job, carry_out

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

FOLDER = f"{STORAGE}/faces"
TRAINED = [f"trained/checkpoints/0-{epoch}_3.ckpt" for epoch in range(1, 6)]
BROKEN = "broken/cut.ckpt"
PREPARE = f"""
{FACES.format(folder=FOLDER, identities=4)}
{TRAIN.format(faces=FOLDER, epochs=5, output=f"{STORAGE}/trained")}
mkdir {STORAGE}/broken
head -c 4000000 {STORAGE}/{TRAINED[0]} > {STORAGE}/{BROKEN}
"""


class Batch:
    def __init__(self, kubectl: Kubectl, namespace: Namespace, name: str) -> None:
        self.kubectl, self.namespace, self.name = kubectl, namespace, name

    def __call__(self, *args: str, **more: Any) -> str:
        return self.kubectl("-n", str(self.namespace), *args, **more)

    def render(self, image: str, *words: str) -> str:
        """What `launcher evaluate` prints; the only call of the launcher."""
        data = [
            f"--set=evaluate.datatxt_src={FOLDER}/test/landmark.txt",
            f"--set=evaluate.pairtxt_src={FOLDER}/test/pairs.txt",
            f"--set=evaluate.datasrc={FOLDER}/test/images",
            "--set=kubernetes.cpu=200m",
            "--set=kubernetes.shm=64Mi",
        ]
        argv = [sys.executable, "-m", "launcher", "evaluate", "--name", self.name, "-n", str(self.namespace)]
        return subprocess.run(
            [*argv, "--image", image, *data, *words], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def summary(self, manifests: str) -> dict[str, Any]:
        """Applies, waits, and reads summary.json beside what the summary's pod printed."""
        self("apply", "-f", "-", input=manifests)
        assert await_job(self.kubectl, self.namespace, f"{self.name}-summary") == "Complete"
        self("wait", "--for=condition=complete", f"job/{self.name}-summary", "--timeout=1s")
        return {"printed": self("logs", f"job/{self.name}-summary")}

    def pods(self) -> dict[int, dict[str, Any]]:
        """The last pod of each index."""
        listed = self.kubectl.json("-n", str(self.namespace), "get", "pods", "-l", f"job-name={self.name}")["items"]
        key = "batch.kubernetes.io/job-completion-index"
        return {int(pod["metadata"]["annotations"][key]): pod for pod in listed}


def test_six_checkpoints_one_of_them_broken(kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    carry_out(kubectl, namespace, "prepare", image, PREPARE)
    batch = Batch(kubectl, namespace, "june")
    manifests = batch.render(image, *TRAINED[:2], BROKEN, *TRAINED[2:], "--set=kubernetes.memory=1Gi")
    printed = batch.summary(manifests)["printed"]
    assert printed.startswith("# june: 5 of 6 checkpoints judged, 1 failed\n")
    assert "not a whole checkpoint" in printed
    pods = batch.pods()
    assert sorted(pods) == list(range(6)), "each index has run once"
    assert {index: exit_code(pod) for index, pod in pods.items()} == {0: 0, 1: 0, 2: 42, 3: 0, 4: 0, 5: 0}
    assert not any("serviceAccountToken" in json.dumps(pod["spec"]["volumes"]) for pod in pods.values())

    look = f"""
    cd {STORAGE}/batch/june
    for name in summary.json summary.csv summary.md; do cat $name; echo ===; done
    cat */evaluate/lfw.json | sha256sum
    """
    kept = carry_out(kubectl, namespace, "look", image, look)
    as_json, as_csv, as_markdown, _ = kept.split("===\n")
    assert as_markdown == printed
    results = json.loads(as_json)["results"]
    accuracies = [one["accuracy"] for one in results[:5]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {one["checkpoint"] for one in results[:5]} == set(TRAINED)
    assert (results[5]["checkpoint"], results[5]["reason"]) == (BROKEN, "ConfigurationError")
    assert [row["checkpoint"] for row in csv.DictReader(io.StringIO(as_csv))] == [one["checkpoint"] for one in results]

    # Once more: nothing that is judged is judged again, and the summary is the same.
    batch("delete", "-f", "-", "--wait", input=manifests)
    assert batch.summary(manifests)["printed"] == printed
    logs = {index: batch("logs", pod["metadata"]["name"]) for index, pod in batch.pods().items() if index != 2}
    assert all("is judged already" in log for log in logs.values()), logs
    assert carry_out(kubectl, namespace, "look-again", image, look) == kept


def test_an_index_that_runs_out_of_memory_is_told(kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    script = f"{FACES.format(folder=FOLDER, identities=2)}\nhead -c 200000000 /dev/zero > {STORAGE}/large.ckpt"
    carry_out(kubectl, namespace, "prepare", image, script)
    batch = Batch(kubectl, namespace, "hungry")
    printed = batch.summary(batch.render(image, "large.ckpt", "--set=kubernetes.memory=128Mi"))["printed"]
    assert "# hungry: 0 of 1 checkpoints judged, 1 failed" in printed
    assert "| OOMKilled | The pod used more memory than kubernetes.memory" in printed


def exit_code(pod: dict[str, Any]) -> int:
    return int(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"])
