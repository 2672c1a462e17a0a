"""Jobs with which tests prepare and look at a claim, in the cpu image, on any cluster."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.cluster.access import CLAIM, USER, Kubectl, Namespace

STORAGE = "/storage"

FACES = (
    "sphereface synth {folder} --identities {identities} --images 6 --test-identities 20 --test-images 3 --seed 1 "
    "> {folder}.log"
)
TRAIN = (
    "python -m sphereface train --train_data_dir {faces}/train/landmark.txt --train_img_dir {faces}/train/images "
    "--net sphereface4a --margin cosface --lr 0.01 --per_batch_size 8 --max_epoch {epochs} --output {output}"
)


def chore(name: str, image: str, script: str) -> dict[str, Any]:
    """A Job that runs `script` (sh) with the claim at STORAGE, as Pod Security `restricted` wants it."""
    container = {
        "name": "chore",
        "image": image,
        "command": ["sh", "-euc", script],
        "workingDir": "/tmp",
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "storage", "mountPath": STORAGE}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "storage", "persistentVolumeClaim": {"claimName": CLAIM}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def await_job(kubectl: Kubectl, namespace: Namespace, name: str, within_s: float = 600) -> str:
    """`Complete` or `Failed`, whichever the Job becomes. AssertionError: neither in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        shown = kubectl.run("-n", str(namespace), "get", "job", name, "-o", "json")  # the API server may be restarting
        conditions = json.loads(shown.stdout)["status"].get("conditions", ()) if shown.returncode == 0 else ()
        for condition in conditions:
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return str(condition["type"])
        time.sleep(1)
    pods = kubectl.run("-n", str(namespace), "get", "pods", "-o", "wide").stdout
    raise AssertionError(f"job/{name} has not ended within {within_s:g} s\n{pods}")


def carry_out(kubectl: Kubectl, namespace: Namespace, name: str, image: str, script: str, within_s: float = 600) -> str:
    """Runs the chore to its end and returns what it printed. AssertionError: it failed."""
    place = ("-n", str(namespace))
    kubectl.run(*place, "delete", "job", name, "--ignore-not-found")
    kubectl.apply({**chore(name, image, script), "metadata": {"name": name, "namespace": str(namespace)}})
    state = await_job(kubectl, namespace, name, within_s)
    printed = kubectl.run(*place, "logs", f"job/{name}", "--tail=-1").stdout
    assert state == "Complete", f"chore {name}: {printed[-2000:]}"
    return printed
