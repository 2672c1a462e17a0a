"""Runs that wait for quota in a queue of Kueue: the real one, built from its module and started for these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from launcher import names
from launcher.states import State
from tests.cluster.access import Kubectl
from tests.cluster.kueue_part import MANAGED, bring_up, take_down
from tests.cluster.layout import Layout
from tests.cluster.runs import LONG, RESOURCE, Lab, laboratory, until

pytestmark = [pytest.mark.cluster, pytest.mark.kueue, pytest.mark.timeout(1800)]  # it may have to be built

QUEUE = "team-a"
API = "kueue.x-k8s.io/v1beta2"


@pytest.fixture(scope="module")
def kueue(layout: Layout, kubectl: Kubectl, own: bool) -> Iterator[None]:
    """Runs for this module alone: while it is there, the API server asks it about Jobs."""
    if not own:
        pytest.skip("Kueue is started only on the test cluster that `make cluster` boots")
    bring_up(layout, kubectl)
    yield
    take_down(layout, kubectl)


@pytest.fixture(scope="module")
def lab(
    kueue: None, kubectl: Kubectl, image: str, layout: Layout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A namespace with a queue that has quota for one device."""
    with laboratory(kubectl, image, layout.storage, tmp_path_factory.mktemp("profiles")) as lab:
        queues(lab)
        yield lab
        for run in ("first", "second", "third", "fourth", "fifth"):
            lab.remove(run)
        place = ("-n", str(lab.namespace))
        kubectl(*place, "wait", "--for=delete", "workloads.kueue.x-k8s.io", "--all", "--timeout=60s")
        kubectl(*place, "delete", "localqueue", QUEUE)
        kubectl("delete", "clusterqueue,resourceflavor", str(lab.namespace), "--timeout=30s")


def queues(lab: Lab) -> None:
    name, quota = str(lab.namespace), {"cpu": "1", "memory": "64Gi", RESOURCE: 1}
    flavor = {"name": name, "resources": [{"name": key, "nominalQuota": value} for key, value in quota.items()]}
    cluster_queue = {
        "namespaceSelector": {"matchLabels": {MANAGED: "true"}},
        "resourceGroups": [{"coveredResources": list(quota), "flavors": [flavor]}],
    }
    local_queue = {"metadata": {"name": QUEUE, "namespace": name}, "spec": {"clusterQueue": name}}
    lab.kubectl("label", "namespace", name, f"{MANAGED}=true")
    lab.kubectl.apply(
        {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": name}, "spec": {}},
        {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": cluster_queue},
        {"apiVersion": API, "kind": "LocalQueue", **local_queue},
    )
    lab.kubectl("-n", name, "wait", "--for=condition=Active", f"localqueue/{QUEUE}", "--timeout=30s")


def launcher(lab: Lab, *words: str, code: int = 0) -> str:
    environ = {**os.environ, "KUBECONFIG": str(lab.kubectl.kubeconfig)}
    command = [sys.executable, "-m", "launcher", *words, "-n", str(lab.namespace)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{done.stdout}{done.stderr}"
    return done.stdout


def await_message(lab: Lab, run: str, words: str) -> None:
    until(lambda: words in lab.stage(run).message, 60, what=lambda: lab.stage(run))


def test_a_run_waits_until_the_one_before_it_ends(lab: Lab) -> None:
    lab.submit("first", queue=QUEUE, train=LONG)
    until(lambda: lab.pods("first"), what=lambda: lab.status("first"))
    lab.submit("second", queue=QUEUE, start_deadline_s=5.0)
    lab.await_reason("second", "QueuedForQuota")
    lab.submit("third", queue=QUEUE)
    await_message(lab, "third", f"waits for quota in queue {QUEUE}, at place 2")
    await_message(lab, "second", f"waits for quota in queue {QUEUE}, at place 1: ")
    assert f"insufficient unused quota for {RESOURCE}" in lab.stage("second").message
    for words in (("status", "second"), ("status", "second", "-o", "json")):
        shown = " ".join(launcher(lab, *words).split())
        assert "QueuedForQuota" in shown
        assert f"waits for quota in queue {QUEUE}, at place 1" in shown
    assert lab.pods("second") == [], "only its runner has a pod"
    assert lab.status("second").state is not State.FAILED, "its start deadline is long over"

    launcher(lab, "cancel", "third")
    launcher(lab, "delete", "first")
    assert lab.await_end("second").state is State.SUCCEEDED
    assert lab.stage("second").attempts == 1
    assert lab.status("third").state is State.CANCELLED


def test_a_run_whose_quota_is_taken_back_waits_again_and_goes_on(lab: Lab) -> None:
    def stop(policy: str) -> None:
        patch = f'{{"spec": {{"stopPolicy": "{policy}"}}}}'
        lab.kubectl("patch", "clusterqueue", str(lab.namespace), "--type=merge", "-p", patch)

    def step() -> int:
        progress = lab.stage("fourth").progress
        return progress.step if progress else 0

    lab.submit("fourth", queue=QUEUE, train=LONG)
    lab.await_step("fourth")
    stop("HoldAndDrain")
    await_message(lab, "fourth", f"ClusterQueue {lab.namespace} is inactive")
    stage = lab.stage("fourth")
    assert (stage.reason, stage.attempts) == ("QueuedForQuota", 2)
    assert lab.attempts("fourth")[0]["reason"] == "Preempted"
    selector = f"{names.LABEL_RUN}=fourth,{names.LABEL_ROLE}={names.STAGE}"
    jobs = lab.kubectl("-n", str(lab.namespace), "get", "jobs", "-l", selector, "-o", "name").split()
    assert jobs == ["job.batch/fourth-train-2"], "the first would come again beside it"
    before = step()
    stop("None")
    lab.await_attempt("fourth", 2)
    until(lambda: step() > before, what=lambda: lab.stage("fourth"))
    lab.remove("fourth")


def test_a_queue_that_is_not_there_is_told(lab: Lab) -> None:
    lab.submit("fifth", queue="other")
    await_message(lab, "fifth", "waits for quota in queue other: LocalQueue other doesn't exist")


def test_doctor_looks_at_the_queue(lab: Lab) -> None:
    where: tuple[Any, ...] = ("doctor", "--backend", "kubernetes", "--set", "train.train_img_dir=faces")
    assert f"{QUEUE}, of the cluster queue {lab.namespace}, is active" in launcher(lab, *where, "--queue", QUEUE)
    said = launcher(lab, *where, "--queue", "other", code=1)
    assert f"no LocalQueue 'other' in {lab.namespace}; use one of its queues: {QUEUE}" in said
