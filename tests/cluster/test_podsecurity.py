"""Our verdict on a pod and that of a real cluster, for the same pods."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator

import pytest

from launcher import podsecurity
from tests.cluster.access import Kubectl, namespace_manifest
from tests.launcher import pods

pytestmark = pytest.mark.cluster

ALLOWED = {
    "baseline": {"baseline", "restricted"},
    "restricted": {"restricted"},
}
"""Levels of pods that a namespace takes which enforces the level."""


@pytest.fixture(params=ALLOWED)
def enforced(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """A namespace that enforces a level, and the level."""
    level = str(request.param)
    name = f"t-podsecurity-{level}-{uuid.uuid4().hex[:6]}"
    made = namespace_manifest(name)
    made["metadata"]["labels"] |= {
        "pod-security.kubernetes.io/enforce": level,
        "pod-security.kubernetes.io/enforce-version": "v1.34",
    }
    kubectl.apply(made)
    try:
        kubectl("-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        yield name, level
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_the_cluster_takes_the_pods_that_we_say_it_takes(enforced: tuple[str, str], kubectl: Kubectl) -> None:
    namespace, level = enforced
    items = []
    for name, (pod, _, _) in pods.CASES.items():
        own = copy.deepcopy(pod)
        own["metadata"]["name"] = name
        items.append(own)
    sent = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    answer = kubectl.run("-n", namespace, "create", "--dry-run=server", "--validate=strict", "-f", "-", input=sent)
    taken = {line.split()[0].removeprefix("pod/") for line in answer.stdout.splitlines()}
    ours = {name for name, (pod, _, _) in pods.CASES.items() if podsecurity.level(pod).level in ALLOWED[level]}
    assert taken == ours, answer.stderr
    refused = [line for line in answer.stderr.splitlines() if line]
    assert len(refused) == len(pods.CASES) - len(taken)
    assert all("violates PodSecurity" in line for line in refused), answer.stderr
