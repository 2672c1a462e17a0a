"""What a device's profile asks for, on a real cluster: the driver of the node, and its labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.names import RUNNER
from launcher.states import State
from tests.cluster.access import Kubectl
from tests.cluster.layout import Layout
from tests.cluster.runs import LONG, Lab, laboratory

pytestmark = pytest.mark.cluster

FILE, FOLDER, MISSING = "/etc/debian_version", "/etc/apt", "/opt/no-such-driver"
"""Of the nodes, in place of a driver; the image has the first in its own version and the others not at all."""

PROFILES = {
    "driven": f"mounts: [{FILE}, {FOLDER}/]\nlabels: {{ring-controller.atlas: ascend-910}}",
    "driverless": f"mounts: [{MISSING}/]",
}


@pytest.fixture(scope="module")
def lab(
    kubectl: Kubectl, image: str, layout: Layout, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    if not own:
        pytest.skip("what lies on the nodes of another cluster is not known")
    scratch = tmp_path_factory.mktemp("lab")
    with laboratory(kubectl, image, layout.storage, scratch) as made:
        for name, content in PROFILES.items():
            path = scratch / "launcher" / "profiles" / f"{name}.yaml"
            path.write_text(f"device_target: CPU\n{content}\n")
        yield made


@pytest.fixture
def privileged(lab: Lab, kubectl: Kubectl) -> Iterator[Lab]:
    level = "pod-security.kubernetes.io/enforce"
    kubectl("label", "namespace", str(lab.namespace), f"{level}=privileged", "--overwrite")
    yield lab
    kubectl("label", "namespace", str(lab.namespace), f"{level}=restricted", "--overwrite")


def test_a_restricted_namespace_takes_no_pod_that_mounts_the_driver(lab: Lab) -> None:
    lab.submit("refused", device="driven", driver="host")
    status = lab.await_end("refused")
    assert (status.state, status.stages[0].reason) == (State.FAILED, "AdmissionDenied")
    assert "hostPath" in status.stages[0].message
    assert lab.pods("refused") == []


def test_the_driver_of_the_node_is_there_and_cannot_be_written(privileged: Lab) -> None:
    lab = privileged
    lab.submit("driven", device="driven", driver="host", train=LONG)
    mounts = lab.sh("driven", "cat /proc/mounts")
    options = {words[1]: words[3].split(",") for words in map(str.split, mounts.splitlines())}
    assert "ro" in options[FILE]
    assert "ro" in options[FOLDER]
    assert lab.sh("driven", f"ls {FOLDER}").split() == sorted(path.name for path in Path(FOLDER).iterdir())
    (pod,) = lab.pods("driven")
    assert pod["metadata"]["labels"]["ring-controller.atlas"] == "ascend-910"
    (runner,) = lab.pods("driven", RUNNER)
    assert "ring-controller.atlas" not in runner["metadata"]["labels"]
    assert [volume for volume in runner["spec"]["volumes"] if "hostPath" in volume] == []
    lab.remove("driven")


def test_a_node_without_the_driver_is_told_and_nothing_is_made_there(privileged: Lab) -> None:
    lab = privileged
    lab.submit("driverless", device="driverless", driver="host", start_deadline_s=40.0)
    stage = lab.await_reason("driverless", "VolumeNotMounted")
    assert f"{MISSING} is not a directory" in stage.message
    assert lab.await_end("driverless").state is State.FAILED
    assert not Path(MISSING).exists()
