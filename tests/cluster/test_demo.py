"""The demo on a cluster as the README tells it, with fewer faces and one epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.access import Kubectl, Namespace
from tests.cluster.chores import STORAGE, await_job, carry_out

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

EXAMPLES = Path(__file__).parents[2] / "examples"
FEWER = ["--identities", "8", "--images", "6", "--test-identities", "20", "--test-images", "3"]
SMALLER = [
    "--set=train.max_epoch=1", "--set=train.per_batch_size=8",
    "--set=kubernetes.cpu=200m", "--set=kubernetes.memory=2Gi", "--set=kubernetes.shm=64Mi",
]  # fmt: skip


class Demo:
    def __init__(self, kubectl: Kubectl, namespace: Namespace, image: str) -> None:
        self.kubectl, self.namespace, self.image = kubectl, namespace, image

    def launcher(self, *words: str) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubectl.kubeconfig)}
        argv = [sys.executable, "-m", "launcher", *words, "-n", str(self.namespace)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def spec(self, *words: str) -> list[str]:
        return [str(EXAMPLES / "demo-cluster.yaml"), "--image", self.image, *SMALLER, *words]

    def draw_faces(self) -> None:
        """By the example's Job."""
        job: dict[str, Any] = yaml.safe_load((EXAMPLES / "demo-faces.yaml").read_text())
        container = job["spec"]["template"]["spec"]["containers"][0]
        container |= {"image": self.image, "args": [*container["args"], *FEWER]}
        self.kubectl("apply", "-n", str(self.namespace), "-f", "-", input=yaml.safe_dump(job))
        assert await_job(self.kubectl, self.namespace, "demo-faces") == "Complete"


def test_the_demo(kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    demo = Demo(kubectl, namespace, image)
    demo.draw_faces()
    assert "error" not in demo.launcher("doctor", *demo.spec())
    told = demo.launcher("submit", *demo.spec("--wait"))
    assert "LFWACC=0." in told
    run = json.loads(demo.launcher("status", "demo", "-o", "json"))
    assert run["state"] == "Succeeded"
    assert [stage["state"] for stage in run["stages"]] == ["Succeeded"] * 3
    kept = carry_out(kubectl, namespace, "look", image, f"cd {STORAGE}/runs/demo && ls . train evaluate export")
    for name in ("plan.json", "_SUCCESS.json", "metrics.jsonl", "lfw.json", "sphereface.mindir", "sphereface.onnx"):
        assert name in kept.split()
    assert "unchanged" in demo.launcher("submit", *demo.spec("--wait"))
