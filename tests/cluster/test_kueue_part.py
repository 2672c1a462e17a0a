"""What is made of Kueue's own manifests, and where its process keeps its files."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

from tests.cluster.kueue_part import MANAGED, SERVICES, adapted, configuration, part
from tests.cluster.layout import NODES, Layout
from tests.cluster.parts import parts

LAYOUT = Layout(Path("/state"), Path("/cache"), Path("/cache/kube-1"))


def manifest(kind: str, name: str = "kueue", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **more}


def test_it_runs_as_a_process_and_not_as_a_deployment() -> None:
    selected = {"selector": {"control-plane": "controller-manager"}, "ports": []}
    made = adapted(
        [
            manifest("Deployment"),
            manifest("ClusterRole"),
            *(manifest("Service", name, spec=dict(selected)) for name in SERVICES),
        ]
    )
    assert [one["kind"] for one in made] == ["ClusterRole", *["Service"] * 2, *["EndpointSlice"] * 2]
    assert not any("selector" in one["spec"] for one in made if one["kind"] == "Service")
    endpoints = {one["metadata"]["name"]: one["ports"][0]["port"] for one in made if one["kind"] == "EndpointSlice"}
    assert endpoints == SERVICES


def test_it_is_asked_about_jobs_in_its_own_namespaces_alone() -> None:
    names = ("mjob.kb.io", "mpod.kb.io", "mdeployment.kb.io", "mworkload.kb.io", "mjobset.kb.io")
    hooks = [{"name": name, "failurePolicy": "Fail"} for name in names]
    (made,) = [one for one in adapted([manifest("MutatingWebhookConfiguration", webhooks=hooks)]) if "webhooks" in one]
    assert [hook["name"] for hook in made["webhooks"]] == ["mjob.kb.io", "mworkload.kb.io"]
    assert all(hook["namespaceSelector"] == {"matchLabels": {MANAGED: "true"}} for hook in made["webhooks"])


def test_everything_of_it_lies_in_the_state_folder_and_is_heard_on_this_machine_alone() -> None:
    kueue = part(LAYOUT, Path("/cache/kueue-1"))
    assert all(word.partition("=")[2].startswith("/state/") for word in kueue.argv[1:])
    settings = configuration(LAYOUT)
    assert settings["webhook"]["certDir"].startswith("/state/")
    bridges = [ipaddress.ip_network(f"{node.network}.0/24") for node in NODES]
    for host in (settings["webhook"]["host"], settings["visibilityServer"]["bindAddress"], kueue.answers.split(":")[0]):
        assert any(ipaddress.ip_address(host) in bridge for bridge in bridges)
    assert kueue.answers not in {other.answers for other in parts(LAYOUT)}
    assert json.loads(json.dumps(settings)) == settings
