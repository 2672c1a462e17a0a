"""kubectl and fresh namespaces for tests, on the test cluster or on any other that KUBECONFIG names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLAIM = "sphereface"
USER = 10001  # uid and gid of the images
STORAGE_CLASS = "SEED_TEST_STORAGE_CLASS"  # environment: class of a ReadWriteMany claim on another cluster


@dataclass(frozen=True)
class Kubectl:
    """kubectl with one kubeconfig."""

    kubeconfig: Path

    def __call__(self, *args: str, input: str | None = None) -> str:  # noqa: A002  (subprocess.run's name)
        """What it printed. AssertionError: it failed, with its words."""
        done = self.run(*args, input=input)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout

    def run(self, *args: str, input: str | None = None) -> subprocess.CompletedProcess[str]:  # noqa: A002
        """For calls that may fail."""
        command = ["kubectl", f"--kubeconfig={self.kubeconfig}", *args]
        return subprocess.run(command, input=input, capture_output=True, text=True, timeout=180)

    def json(self, *args: str) -> Any:
        """`kubectl ARGS -o json`, decoded."""
        return json.loads(self(*args, "-o", "json"))

    def apply(self, *manifests: dict[str, Any]) -> None:
        self("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))


@dataclass(frozen=True)
class Namespace:
    """A namespace that enforces Pod Security `restricted`, with a bound claim named `sphereface`."""

    name: str
    storage: Path | None  # the claim's files as this machine sees them; None on another cluster

    def __str__(self) -> str:
        return self.name


@contextmanager
def fresh_namespace(kubectl: Kubectl, name: str, storage: Path | None) -> Iterator[Namespace]:
    """Makes it with its claim (and volume, where `storage` is the folder to hold it); removes all of it."""
    kubectl.apply(namespace_manifest(name))
    try:
        if storage is not None:
            storage.mkdir(parents=True)
            os.chown(storage, USER, USER)
            storage.chmod(0o2770)
            kubectl.apply(volume_manifest(name, storage), claim_manifest(name, "", volume_name(name)))
            kubectl("-n", name, "wait", "--for=jsonpath={.status.phase}=Bound", f"pvc/{CLAIM}", "--timeout=30s")
        else:
            kubectl.apply(claim_manifest(name, os.environ.get(STORAGE_CLASS), None))
        yield Namespace(name, storage)
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        kubectl.run("-n", name, "delete", "pods", "--all", "--grace-period=1", "--timeout=60s")
        if storage is not None:
            kubectl.run("delete", "pv", volume_name(name), "--wait=false", "--ignore-not-found")
            shutil.rmtree(storage, ignore_errors=True)


def volume_name(namespace: str) -> str:
    return f"{namespace}-{CLAIM}"


def namespace_manifest(name: str) -> dict[str, Any]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "test-cluster/made-by": "pytest"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def volume_manifest(namespace: str, folder: Path) -> dict[str, Any]:
    """A folder of the machine as shared storage: both nodes run here, so it is the same on each."""
    spec = {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder), "type": "Directory"},
        "claimRef": {"namespace": namespace, "name": CLAIM},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(namespace)},
        "spec": spec,
    }


def claim_manifest(namespace: str, storage_class: str | None, volume: str | None) -> dict[str, Any]:
    """`storage_class` None: the cluster's default class; "": none, bound to `volume`."""
    spec: dict[str, Any] = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if volume is not None:
        spec["volumeName"] = volume
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": spec,
    }
