"""Configuration files of the parts."""

from __future__ import annotations

import json
import tomllib
from base64 import b64decode
from pathlib import Path

from tests.cluster.layout import NODES, PAUSE_IMAGE, Layout
from tests.cluster.settings import containerd, kubeconfig, kubelet, network, registry, settings

LAYOUT = Layout(Path("/state"), Path("/cache"), Path("/cache/kube-1"))


def test_every_file_lies_in_the_state_folder() -> None:
    files = settings(LAYOUT)
    assert len(files) == 2 + 3 * len(NODES)
    assert all(path.is_relative_to("/state") for path in files)


def test_two_nodes_share_nothing() -> None:
    kubelets = [json.loads(kubelet(LAYOUT, node)) for node in NODES]
    for key in ("address", "cgroupRoot", "containerRuntimeEndpoint", "podLogsDir"):
        assert len({config[key] for config in kubelets}) == len(NODES)
    runtimes = [tomllib.loads(containerd(LAYOUT, node)) for node in NODES]
    assert len({config["root"] for config in runtimes} | {config["state"] for config in runtimes}) == 2 * len(NODES)
    subnets = {json.dumps(json.loads(network(LAYOUT, node))["plugins"][0]["ipam"]["ranges"]) for node in NODES}
    assert len(subnets) == len(NODES)


def test_a_node_pulls_its_pause_image_from_the_local_registry_and_is_bound_to_its_bridge() -> None:
    cri = tomllib.loads(containerd(LAYOUT, NODES[0]))["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"] == PAUSE_IMAGE
    assert cri["stream_server_address"] == "127.0.0.1"
    assert json.loads(kubelet(LAYOUT, NODES[1]))["address"] == NODES[1].address


def test_the_registry_keeps_images_in_the_cache() -> None:
    config = json.loads(registry(LAYOUT))
    assert config["storage"]["filesystem"]["rootdirectory"] == "/cache/registry"
    assert config["http"]["addr"].startswith("127.0.0.1:")


def test_a_kubeconfig_holds_its_certificates() -> None:
    config = json.loads(kubeconfig(b"ca", b"certificate", b"key"))
    user = config["users"][0]["user"]
    assert b64decode(user["client-certificate-data"]) == b"certificate"
    assert b64decode(user["client-key-data"]) == b"key"
    assert b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == b"ca"
