"""Texts of the parts' configuration files. Pure."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

from tests.cluster.layout import API_ADDRESS, API_PORT, DNS_SERVICE, NODES, PAUSE_IMAGE, REGISTRY, Layout, Node


def settings(layout: Layout) -> dict[Path, str]:
    """Every configuration file by its path; certificates and kubeconfigs come from `pki`."""
    files = {
        layout.state / "registry.yaml": registry(layout),
        layout.state / "Corefile": corefile(layout),
    }
    for node in NODES:
        folder = layout.node(node)
        files[folder / "containerd.toml"] = containerd(layout, node)
        files[folder / "kubelet.yaml"] = kubelet(layout, node)
        files[folder / "cni" / "10-pods.conflist"] = network(layout, node)
    return files


def registry(layout: Layout) -> str:
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(layout.registry)}, "delete": {"enabled": True}},
            "http": {"addr": REGISTRY, "secret": "of this machine alone"},
        }
    )


def corefile(layout: Layout) -> str:
    return f"""\
.:53 {{
  bind {API_ADDRESS}
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local {{
    kubeconfig {layout.kubeconfig_of("coredns")}
  }}
  cache 5
}}
"""


def containerd(layout: Layout, node: Node) -> str:
    folder = layout.node(node)
    return f"""\
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "{layout.containerd_socket(node)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true  # machines without CAP_SYS_RESOURCE
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{folder}/runc"
"""


def kubelet(layout: Layout, node: Node) -> str:
    folder = layout.node(node)
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.address,
            "healthzPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{layout.cgroup(node)}",
            "failSwapOn": False,
            "failCgroupV1": False,
            "featureGates": {"KubeletInUserNamespace": True},  # machines without CAP_SYS_RESOURCE
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket(node)}",
            "podLogsDir": f"{folder}/podlogs",
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "resolvConf": "",  # pods ask CoreDNS alone
            "maxPods": 110,
            "nodeStatusUpdateFrequency": "4s",
            "nodeLeaseDurationSeconds": 12,
            # Small logs, looked at as often as the kubelet allows: tests see rotation within seconds.
            "containerLogMaxSize": "128Ki",
            "containerLogMaxFiles": 3,
            "containerLogMonitorInterval": "3s",
            # The machine's disk is not ours to judge.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            "serializeImagePulls": False,
        },
        indent=1,
    )


def network(layout: Layout, node: Node) -> str:
    """CNI list; its name marks what CNI itself writes outside the state folder."""
    bridge = {
        "type": "bridge",
        "bridge": node.bridge,
        "isGateway": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.node(node) / "cni-ipam"),
            "ranges": [
                [{"subnet": f"{node.network}.0/24", "rangeStart": f"{node.network}.10", "gateway": node.address}]
            ],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    plugins = [bridge, {"type": "loopback"}]
    return json.dumps({"cniVersion": "1.0.0", "name": layout.cgroup(node), "plugins": plugins})


def kubeconfig(ca: bytes, certificate: bytes, key: bytes) -> str:
    """Certificates are held inside: the file works wherever it is copied."""
    cluster = {"server": f"https://{API_ADDRESS}:{API_PORT}", "certificate-authority-data": b64encode(ca).decode()}
    user = {
        "client-certificate-data": b64encode(certificate).decode(),
        "client-key-data": b64encode(key).decode(),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test-cluster", "cluster": cluster}],
            "users": [{"name": "test-cluster", "user": user}],
            "contexts": [{"name": "test-cluster", "context": {"cluster": "test-cluster", "user": "test-cluster"}}],
            "current-context": "test-cluster",
        },
        indent=1,
    )
