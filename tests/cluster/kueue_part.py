"""Kueue as one more part of the cluster, for the tests that need it: its configuration, and its own module's manifests.

It runs beside the control plane as CoreDNS does, with the rights of its own service account, and the Services by which
the API server reaches it lead to its bridge address. Only Jobs in namespaces with the label MANAGED are its own.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.access import Kubectl
from tests.cluster.build import built, module
from tests.cluster.layout import API_ADDRESS, Layout
from tests.cluster.parts import Part
from tests.cluster.processes import kill, start, until, wait_for, write

MANAGED = "test-cluster/kueue"
NAMESPACE = "kueue-system"
ACCOUNT = "kueue-controller-manager"
SECRET = "kueue-webhook-server-cert"
OWN = "app.kubernetes.io/name=kueue"
SERVICES = {"kueue-webhook-service": 9443, "kueue-visibility-server": 8082}
"""Port of the process behind each Service."""
HEALTH = f"{API_ADDRESS}:9440"
OWN_KINDS = ("clusterqueue", "cohort", "resourceflavor", "workload", "job")
"""What its webhooks look at; those of other kinds would refuse every pod, which this one does not serve."""
CALLED = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService")
"""Kinds by which the API server calls it: they hold others up while it is not there."""
START_S = 90


def part(layout: Layout, program: Path) -> Part:
    folder = layout.state / "kueue"
    argv = (str(program), f"--config={folder / 'config.json'}", f"--kubeconfig={folder / 'kubeconfig'}")
    return Part("kueue", argv, HEALTH)


def configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": HEALTH},
        "metrics": {"bindAddress": "0"},
        "webhook": {
            "host": API_ADDRESS,
            "port": SERVICES["kueue-webhook-service"],
            "certDir": str(layout.state / "kueue" / "certificates"),
        },
        "visibilityServer": {"bindAddress": API_ADDRESS, "bindPort": SERVICES["kueue-visibility-server"]},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {
            "enable": True,
            "webhookServiceName": "kueue-webhook-service",
            "webhookSecretName": SECRET,
        },
        "managedJobsNamespaceSelector": {"matchLabels": {MANAGED: "true"}},
        "integrations": {"frameworks": ["batch/job"]},
    }


def adapted(manifests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Kueue's own manifests without its Deployment, with Services that lead to the process. Pure."""
    kept = [one for one in manifests if one["kind"] not in ("Deployment", "ConfigMap")]
    for one in kept:
        name = one["metadata"]["name"]
        if one["kind"].endswith("WebhookConfiguration"):
            one["webhooks"] = [_kept_from_others(hook) for hook in one["webhooks"] if _is_own(hook)]
        if one["kind"] == "Service" and name in SERVICES:
            del one["spec"]["selector"]
    return [*kept, *(_endpoints(name, port) for name, port in SERVICES.items())]


def _is_own(webhook: Mapping[str, Any]) -> bool:
    return webhook["name"][1:].removesuffix(".kb.io") in OWN_KINDS


def _kept_from_others(webhook: dict[str, Any]) -> dict[str, Any]:
    """Other namespaces are not asked about: a dead Kueue stops nobody there."""
    return {**webhook, "namespaceSelector": {"matchLabels": {MANAGED: "true"}}}


def _endpoints(service: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "" if service == "kueue-webhook-service" else "https", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [API_ADDRESS], "conditions": {"ready": True}}],
    }


def manifests(kubectl: Kubectl) -> list[dict[str, Any]]:
    """As its module has them (`config/default`), adapted."""
    folder = module("sigs.k8s.io/kueue") / "config" / "default"
    return adapted(yaml.load_all(kubectl("kustomize", str(folder)), Loader=yaml.CSafeLoader))


def bring_up(layout: Layout, kubectl: Kubectl) -> None:
    """Starts it anew, whatever is left of an earlier one, and waits until webhooks and visibility API answer."""
    program, items = built("kueue", layout.cache), manifests(kubectl)
    kill(layout, "kueue")
    folder = layout.state / "kueue"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "certificates").mkdir(parents=True, mode=0o700)
    # By the server: the CRDs are larger than the annotation that a client writes.
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)
    kubeconfig(kubectl, folder / "kubeconfig")
    write(folder / "config.json", json.dumps(configuration(layout), indent=1))
    start(layout, part(layout, program))
    mount_certificate(kubectl, folder / "certificates")
    wait_for(layout, part(layout, program), START_S)
    kubectl("wait", "--for=condition=Available", "apiservices", "-l", OWN, "--timeout=60s")
    until(ready, f"Kueue to be ready (log: {layout.log('kueue')})", START_S)


def ready() -> bool:
    with contextlib.closing(http.client.HTTPConnection(HEALTH, timeout=5)) as connection:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def kubeconfig(kubectl: Kubectl, path: Path) -> None:
    """Of its service account, whose rights come with its manifests."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    token = kubectl("-n", NAMESPACE, "create", "token", ACCOUNT, "--duration=24h").strip()
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))


def mount_certificate(kubectl: Kubectl, folder: Path) -> None:
    """What a kubelet does for a pod: the Secret that it writes itself becomes files."""

    def written() -> bool:
        data = kubectl.json("-n", NAMESPACE, "get", "secret", SECRET).get("data") or {}
        for name, value in data.items():
            (folder / name).write_bytes(base64.b64decode(value))
        return "tls.crt" in data

    until(written, f"Kueue to make its certificate (Secret {SECRET})", START_S)


def take_down(layout: Layout, kubectl: Kubectl) -> None:
    """Ends it once it has let go of all Workloads; what stays (CRDs, rights, queues) does nothing without it."""
    kubectl.run("wait", "--for=delete", "workloads.kueue.x-k8s.io", "--all", "--all-namespaces", "--timeout=60s")
    for kind in CALLED:
        kubectl("delete", kind, "-l", OWN, "--ignore-not-found")
    kill(layout, "kueue")
