"""What the runner's account may do on a real cluster: just what its Role says, and nothing that it need not."""

from __future__ import annotations

import pytest

from launcher import render
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.cluster.access import Kubectl, Namespace

pytestmark = pytest.mark.cluster

ALLOWED = {
    ("jobs.batch", ""): {"get", "list", "watch", "create", "delete"},
    ("jobs.batch", "demo-runner"): {"patch"},
    ("pods", ""): {"get", "list", "watch"},
    ("events", ""): {"list"},
    ("configmaps", "demo-plan"): {"get"},
    ("configmaps", "demo-status"): {"get", "patch"},
}
"""By resource and name (none = all in the namespace)."""

OF_A_QUEUE = {
    ("workloads.kueue.x-k8s.io", ""): {"list"},
    ("localqueues.visibility.kueue.x-k8s.io/pendingworkloads", "team-a"): {"get"},
}
"""And those of a run that waits in the queue team-a."""

FORBIDDEN = (
    "get secrets",
    "list configmaps",
    "get configmap/kube-root-ca.crt",
    "patch configmap/other-status",
    "patch job/other-runner",
    "deletecollection jobs",
    "create pods",
    "delete pods",
    "create pods --subresource=exec",
    "get pods --subresource=log",
    "get persistentvolumeclaims",
    "create rolebindings",
    "impersonate serviceaccounts",
    "create serviceaccounts --subresource=token",
    "list nodes",
    "list jobs --all-namespaces",
)


@pytest.fixture
def account(kubectl: Kubectl, namespace: Namespace, request: pytest.FixtureRequest) -> str:
    """As a parameter: the run's queue."""
    kubernetes = KubernetesSpec(namespace=str(namespace), queue=getattr(request, "param", ""))
    plan = make_plan(RunSpec("demo", storage="/storage", kubernetes=kubernetes))
    kubectl.apply(*(one for one in render.manifests(plan) if one["kind"] in ("ServiceAccount", "Role", "RoleBinding")))
    return f"--as=system:serviceaccount:{namespace}:demo-runner"


@pytest.mark.parametrize(("account", "more"), [("", {}), ("team-a", OF_A_QUEUE)], indirect=["account"])
def test_the_runner_may_do_what_it_needs_and_nothing_else(
    kubectl: Kubectl, namespace: Namespace, account: str, more: dict[tuple[str, str], set[str]]
) -> None:
    everybody = set(kubectl("auth", "can-i", "--list", "-n", str(namespace), "--as=nobody").splitlines())
    listed = kubectl("auth", "can-i", "--list", "-n", str(namespace), account).splitlines()
    found = {}
    for line in listed:
        if line in everybody or line.startswith(("Resources", "selfsubject")) or "[/" in line:
            continue
        resource, _urls, names, verbs = (part.strip(" ]") for part in line.split("["))
        found[resource, names] = set(verbs.split())
    assert found == ALLOWED | more
    for words in FORBIDDEN:
        answer = kubectl.run("auth", "can-i", *words.split(), account, "-n", str(namespace))
        assert answer.stdout.strip() == "no", answer


def test_what_is_tried_all_the_same_is_refused(kubectl: Kubectl, namespace: Namespace, account: str) -> None:
    place = (account, "-n", str(namespace))
    kubectl("-n", str(namespace), "create", "configmap", "other", "--from-literal=key=value")
    kubectl("-n", str(namespace), "create", "secret", "generic", "other", "--from-literal=key=value")
    for words in (
        ("get", "secret", "other"),
        ("patch", "configmap", "other", "--type=merge", "-p", '{"data": {"key": "changed"}}'),
        ("run", "own", "--image=none", "--restart=Never"),
        ("create", "clusterrolebinding", f"own-{namespace}", "--clusterrole=admin", "--user=own"),
    ):
        answer = kubectl.run(*words, *place)
        assert answer.returncode != 0
        assert "forbidden" in answer.stderr.lower(), answer
