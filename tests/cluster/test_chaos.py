"""Parts of the cluster and of a run are killed in seeded random order while its chain goes on.

Whatever dies, the chain ends Succeeded and each stage's work was done once: its last attempt completed it, and none
came after. `make chaos-cluster` plays 20 seeds, the cluster tests a few (LAUNCHER_CHAOS_SEEDS says how many).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from launcher import marker, names
from launcher.plan import Plan
from launcher.states import REASONS, State
from runfolder import layout as files
from tests.cluster.access import Kubectl
from tests.cluster.control import Control
from tests.cluster.layout import Layout
from tests.cluster.runs import Lab, laboratory, until, with_policy

pytestmark = [pytest.mark.cluster, pytest.mark.blows]

SEEDS = int(os.environ.get("LAUNCHER_CHAOS_SEEDS", "3"))
AT_ONCE = 4
STAGES = ("train", "evaluate", "export")
WITHIN_S = 540.0
POLICY = with_policy(retries=6)


@pytest.fixture(scope="module")
def lab(
    kubectl: Kubectl, image: str, layout: Layout, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    if not own:
        pytest.skip("kills parts of the test cluster")
    with laboratory(kubectl, image, layout.storage, tmp_path_factory.mktemp("lab")) as made:
        yield made


@dataclass(frozen=True)
class Scene:
    """A run that goes on, and how to strike it."""

    lab: Lab
    cluster: Control
    run: str
    dice: random.Random

    def running(self, role: str = names.STAGE) -> Mapping[str, Any] | None:
        """A pod in that role that runs now; None where none does, or nobody knows."""
        selector = f"{names.LABEL_RUN}={self.run},{names.LABEL_ROLE}={role}"
        found = self.lab.kubectl.run("-n", str(self.lab.namespace), "get", "pods", "-l", selector, "-o", "json")
        pods = json.loads(found.stdout)["items"] if found.returncode == 0 else []
        return next((pod for pod in pods if pod["status"]["phase"] == "Running"), None)

    def kubectl(self, *words: str) -> None:
        self.lab.kubectl.run("-n", str(self.lab.namespace), *words)

    def kill_pod(self, role: str) -> None:
        pod = self.running(role)
        if pod:
            self.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")

    def kill_rank(self) -> None:
        pod = self.running()
        if pod:
            stage = pod["metadata"]["labels"][names.LABEL_STAGE]
            attempt = pod["metadata"]["labels"][names.LABEL_ATTEMPT]
            file = f"/storage/runs/{self.run}/{stage}/status/attempt_{attempt}/rank_0.pid"
            self.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", f"kill -KILL $(cat {file})")

    def delete_job(self) -> None:
        pod = self.running()
        if pod:
            job = pod["metadata"]["labels"]["batch.kubernetes.io/job-name"]
            self.kubectl("delete", "job", job, "--wait=false")

    def restart(self, part: str, down_s: float) -> None:
        """Of a part of each node, the node of the stage's pod."""
        pod = self.running()
        node = pod["spec"]["nodeName"] if pod else "node-a"
        name = f"{part}-{node}" if part in ("kubelet", "containerd") else part
        self.cluster.kill(name)
        time.sleep(down_s)
        self.cluster.mend()


STRIKES: Mapping[str, Callable[[Scene], None]] = {
    "runner pod": lambda scene: scene.kill_pod(names.RUNNER),
    "stage pod": lambda scene: scene.kill_pod(names.STAGE),
    "rank": Scene.kill_rank,
    "stage Job": Scene.delete_job,
    "kubelet": lambda scene: scene.restart("kubelet", 4.0),
    "containerd": lambda scene: scene.restart("containerd", 1.0),
    "API server": lambda scene: scene.restart("apiserver", 4.0),
    "etcd": lambda scene: scene.restart("etcd", 3.0),
    "scheduler": lambda scene: scene.restart("scheduler", 3.0),
}


def dealt(seed: int) -> list[str]:
    """A hand of strikes: three seeds one after the other have all of them; the order is the seed's own."""
    deck = sorted(STRIKES)
    random.Random(seed // 3).shuffle(deck)  # noqa: S311
    hand = [deck[(seed % 3 * AT_ONCE + card) % len(deck)] for card in range(AT_ONCE)]
    random.Random(seed).shuffle(hand)  # noqa: S311
    return hand


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_chain_outlives_whatever_is_killed(lab: Lab, cluster: Control, seed: int) -> None:
    run = f"chaos-{seed}"
    plan = lab.plan(run, stages=STAGES, train={"max_epoch": 3}, policy=POLICY)
    lab.backend.submit(plan)
    scene = Scene(lab, cluster, run, random.Random(seed))  # noqa: S311
    struck = []
    for strike in dealt(seed):
        until(lambda: scene.running() or lab.status(run).state.terminal, WITHIN_S, what=lambda: lab.status(run))
        time.sleep(scene.dice.uniform(0.0, 8.0))
        if lab.status(run).state.terminal:
            break
        STRIKES[strike](scene)
        struck.append(strike)

    ended = lab.await_end(run, WITHIN_S)

    print(
        f"seed {seed}: {', '.join(struck)}: {ended.state} after {[stage.attempts for stage in ended.stages]} attempts"
    )
    assert ended.state is State.SUCCEEDED, (struck, ended)
    for stage in STAGES:
        done_once(lab, plan, stage)
    lab.remove(run)


def done_once(lab: Lab, plan: Plan, stage: str) -> None:
    assert lab.namespace.storage is not None
    folder = files.stage_folder(files.run_folder(lab.namespace.storage, plan.run), stage)
    assert marker.marker_fault(folder, plan.stage(stage), plan.hash, deep=True) is None
    made = marker.read_marker(folder)
    assert made is not None
    attempts = lab.attempts(plan.run, stage)
    assert [each["attempt"] for each in attempts] == list(range(1, len(attempts) + 1))
    assert made.attempt == attempts[-1]["attempt"], "nothing is begun again once it is complete"
    for failed in attempts[:-1]:
        assert failed["ended"] is not None
        assert failed["reason"] in REASONS
        assert failed["message"]
    if stage == "train":
        steps = {json.loads(line)["step"] for line in (folder / files.METRICS).read_text().splitlines()}
        assert steps == set(range(1, max(steps) + 1))
