from __future__ import annotations

from typing import Any

from launcher.backends.kubernetes.doctor.examine import Cluster, examine
from launcher.doctor import Finding, Level
from launcher.errors import ApiError, BackendError
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.launcher.backends.kubernetes.fake_api import FakeApi

REVIEWS = ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")


def healthy() -> FakeApi:
    """A cluster that can carry out everything."""
    api = FakeApi()
    node = {
        "metadata": {"name": "a", "uid": "a"},
        "spec": {},
        "status": {
            "allocatable": {"cpu": "8", "memory": "64Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    api.answers = {
        ("GET", "/version"): {"gitVersion": "v1.34.4"},
        ("GET", "/api/v1/namespaces/lab"): {"metadata": {"name": "lab", "labels": {}}},
        ("GET", "/api/v1/namespaces/lab/limitranges"): {"items": []},
        ("GET", "/apis/storage.k8s.io/v1/storageclasses"): {"items": []},
        ("GET", "/api/v1/nodes"): {"metadata": {}, "items": [node]},
        ("GET", "/api/v1/pods"): {"metadata": {}, "items": []},
        REVIEWS: lambda _: {"status": {"allowed": True}},
    }
    claim = {
        "metadata": {"name": "sphereface"},
        "spec": {"accessModes": ["ReadWriteMany"]},
        "status": {"phase": "Bound"},
    }
    api.put("persistentvolumeclaims", claim)
    return api


def raising(error: Exception) -> Any:
    def answer(_body: Any) -> Any:
        raise error

    return answer


def found(api: FakeApi, **kubernetes: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings_of(api, {}, **kubernetes)}


def findings_of(api: FakeApi, spec: dict[str, Any], **kubernetes: Any) -> list[Finding]:
    where = KubernetesSpec(namespace="lab", **kubernetes)
    made = make_plan(RunSpec("demo", storage="/storage", kubernetes=where, **spec))
    return list(examine(Cluster(api, "https://x", "context 'lab'", lambda: 1000.0, lambda: 1000.0), made))


def test_a_cluster_where_all_is_well() -> None:
    findings = found(healthy())
    assert list(findings) == [
        "context", "server", "clock", "rights", "pod security", "quota", "storage", "devices",
    ]  # fmt: skip
    assert {finding.level for finding in findings.values()} == {Level.OK}


def test_a_cluster_that_does_not_answer_is_the_last_finding() -> None:
    api = healthy()
    api.fail("request", "/version", BackendError("the cluster cannot be reached: connection refused"))
    findings = found(api)
    assert list(findings) == ["context", "server"]
    assert findings["server"].level is Level.ERROR


def test_a_namespace_that_is_not_there_ends_it() -> None:
    api = healthy()
    api.fail("request", "/api/v1/namespaces/lab", ApiError("not found", 404, "NotFound"))
    findings = found(api)
    assert list(findings)[-1] == "namespace"
    assert findings["namespace"].advice.startswith("kubectl create namespace lab")


def test_an_account_that_may_look_at_little_still_gets_the_rest() -> None:
    """That of a CI job: namespaces, nodes and classes are the whole cluster's."""
    api = healthy()
    refused = ApiError("nodes is forbidden: User x cannot list; ask for the right", 403, "Forbidden")
    for path in ("/api/v1/namespaces/lab", "/api/v1/nodes", "/apis/storage.k8s.io/v1/storageclasses"):
        api.answers[("GET", path)] = raising(refused)
    api.fail("list", "resourcequotas", refused)
    findings = found(api)
    warned = {check for check, finding in findings.items() if finding.level is Level.WARNING}
    assert warned == {"namespace", "quota", "devices"}
    assert findings["devices"].text == "this account may not look: nodes is forbidden: User x cannot list"
    assert findings["storage"].level is Level.OK


def test_who_may_grant_everything_needs_no_right_of_the_runner() -> None:
    api = healthy()
    asked: list[str] = []

    def review(body: Any) -> Any:
        attributes = body["spec"]["resourceAttributes"]
        asked.append(f"{attributes['verb']} {attributes['resource']}")
        return {"status": {"allowed": attributes["verb"] not in ("escalate", "watch")}}

    api.answers[REVIEWS] = review
    assert "watch pods" in found(api)["rights"].text
    assert "watch pods" in asked
    asked.clear()
    api.answers[REVIEWS] = lambda body: {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] != "watch"}}
    assert found(api)["rights"].level is Level.OK


def test_the_content_of_a_secret_is_not_read() -> None:
    api = healthy()
    table = {
        "columnDefinitions": [{"name": "Name"}, {"name": "Type"}, {"name": "Data"}],
        "rows": [{"cells": ["registry", "kubernetes.io/dockerconfigjson", 1]}],
    }
    api.answers[("GET", "/api/v1/namespaces/lab/secrets/registry")] = table
    assert found(api, image_pull_secret="registry")["pull secret"].level is Level.OK
    assert ("get", "secrets", "registry") not in api.calls
    api.answers[("GET", "/api/v1/namespaces/lab/secrets/registry")] = raising(ApiError("no", 404, "NotFound"))
    assert found(api, image_pull_secret="registry")["pull secret"].level is Level.ERROR


def test_a_claim_that_is_not_there() -> None:
    api = healthy()
    assert found(api, claim="other")["storage"].text == "no claim 'other' in lab"


QUEUES = "/apis/kueue.x-k8s.io/v1beta2/namespaces/lab/localqueues"


def test_the_queue_is_looked_at_where_the_run_names_one() -> None:
    api = healthy()
    assert found(api, queue="team-a")["queue"].text.startswith("the cluster has no Kueue")
    api.answers[("GET", "/apis/kueue.x-k8s.io")] = {"preferredVersion": {"version": "v1beta2"}}
    queue = {
        "metadata": {"name": "team-a"},
        "spec": {"clusterQueue": "npus"},
        "status": {"conditions": [{"type": "Active", "status": "True"}]},
    }
    api.answers[("GET", QUEUES)] = {"metadata": {}, "items": [queue]}
    assert found(api, queue="team-a")["queue"].level is Level.OK
    assert found(api, queue="team-b")["queue"].text == "no LocalQueue 'team-b' in lab"
    api.answers[("GET", QUEUES)] = raising(ApiError("localqueues is forbidden", 403, "Forbidden"))
    assert found(api, queue="team-a")["queue"].level is Level.WARNING


def test_a_stage_on_another_device_than_the_run_is_looked_at_too() -> None:
    """The run's own processors are there, an Ascend 310 is not."""
    spec = {"stages": ("export", "infer310"), "infer310": {"infer_device": "ascend310"}}
    devices = [finding for finding in findings_of(healthy(), spec) if finding.check == "devices"]
    assert [finding.level for finding in devices] == [Level.OK, Level.ERROR]
    assert devices[1].text.startswith("1 huawei.com/Ascend310, ")
