"""What goes wrong with a stage on a real cluster: its state, its reason, and a sentence for tired people."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from launcher import names
from launcher.states import REASONS, State
from launcher.terminal import views
from tests.cluster.access import Kubectl, claim_manifest
from tests.cluster.layout import Layout
from tests.cluster.runs import LONG, RESOURCE, Lab, laboratory, stage_template, with_policy

pytestmark = pytest.mark.cluster

IMAGE_LINE = "image: {{ image | json }}"
COMMAND_LINE = "command: [python, -P, -m, launcher.pod]"
CLAIM_LINE = "claimName: {{ claim | json }}"
PRIVILEGE_LINE = "allowPrivilegeEscalation: false"


@dataclass(frozen=True)
class Case:
    """`plan` are the differences from a good run; `state` is the stage's, `words` stand in what is told."""

    state: State
    reason: str
    words: str
    plan: Mapping[str, Any] = field(default_factory=dict)


def template(old: str, new: str) -> dict[str, Any]:
    return {"templates": stage_template(old, new)}


NO_IMAGE = template(IMAGE_LINE, 'image: "127.0.0.1:5000/nosuch:1"')
CASES = {
    "devices": Case(State.PENDING, "InsufficientDevices", "huawei.com/Ascend310P", {"device": "absent"}),
    "selector": Case(State.PENDING, "NoMatchingNode", "without the labels of the selector", {"device": "elsewhere"}),
    "image": Case(State.STARTING, "ImageNotFound", "127.0.0.1:5000/nosuch:1: not found", NO_IMAGE),
    "claim": Case(State.PENDING, "ClaimNotFound", '"nosuch" not found', template(CLAIM_LINE, "claimName: nosuch")),
    "unbound": Case(State.PENDING, "ClaimNotBound", "unbound", template(CLAIM_LINE, "claimName: unbound")),
    "deadline": Case(
        State.FAILED, "NotStarted", "within 4 s (ImageNotFound: 127", {**NO_IMAGE, "start_deadline_s": 4.0}
    ),
    "admission": Case(
        State.FAILED,
        "AdmissionDenied",
        'violates PodSecurity "restricted',
        template(PRIVILEGE_LINE, "allowPrivilegeEscalation: true"),
    ),
    "name": Case(State.FAILED, "InvalidImageName", "UPPER", template(IMAGE_LINE, 'image: "127.0.0.1:5000/UPPER:1"')),
    "command": Case(
        State.FAILED, "CommandNotFound", "no command 'nosuch'", template(COMMAND_LINE, "command: [nosuch]")
    ),
    "module": Case(
        State.FAILED,
        "CommandNotFound",
        "No module named launcher.nosuch",
        template(COMMAND_LINE, "command: [python, -P, -m, launcher.nosuch]"),
    ),
    "marker": Case(State.FAILED, "NoMarker", "", template(COMMAND_LINE, 'command: [python, -c, "pass"]')),
    "key": Case(State.FAILED, "ConfigurationError", "lr must be a number", {"train": {"lr": "abc"}}),
    "memory": Case(State.FAILED, "OOMKilled", "200Mi", {"memory": "200Mi", "shm": "16Mi"}),
}


