"""The chain with infer310 at its end: C++ judges, in a Job of its own, what export wrote, and agrees with Python."""

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
from tests.cluster.chores import FACES, STORAGE, carry_out

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SPEC: dict[str, Any] = {
    "name": "judged",
    "train": {
        "net": "sphereface4a", "margin": "cosface", "lr": 0.01, "per_batch_size": 4, "max_epoch": 1,
        "train_data_dir": "faces/train/landmark.txt", "train_img_dir": "faces/train/images",
    },
    "evaluate": {
        "datatxt_src": "faces/test/landmark.txt", "pairtxt_src": "faces/test/pairs.txt", "datasrc": "faces/test/images",
    },
    "kubernetes": {"cpu": "200m", "memory": "2Gi", "shm": "64Mi"},
}  # fmt: skip


def test_a_chain_with_infer310(kubectl: Kubectl, namespace: Namespace, infer310_image: str, tmp_path: Path) -> None:
    def launcher(*words: str) -> str:
        environ = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig)}
        argv = [sys.executable, "-m", "launcher", *words, "-n", str(namespace)]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=500, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    (tmp_path / "judged.yaml").write_text(yaml.safe_dump(SPEC))
    given = [str(tmp_path / "judged.yaml"), "--image", infer310_image, "--stages", "train,evaluate,export,infer310"]
    faces = f"cd {STORAGE}; {FACES.format(folder='faces', identities=4)}"
    carry_out(kubectl, namespace, "faces", infer310_image, faces)

    launcher("submit", *given, "--device", "cpu", "--wait")

    run = json.loads(launcher("status", "judged", "-o", "json"))
    assert [(stage["name"], stage["state"], stage["attempts"]) for stage in run["stages"]] == [
        (name, "Succeeded", 1) for name in ("train", "evaluate", "export", "infer310")
    ]
    kept = f"cat {STORAGE}/runs/judged/evaluate/lfw.json {STORAGE}/runs/judged/infer310/lfw.json"
    python, end = json.JSONDecoder().raw_decode(text := carry_out(kubectl, namespace, "look", infer310_image, kept))
    cpp = json.loads(text[end:])
    for key in ("accuracy", "std", "threshold", "auc"):
        assert f"{cpp[key]:.4f}" == f"{python[key]:.4f}", key
    for key in ("pairs", "images", "checkpoint", "checkpoint_sha256", "protocol"):
        assert cpp[key] == python[key]
    line = run["stages"][3]["metrics"]["line"]
    assert line == f"LFWACC={cpp['accuracy']:.4f} std={cpp['std']:.4f} thd={cpp['threshold']:.4f}"
    assert line in launcher("logs", "judged", "--stage", "infer310", "--rank", "0").splitlines()
