"""Logs of pods that print faster than the kubelet keeps, over cut connections and a dead API server: each line once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from launcher import names, plan, render
from launcher.backends import LogLine, LogQuery
from launcher.backends.kubernetes import credentials, follow_logs, pod_logs
from launcher.backends.kubernetes.backend import KubernetesBackend
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.plan import Plan
from launcher.spec import KubernetesSpec, RunSpec
from launcher.states import State
from launcher.status import RunStatus, StageStatus
from runfolder import layout
from tests.cluster.access import Kubectl, Namespace
from tests.cluster.control import Control
from tests.cluster.wire import Wire

pytestmark = pytest.mark.cluster

RANKS = 4
PRINTER = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from launcher.processes.pod_output import PodOutput, begin_words
from runfolder import layout

plan, folder, attempt, ticks, lines = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
stage = folder / "train"
(stage / "logs").mkdir(parents=True, exist_ok=True)
(folder / "plan.json").write_text(plan)
names = [f"rank_{number}" for number in range(4)]
logs = {name: layout.log_file(stage / "logs", f"{name}-{attempt}") for name in names}
output = PodOutput(stage, attempt)
output.say(begin_words("train", attempt) + ", 4 process(es)")
stage_of_four = SimpleNamespace(ranks=len(names))
output.follow(SimpleNamespace(stage=stage_of_four, log=logs.get, offsets=dict.fromkeys(names, 0)))
for tick in range(ticks):
    for name in names:
        with logs[name].open("a") as log:
            for line in range(tick * lines, (tick + 1) * lines):
                log.write(f"{attempt} {line} {'x' * (line * 7 % 90)}\\n")
    output.forward()
    time.sleep(0.1)
output.say("the end")
"""


def text_of(attempt: int, line: int) -> str:
    return f"{attempt} {line} {'x' * (line * 7 % 90)}"


