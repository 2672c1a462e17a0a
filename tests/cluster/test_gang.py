"""Runs larger than one pod: an Indexed Job whose pods find each other by name and train as one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from launcher import names
from launcher.resize import Resize
from launcher.spec import StagePolicy
from launcher.states import State
from launcher.status import RunStatus
from runfolder import layout as files
from tests.cluster.runs import RESOURCE, Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

TRAIN = {"per_batch_size": 1, "max_epoch": 3}
"""8 steps an epoch on 4 ranks; a checkpoint after each epoch."""
TWO: dict[str, Any] = {
    "nodes": 2,
    "devices": 2,
    "memory": "3Gi",
    "train": TRAIN,
    "policy": StagePolicy(retries=0, backoff_s=0.5),
}


@pytest.fixture(scope="module")
def disturbed(lab: Lab) -> RunStatus:
    """Two pods with two ranks each; the second pod is deleted after the first epoch."""
    lab.submit("two", **TWO)
    lab.await_step("two", 9, within_s=300)
    second = next(pod for pod in lab.pods("two") if pod["metadata"]["name"].startswith("two-train-1-1-"))
    lab.kubectl("-n", str(lab.namespace), "delete", "pod", second["metadata"]["name"], "--wait=false")
    return lab.await_end("two", 400)


def test_a_lost_pod_costs_one_restart_of_all_ranks_from_the_last_checkpoint(lab: Lab, disturbed: RunStatus) -> None:
    (stage,) = disturbed.stages
    assert (disturbed.state, stage.attempts) == (State.SUCCEEDED, 2), json.dumps(lab.attempts("two"), indent=1)
    assert (disturbed.nodes, disturbed.devices) == (2, 2)
    assert stage.progress is not None
    assert (stage.progress.ranks, stage.progress.step) == (4, 24)
    first, last = lab.attempts("two")
    assert (first["reason"], last["exit_code"]) == ("PodDeleted", 0), first
    assert first["message"].startswith("pod 1: "), first


def test_both_pods_asked_for_their_devices_under_one_name(lab: Lab, disturbed: RunStatus) -> None:
    place = ("-n", str(lab.namespace))
    job = lab.kubectl.json(*place, "get", "job", "two-train-2")
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (2, "Indexed")
    template = job["spec"]["template"]["spec"]
    assert template["containers"][0]["resources"]["limits"][RESOURCE] == "2"
    service = lab.kubectl.json(*place, "get", "service", template["subdomain"])
    assert service["spec"]["clusterIP"] == "None"


def test_the_log_of_a_run_holds_the_lines_of_all_ranks(lab: Lab, disturbed: RunStatus) -> None:
    log = lab.read("runs/two/train/logs/attempt_2.log")
    for rank in range(4):
        assert f"[rank {rank}] " in log
    printed = lab.kubectl("-n", str(lab.namespace), "logs", "job/two-train-2", "--all-pods=true", "--prefix=false")
    assert "waits for pod" in printed or "begins" in printed


def test_two_pods_train_the_weights_of_one(lab: Lab, disturbed: RunStatus) -> None:
    if lab.namespace.storage is None:
        pytest.skip("the files of another cluster are not seen from here")
    lab.submit("one", devices=4, train=TRAIN, memory="4Gi")
    assert lab.await_end("one", 400).state is State.SUCCEEDED
    one, two = (newest_weights(lab, run) for run in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_a_gang_that_is_not_whole_in_time_frees_its_devices(lab: Lab) -> None:
    """One node has 8 devices of the kind, and the other none that may be used: the second pod finds no room."""
    lab.submit("large", device="gpu-there", nodes=2, devices=8, train=TRAIN, start_deadline_s=25.0)
    ended = lab.await_end("large", 120)
    assert (ended.state, ended.reason) == (State.FAILED, "GangIncomplete"), ended
    assert "1 of 2 pods run" in ended.message, ended
    lab.kubectl("-n", str(lab.namespace), "wait", "--for=delete", "job/large-train-1", "--timeout=90s")
    lab.kubectl(
        "-n", str(lab.namespace), "wait", "--for=delete", "pod", "-l", f"{names.LABEL_RUN}=large,{names.LABEL_STAGE}",
        "--timeout=90s",
    )  # fmt: skip


def test_a_run_goes_on_with_fewer_devices(lab: Lab) -> None:
    lab.submit("elastic", devices=2, train={**TRAIN, "max_epoch": 4}, memory="3Gi")
    lab.await_step("elastic", 5, within_s=300)
    assert lab.backend.cancel("elastic")
    assert lab.backend.submit("elastic", resume=True, resize=Resize(1)).outcome == "resumed"

    ended = lab.await_end("elastic", 300)

    assert (ended.state, ended.devices, ended.stages[0].attempts) == (State.SUCCEEDED, 1, 2), ended
    job = lab.kubectl.json("-n", str(lab.namespace), "get", "job", "elastic-train-2")
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"][RESOURCE] == "1"
    told = [json.loads(line) for line in lab.read("runs/elastic/train/metrics.jsonl").splitlines()]
    (change,) = [line for line in told if line.get("event") == "resumed"]
    assert (change["ranks"], change["accumulate_steps"], change["global_batch"]) == (1, 2, 2)


def test_delete_leaves_nothing_of_it(lab: Lab, disturbed: RunStatus) -> None:
    removed = lab.backend.delete("two")
    assert "service/two-pods" in removed
    left = lab.kubectl.json(
        "-n", str(lab.namespace), "get", "jobs,pods,services,configmaps", "-l", f"{names.LABEL_RUN}=two"
    )
    assert left["items"] == []


def newest_weights(lab: Lab, run: str) -> dict[str, Any]:
    from sphereface import checkpoint

    assert lab.namespace.storage is not None
    folder = files.run_folder(lab.namespace.storage, run) / files.TRAIN
    result = json.loads((folder / files.RESULT).read_text())
    last = max((folder / files.CHECKPOINTS).glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    assert result["stage"] == files.TRAIN
    return dict(checkpoint.read(last).weights)