@pytest.fixture(scope="module")
def lab(
    kubectl: Kubectl, image: str, layout: Layout, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    with laboratory(kubectl, image, layout.storage if own else None, tmp_path_factory.mktemp("lab")) as made:
        unbound = claim_manifest(str(made.namespace), "", None)
        unbound["metadata"]["name"] = "unbound"
        kubectl.apply(unbound)
        yield made


@pytest.fixture(scope="module")
def submitted(lab: Lab) -> None:
    """All at once: while one waits, the others start."""
    for run, case in CASES.items():
        lab.submit(run, **case.plan)


def told(lab: Lab, run: str, reason: str) -> str:
    """What `launcher status` says of it: what happened, and what to do."""
    lines = [line for line in views.why(lab.status(run)) if reason in line]
    assert len(lines) == 1, lines
    assert REASONS[reason].sentence in lines[0]
    return lines[0]


@pytest.mark.parametrize("run", CASES)
def test_a_stage_that_cannot_start_or_fails_at_once(lab: Lab, submitted: None, run: str) -> None:
    case = CASES[run]

    stage = lab.await_reason(run, case.reason)

    if case.state is State.FAILED:
        ended = lab.await_end(run)
        assert (ended.state, ended.reason) == (State.FAILED, case.reason)
    assert lab.stage(run).state is case.state
    assert case.words in told(lab, run, case.reason)
    assert stage.attempts == 1, "another attempt would meet it again"


def test_a_taint(lab: Lab, own: bool) -> None:
    if not own:
        pytest.skip("taints a node")
    with lab.node("node-b", "label", "seed-test/marked=here"), lab.node("node-b", "taint", "seed-test=x:NoSchedule"):
        lab.submit("taint", device="marked")
        stage = lab.await_reason("taint", "Tainted")
    assert stage.state is State.PENDING
    assert "1 with a taint" in stage.message


class Refuses(BaseHTTPRequestHandler):
    """A registry that wants to know who asks."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_an_image_that_may_not_be_pulled(lab: Lab, own: bool) -> None:
    if not own:
        pytest.skip("other nodes do not see a registry of this machine")
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as registry:
        threading.Thread(target=registry.serve_forever).start()
        image = f"127.0.0.1:{registry.server_port}/secret:1"
        lab.submit("denied", **template(IMAGE_LINE, f'image: "{image}"'))
        stage = lab.await_reason("denied", "ImagePullDenied")
        registry.shutdown()
    assert stage.state is State.STARTING
    assert image in told(lab, "denied", "ImagePullDenied")


def test_a_quota_that_is_used_up(lab: Lab) -> None:
    spec = {"hard": {f"requests.{RESOURCE}": "0"}}
    metadata = {"name": "none", "namespace": str(lab.namespace)}
    lab.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec})
    lab.submit("quota")

    stage = lab.await_reason("quota", "QuotaExceeded")

    lab.kubectl("-n", str(lab.namespace), "delete", "quota", "none")
    assert stage.state is State.PENDING
    assert "exceeded quota: none" in stage.message


def test_a_runner_without_the_right_to_start_a_stage(lab: Lab) -> None:
    metadata = {
        "name": "rights-runner",
        "namespace": str(lab.namespace),
        "labels": names.labels("rights", names.RUNNER),
    }
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "patch"]},
    ]
    api_version = "rbac.authorization.k8s.io/v1"
    lab.kubectl.apply({"apiVersion": api_version, "kind": "Role", "metadata": metadata, "rules": rules})
    lab.submit("rights")

    ended = lab.await_end("rights")

    assert (ended.state, ended.reason) == (State.FAILED, "Forbidden")
    assert 'cannot create resource "jobs"' in told(lab, "rights", "Forbidden")


def test_a_rank_that_is_killed_is_named_with_its_last_lines(lab: Lab) -> None:
    lab.submit("killed", devices=2, train=LONG)
    lab.signal_rank("killed", 1, "KILL")

    ended = lab.await_end("killed")

    assert (ended.state, ended.reason) == (State.FAILED, "Killed")
    assert "rank 1 was ended by SIGKILL" in told(lab, "killed", "Killed")
    attempt = lab.attempts("killed")[0]
    assert attempt["rank"] == 1
    assert attempt["last_lines"]
    assert ended.stages[0].exit_code == 1


def test_a_rank_that_hangs_is_ended(lab: Lab) -> None:
    lab.submit("hung", train=LONG, policy=with_policy(heartbeat_s=6.0))
    lab.signal_rank("hung", 0, "STOP")

    ended = lab.await_end("hung")

    assert (ended.state, ended.reason) == (State.FAILED, "RankHung")
    assert "rank 0 has" in told(lab, "hung", "RankHung")


def test_a_run_deadline(lab: Lab) -> None:
    lab.submit("late", train=LONG, policy=with_policy(deadline_s=5.0))

    ended = lab.await_end("late")

    assert (ended.state, ended.reason) == (State.FAILED, "DeadlineExceeded")
    assert "took longer than 5 s" in told(lab, "late", "DeadlineExceeded")


def test_a_storage_that_is_full(
    kubectl: Kubectl, image: str, layout: Layout, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not own:
        pytest.skip("needs a storage of its own, on the machine of the nodes")
    small = layout.storage / f"small-{uuid.uuid4().hex[:6]}"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], check=True)  # a checkpoint has 100
    try:
        with laboratory(kubectl, image, small, tmp_path_factory.mktemp("small")) as lab:
            lab.submit("full", policy=with_policy(retries=2))
            ended = lab.await_end("full")
            assert (ended.state, ended.reason, ended.stages[0].attempts) == (State.FAILED, "StorageFull", 1)
            assert "No space left" in told(lab, "full", "StorageFull")
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
        small.rmdir()
