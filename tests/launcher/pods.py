"""Pods by the Pod Security level that they meet: the same cases for our own verdict and for a real cluster's."""

from __future__ import annotations

import copy
from typing import Any

IMAGE = "registry.example/sphereface:1"

LOCKED: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "c",
            "image": IMAGE,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
"""The spec of a pod that meets every level."""


def pod(spec: dict[str, Any], annotations: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": "p", **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def locked(**changes: Any) -> dict[str, Any]:
    """A locked pod with other fields of its spec."""
    return pod({**copy.deepcopy(LOCKED), **changes})


def of_pod(**context: Any) -> dict[str, Any]:
    """With other fields of the pod's security context; None removes one."""
    return locked(securityContext=_changed(LOCKED["securityContext"], context))


def of_container(**context: Any) -> dict[str, Any]:
    """With other fields of the container's security context; None removes one."""
    return with_container(securityContext=_changed(LOCKED["containers"][0]["securityContext"], context))


def with_container(**fields: Any) -> dict[str, Any]:
    return locked(containers=[{**copy.deepcopy(LOCKED["containers"][0]), **fields}])


def _changed(context: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**context, **changes}.items() if value is not None}


BARE = pod({"containers": [{"name": "c", "image": IMAGE}]})

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "locked": (locked(), "restricted", ""),
    "bare": (BARE, "baseline", "container c: runAsNonRoot must be true"),
    "host-network": (locked(hostNetwork=True), "privileged", "hostNetwork must not be true"),
    "host-pid": (locked(hostPID=True), "privileged", "hostPID must not be true"),
    "host-ipc": (locked(hostIPC=True), "privileged", "hostIPC must not be true"),
    "privileged": (
        of_container(privileged=True, allowPrivilegeEscalation=None),
        "privileged",
        "container c: securityContext.privileged must not be true",
    ),
    "host-path": (
        locked(volumes=[{"name": "v", "hostPath": {"path": "/usr/local/Ascend/driver"}}]),
        "privileged",
        "volume v: hostPath is a path of the node",
    ),
    "nfs": (
        locked(volumes=[{"name": "v", "nfs": {"server": "a", "path": "/"}}]),
        "baseline",
        "volume v: nfs must not be its kind",
    ),
    "volumes": (
        locked(
            volumes=[
                {"name": "a", "emptyDir": {"medium": "Memory"}},
                {"name": "b", "persistentVolumeClaim": {"claimName": "x"}},
                {"name": "c", "configMap": {"name": "x"}},
                {"name": "d"},
            ]
        ),
        "restricted",
        "",
    ),
    "host-port": (
        with_container(ports=[{"containerPort": 80, "hostPort": 80}]),
        "privileged",
        "container c: ports.hostPort must not be set",
    ),
    "probe-host": (
        with_container(livenessProbe={"httpGet": {"host": "10.0.0.1", "port": 80}}),
        "privileged",
        "host must not be set in probes",
    ),
    "lifecycle-host": (
        with_container(lifecycle={"preStop": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}),
        "privileged",
        "host must not be set in probes and lifecycle handlers",
    ),
    "sys-admin": (
        of_container(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}, allowPrivilegeEscalation=None),
        "privileged",
        "capabilities.add must not have SYS_ADMIN",
    ),
    "chown": (
        of_container(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}),
        "baseline",
        "capabilities.add must not have CHOWN",
    ),
    "bind": (of_container(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}), "restricted", ""),
    "no-drop": (of_container(capabilities=None), "baseline", "capabilities.drop must have ALL"),
    "escalation": (of_container(allowPrivilegeEscalation=None), "baseline", "allowPrivilegeEscalation must be false"),
    "root": (of_pod(runAsUser=0, runAsNonRoot=True), "baseline", "the pod: runAsUser must not be 0"),
    "maybe-root": (of_pod(runAsNonRoot=None), "baseline", "runAsNonRoot must be true, here or for the pod"),
    "root-for-one": (of_container(runAsNonRoot=False), "baseline", "container c: runAsNonRoot must be true"),
    "root-for-the-pod-alone": (
        locked(
            securityContext={"runAsNonRoot": False, "seccompProfile": {"type": "RuntimeDefault"}},
            containers=of_container(runAsNonRoot=True)["spec"]["containers"],
        ),
        "baseline",
        "the pod: runAsNonRoot must not be false",
    ),
    "unconfined": (
        of_pod(seccompProfile={"type": "Unconfined"}),
        "privileged",
        "seccompProfile.type must not be Unconf",
    ),
    "no-seccomp": (of_pod(seccompProfile=None), "baseline", "seccompProfile.type must be RuntimeDefault or Localhost"),
    "apparmor": (
        of_pod(appArmorProfile={"type": "Unconfined"}),
        "privileged",
        "the pod: appArmorProfile.type must not be Unconfined",
    ),
    "selinux": (of_pod(seLinuxOptions={"type": "spc_t"}), "privileged", "seLinuxOptions.type must not be spc_t"),
    "selinux-user": (of_pod(seLinuxOptions={"user": "u"}), "privileged", "seLinuxOptions.user must not be set"),
    "selinux-known": (of_pod(seLinuxOptions={"type": "container_t"}), "restricted", ""),
    "proc-mount": (
        locked(hostUsers=False, containers=of_container(procMount="Unmasked")["spec"]["containers"]),
        "privileged",
        "procMount must not be Unmasked",
    ),
    "sysctl": (
        of_pod(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
        "privileged",
        "sysctl kernel.msgmax must not be set",
    ),
    "safe-sysctl": (of_pod(sysctls=[{"name": "net.ipv4.tcp_syncookies", "value": "1"}]), "restricted", ""),
    "init-container": (
        locked(initContainers=[{"name": "i", "image": IMAGE}]),
        "baseline",
        "container i: allowPrivilegeEscalation must be false",
    ),
}
"""By name: the pod, the level that it meets, and a part of the first reason why it meets no stricter one."""