@dataclass
class Run:
    """A run whose stage only prints. No runner drives it: the test says how it stands."""

    kubectl: Kubectl
    namespace: Namespace
    plan: Plan
    expected: list[tuple[int, int]] = field(default_factory=list)
    """Attempts, and how many lines each rank prints in it."""
    state: State = State.PENDING

    def observe(self) -> RunStatus:
        state = self.state
        stages = (StageStatus("train", state, attempts=len(self.expected)),)
        return RunStatus(
            self.plan.run, state, "", "", "kubernetes", "cpu", RANKS, 0.0, None, self.plan.folder, "", stages
        )

    def create(self, ticks: int, lines: int) -> None:
        """The next attempt; each rank prints `lines` lines ten times a second, `ticks` times."""
        number = len(self.expected) + 1
        job = render.with_attempt(render.stage_manifests(self.plan)["train"], number)
        pod = job["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = 2
        container = pod["containers"][0]
        container["command"] = ["python", "-P", "-c", PRINTER, json.dumps(plan.to_json(self.plan))]
        container["args"] = [self.plan.folder, str(number), str(ticks), str(lines)]
        self.kubectl.apply(job)
        self.expected.append((number, ticks * lines))
        self.state = State.RUNNING

    def await_end(self, attempt: int) -> None:
        job = f"job/{names.stage_job(self.plan.run, 'train', attempt)}"
        self.kubectl("-n", str(self.namespace), "wait", job, "--for=condition=Complete", "--timeout=120s")

    def delete_jobs(self) -> None:
        place = ("-n", str(self.namespace))
        self.kubectl(*place, "delete", "jobs", "--all", "--cascade=foreground", "--timeout=60s")
        self.kubectl(*place, "wait", "pods", "--all", "--for=delete", "--timeout=60s")

    def check(self, got: list[LogLine]) -> None:
        """Every line once, and in order."""
        for rank in range(RANKS):
            wanted = [text_of(attempt, line) for attempt, count in self.expected for line in range(count)]
            mine = [line.text for line in got if line.rank == rank]
            assert len(mine) == len(wanted), f"rank {rank}: {_difference(mine, wanted)}"
            assert mine == wanted, f"rank {rank}: {_difference(mine, wanted)}"
        own = [line.text.split(",")[0] for line in got if line.rank is None]
        assert own == [text for number, _ in self.expected for text in (f"attempt {number} of train begins", "the end")]

    def left_readers(self) -> list[Any]:
        selector = f"{names.LABEL_ROLE}={names.READER}"
        left: list[Any] = self.kubectl.json("-n", str(self.namespace), "get", "pods", "-l", selector)["items"]
        return [pod["metadata"]["name"] for pod in left if not pod["metadata"].get("deletionTimestamp")]


def _difference(got: list[str], wanted: list[str]) -> str:
    at = next((at for at, pair in enumerate(zip(got, wanted, strict=False)) if pair[0] != pair[1]), len(got))
    return f"{len(got)} lines instead of {len(wanted)}; from {at}: {got[at : at + 3]} instead of {wanted[at : at + 3]}"


@pytest.fixture
def run(kubectl: Kubectl, namespace: Namespace, image: str) -> Run:
    small = KubernetesSpec(namespace=str(namespace), image=image, cpu="50m", memory="256Mi", shm="16Mi")
    spec = RunSpec("demo", devices=RANKS, storage=names.CLUSTER_STORAGE, stages=("train",), kubernetes=small)
    made = plan.make_plan(spec)
    kubectl.apply(render.manifests(made)[0])
    return Run(kubectl, namespace, made)


@pytest.fixture
def wire(kubectl: Kubectl) -> Iterator[Wire]:
    with Wire(who(kubectl).server) as made:
        yield made


def who(kubectl: Kubectl) -> credentials.Credentials:
    return credentials.load(environ={"KUBECONFIG": str(kubectl.kubeconfig)})


def over(wire: Wire, run: Run) -> HttpApi:
    ours = replace(who(run.kubectl), server=wire.address, server_name=wire.name)
    return HttpApi(ours, str(run.namespace))


def direct(run: Run) -> HttpApi:
    return HttpApi(who(run.kubectl), str(run.namespace))


class Follower(threading.Thread):
    """Follows a run, beside the test."""

    def __init__(self, api: HttpApi, run: Run, query: LogQuery | None = None) -> None:
        super().__init__(daemon=True)
        self.got: list[LogLine] = []
        self.said: list[str] = []
        self.error: BaseException | None = None
        query = query or LogQuery(follow=True)
        self._lines = follow_logs.follow(api, run.plan, query, run.observe, say=self.said.append)

    def run(self) -> None:
        try:
            for line in self._lines:
                self.got.append(line)
        except BaseException as error:
            self.error = error

    def finish(self, within_s: float) -> list[LogLine]:
        self.join(within_s)
        assert not self.is_alive(), f"still follows after {within_s} s; {len(self.got)} lines; said {self.said}"
        assert self.error is None, self.error
        return self.got


def until(seen: Callable[[], bool], within_s: float, what: Callable[[], object]) -> None:
    deadline = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < deadline, f"not seen within {within_s} s: {what()}"
        time.sleep(0.2)


def test_every_line_once_over_rotations_cuts_and_attempts(run: Run, wire: Wire) -> None:
    """128 KiB and three seconds are all that the test cluster's kubelet gives a log; an attempt prints some 1.5 MiB."""
    draw = random.Random(4)  # noqa: S311
    follower = Follower(over(wire, run), run)
    follower.start()
    until(lambda: bool(follower.said), 30, lambda: "a word about what it waits for")

    run.create(ticks=120, lines=40)
    ended = threading.Thread(target=run.await_end, args=(1,))
    ended.start()
    while ended.is_alive():
        wire.cut()
        ended.join(draw.uniform(0.3, 2.0))
    run.create(ticks=20, lines=10)
    run.await_end(2)
    run.state = State.SUCCEEDED

    run.check(follower.finish(90))
    assert follower.said[0] == "waiting for run/demo (Pending)"
    assert wire.cuts > 3
    assert not any("missing" in text for text in follower.said)

    # The pods are there: their logs begin in the middle, and the storage has the rest.
    everything = list(pod_logs.read(direct(run), run.plan, LogQuery(merge=True), run.observe))
    run.check(everything)
    last = list(pod_logs.read(direct(run), run.plan, LogQuery(rank=2, tail=5), run.observe))
    assert [line.text for line in last] == [text_of(2, line) for line in range(195, 200)]

    run.delete_jobs()
    assert list(pod_logs.read(direct(run), run.plan, LogQuery(merge=True), run.observe)) == everything
    assert list(pod_logs.read(direct(run), run.plan, LogQuery(rank=2, tail=5), run.observe)) == last
    late = Follower(direct(run), run)
    late.start()
    run.check(late.finish(60))
    assert run.left_readers() == []


@pytest.mark.blows
def test_every_line_once_though_the_api_server_is_killed(run: Run, cluster: Control) -> None:
    follower = Follower(direct(run), run)
    follower.start()
    run.create(ticks=120, lines=20)
    until(lambda: len(follower.got) > 200, 60, lambda: (len(follower.got), follower.said))
    cluster.kill("apiserver")
    until(lambda: any("the cluster" in text for text in follower.said), 30, lambda: follower.said)
    cluster.start("apiserver")
    run.await_end(1)
    run.state = State.SUCCEEDED

    run.check(follower.finish(90))


def test_a_pod_deleted_in_the_middle_is_read_to_its_end_from_the_storage(run: Run) -> None:
    follower = Follower(direct(run), run, LogQuery(follow=True, rank=0))
    follower.start()
    run.create(ticks=600, lines=10)
    until(lambda: len(follower.got) > 100, 60, lambda: (len(follower.got), follower.said))
    run.kubectl("-n", str(run.namespace), "delete", "job", "--all", "--cascade=foreground", "--timeout=60s")
    run.state = State.FAILED

    got = [line.text for line in follower.finish(60)]

    assert got == [text_of(1, line) for line in range(len(got))]
    if run.namespace.storage is not None:
        kept = layout.attempt_log(Path(f"{run.namespace.storage}/runs/demo/train"), 1).read_text().splitlines()
        assert got == [line.removeprefix("[rank 0] ") for line in kept if line.startswith("[rank 0] ")]


def test_the_command_waits_shows_all_and_ends_with_the_runs_exit_code(
    kubectl: Kubectl, namespace: Namespace, image: str, tmp_path: Path
) -> None:
    """A real run, driven by its runner; its one attempt ends at once, because its lists are not there."""
    small = KubernetesSpec(namespace=str(namespace), image=image, cpu="50m", memory="1Gi", shm="16Mi")
    train = {"train_data_dir": f"{names.CLUSTER_STORAGE}/no.txt", "train_img_dir": names.CLUSTER_STORAGE}
    spec = RunSpec("demo", storage=names.CLUSTER_STORAGE, stages=("train",), train=train, kubernetes=small)
    backend = KubernetesBackend(HttpApi(who(kubectl), str(namespace)))
    backend.submit(plan.make_plan(spec))

    words = ["logs", "demo", "--backend=kubernetes", "-n", str(namespace), "--stage=train"]
    followed = launcher(kubectl, tmp_path, *words, "--follow")
    afterwards = launcher(kubectl, tmp_path, *words, "--merge")

    assert followed.returncode == 1, followed.stderr
    assert followed.stderr.startswith(("waiting for run/demo (Pending", "waiting for run/demo (Starting"))
    assert followed.stderr.splitlines()[-1].startswith("error: run/demo Failed in train: ConfigurationError: ")
    assert followed.stdout.startswith("[train] attempt 1 of train begins, 1 process(es)\n[train 0] ")
    assert "no.txt" in followed.stdout
    assert afterwards.returncode == 0
    assert afterwards.stdout == followed.stdout


def launcher(kubectl: Kubectl, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(kubectl.kubeconfig), "HOME": str(home)}
    argv = [sys.executable, "-m", "launcher", *words]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)
