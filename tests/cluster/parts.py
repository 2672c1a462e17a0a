"""Command lines of the cluster's parts, in the order in which they start. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.layout import API_ADDRESS, API_PORT, ETCD_PORT, NODES, PODS, REGISTRY, SERVICES, Layout, Node


@dataclass(frozen=True)
class Part:
    """One process: `answers` is the address (host:port or socket file) that takes connections once it runs."""

    name: str
    argv: tuple[str, ...]
    answers: str


def parts(layout: Layout) -> list[Part]:
    """All parts; what talks to the API server comes after it."""
    return [
        Part("registry", ("docker-registry", "serve", str(layout.state / "registry.yaml")), REGISTRY),
        etcd(layout),
        *(containerd(layout, node) for node in NODES),
        apiserver(layout),
        controller_manager(layout),
        scheduler(layout),
        *(kubelet(layout, node) for node in NODES),
        proxy(layout),
        Part("coredns", kube(layout, "coredns", conf=layout.state / "Corefile"), f"{API_ADDRESS}:53"),
    ]


def kube(layout: Layout, part: str, **flags: object) -> tuple[str, ...]:
    """`kube PART --flag=value …`; underscores become dashes."""
    dashes = "-" if part == "coredns" else "--"
    return (str(layout.kube), part, *(f"{dashes}{name.replace('_', '-')}={value}" for name, value in flags.items()))


def etcd(layout: Layout) -> Part:
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PORT + 10}"
    argv = kube(
        layout,
        "etcd",
        data_dir=layout.state / "etcd",
        listen_client_urls=client,
        advertise_client_urls=client,
        listen_peer_urls=peer,
        initial_advertise_peer_urls=peer,
        initial_cluster=f"default={peer}",
        unsafe_no_fsync="true",  # survives a killed process, not a power cut
    )
    return Part("etcd", argv, f"127.0.0.1:{ETCD_PORT}")


def containerd(layout: Layout, node: Node) -> Part:
    argv = ("containerd", "--config", str(layout.node(node) / "containerd.toml"))
    return Part(f"containerd-{node.name}", argv, str(layout.containerd_socket(node)))


def apiserver(layout: Layout) -> Part:
    pki = layout.pki
    argv = kube(
        layout,
        "kube-apiserver",
        etcd_servers=f"http://127.0.0.1:{ETCD_PORT}",
        bind_address=API_ADDRESS,
        secure_port=API_PORT,
        advertise_address=API_ADDRESS,
        tls_cert_file=pki / "apiserver.crt",
        tls_private_key_file=pki / "apiserver.key",
        client_ca_file=pki / "ca.crt",
        kubelet_client_certificate=pki / "kubelet-client.crt",
        kubelet_client_key=pki / "kubelet-client.key",
        kubelet_preferred_address_types="InternalIP",
        service_account_issuer="https://kubernetes.default.svc",
        service_account_signing_key_file=pki / "sa.key",
        service_account_key_file=pki / "sa.key",
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        service_cluster_ip_range=SERVICES,
        allow_privileged="true",
        # The aggregation layer: API servers that run as pods trust requests signed by the front proxy.
        requestheader_client_ca_file=pki / "front-proxy-ca.crt",
        requestheader_allowed_names="front-proxy-client",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        proxy_client_cert_file=pki / "front-proxy-client.crt",
        proxy_client_key_file=pki / "front-proxy-client.key",
        # A lost node's pods are given up after 10 s instead of 300 s.
        default_not_ready_toleration_seconds=10,
        default_unreachable_toleration_seconds=10,
    )
    return Part("apiserver", argv, f"{API_ADDRESS}:{API_PORT}")


def controller_manager(layout: Layout) -> Part:
    argv = kube(
        layout,
        "kube-controller-manager",
        **as_user(layout, "controller-manager"),
        root_ca_file=layout.pki / "ca.crt",
        service_account_private_key_file=layout.pki / "sa.key",
        use_service_account_credentials="true",
        node_monitor_grace_period="16s",  # stock: 50s
        node_monitor_period="2s",
        pvclaimbinder_sync_period="2s",  # stock: 15s; a claim made in the same breath as its volume waits for it
        # Stock: 20 and 30. Ten thousand Jobs that a benchmark makes would hold up all others for eight minutes.
        kube_api_qps=300,
        kube_api_burst=300,
    )
    return Part("controller-manager", argv, "127.0.0.1:10257")


def scheduler(layout: Layout) -> Part:
    return Part("scheduler", kube(layout, "kube-scheduler", **as_user(layout, "scheduler")), "127.0.0.1:10259")


def as_user(layout: Layout, user: str) -> dict[str, object]:
    """Flags that the scheduler and the controller manager share."""
    kubeconfig = layout.kubeconfig_of(user)
    return {
        "kubeconfig": kubeconfig,
        "authentication_kubeconfig": kubeconfig,
        "authorization_kubeconfig": kubeconfig,
        "leader_elect": "false",
        "bind_address": "127.0.0.1",
        "cert_dir": layout.state / f"{user}-pki",
    }


def kubelet(layout: Layout, node: Node) -> Part:
    folder = layout.node(node)
    argv = kube(
        layout,
        "kubelet",
        kubeconfig=layout.kubeconfig_of(node.name),
        config=folder / "kubelet.yaml",
        root_dir=folder / "kubelet",
        cert_dir=folder / "kubelet-pki",
        hostname_override=node.name,
        node_ip=node.address,
        node_labels="accelerator=huawei-Ascend910,accelerator-type=module,host-arch=huawei-x86",
    )
    return Part(f"kubelet-{node.name}", argv, f"{node.address}:10250")


def proxy(layout: Layout) -> Part:
    argv = kube(
        layout,
        "kube-proxy",
        kubeconfig=layout.kubeconfig_of("proxy"),
        proxy_mode="iptables",
        hostname_override=NODES[0].name,
        cluster_cidr=PODS,
        iptables_localhost_nodeports="false",
        masquerade_all="true",  # two pods on one bridge reach each other through a Service
        conntrack_max_per_core=0,
        conntrack_min=0,
        conntrack_tcp_timeout_established="0s",
        conntrack_tcp_timeout_close_wait="0s",
        healthz_bind_address="127.0.0.1:10256",
        metrics_bind_address="127.0.0.1:10249",
    )
    return Part("proxy", argv, "127.0.0.1:10256")
