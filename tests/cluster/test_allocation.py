"""A pod reads what it was given from the annotation that a device plugin writes after it has begun. There is no such
plugin and no Ascend here: the test itself writes the annotation, as kubectl does."""

from __future__ import annotations

import json

import pytest

from launcher import allocation, ascend
from tests.cluster.access import Kubectl, Namespace
from tests.launcher.fake_ascend import annotation

pytestmark = pytest.mark.cluster

POD = "given"
DEADLINE_S = 120

PROGRAM = f"""
import json, os, sys
from pathlib import Path
from launcher import allocation, pod_table
from launcher.ascend import BOARDS
print("waits", flush=True)
given = allocation.own_server(os.environ, Path("/"), BOARDS["ascend910"], 4, deadline_s={DEADLINE_S})
ready = pod_table.whole_table([given.allocation], BOARDS["ascend910"])
pod_table.write(ready, Path("/tmp/rank_table.json"))
print(json.dumps([given.source, json.loads(Path("/tmp/rank_table.json").read_text())]), flush=True)
"""


def pod(image: str) -> dict[str, object]:
    """What of a stage's pod matters here; its volume is of the downward API."""
    path = allocation.ANNOTATION_FILE.rpartition("/")
    item = {"path": path[2], "fieldRef": {"fieldPath": f"metadata.annotations['{ascend.POD_ANNOTATION}']"}}
    secure = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "stage",
        "image": image,
        "command": ["python", "-P", "-c", PROGRAM],
        "securityContext": secure,
        "volumeMounts": [
            {"name": "podinfo", "mountPath": path[0], "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    volumes = [{"name": "podinfo", "downwardAPI": {"items": [item]}}, {"name": "tmp", "emptyDir": {}}]
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}


def test_the_annotation_reaches_a_pod_that_runs_already(kubectl: Kubectl, namespace: Namespace, image: str) -> None:
    place = ["--namespace", str(namespace)]
    kubectl("apply", *place, "-f", "-", input=json.dumps(pod(image)))
    kubectl("wait", *place, f"pod/{POD}", "--for=jsonpath={.status.phase}=Running", "--timeout=120s")
    value = json.dumps(annotation([4, 5, 6, 7], server=3))
    kubectl("annotate", *place, "pod", POD, f"{ascend.POD_ANNOTATION}={value}")
    kubectl("wait", *place, f"pod/{POD}", "--for=jsonpath={.status.phase}=Succeeded", f"--timeout={DEADLINE_S + 30}s")
    waits, told = kubectl("logs", *place, POD).splitlines()
    assert waits == "waits"
    source, table = json.loads(told)
    assert source == allocation.ANNOTATION_FILE
    assert [device["device_id"] for device in table["server_list"][0]["device"]] == ["4", "5", "6", "7"]
    assert table["server_list"][0]["server_id"] == "10.0.0.3"
