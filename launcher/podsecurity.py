"""Which Pod Security Standard a manifest's pod meets, and why not a stricter one. Pure.

The rules are those of Kubernetes v1.34 (kubernetes.io/docs/concepts/security/pod-security-standards), without what an
alpha gate relaxes for pods with their own user namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"

Spec = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One rule that the pod breaks."""

    level: str
    """The least strict level that forbids it."""
    text: str


@dataclass(frozen=True)
class Verdict:
    level: str
    """The strictest level whose rules the pod meets."""
    findings: tuple[Finding, ...]
    """Why it is not a stricter one."""


def level(manifest: Spec) -> Verdict:
    """Of a Pod, or of what makes pods from a template; an object of another kind meets every level."""
    pod = _pod(manifest)
    if pod is None:
        return Verdict(RESTRICTED, ())
    spec = pod["spec"]
    findings = [Finding(BASELINE, text) for check in _BASELINE for text in check(spec)]
    findings += [Finding(BASELINE, text) for text in _annotations(pod)]
    findings += [Finding(RESTRICTED, text) for check in _RESTRICTED for text in check(spec)]
    if (spec.get("os") or {}).get("name") != "windows":
        findings += [Finding(RESTRICTED, text) for check in _RESTRICTED_LINUX for text in check(spec)]
    broken = {finding.level for finding in findings}
    met = PRIVILEGED if BASELINE in broken else BASELINE if broken else RESTRICTED
    return Verdict(met, tuple(findings))


def strictest_of_all(manifests: Iterable[Spec]) -> Verdict:
    """The level that a namespace may enforce for all of them; findings name their object."""
    verdicts = [(manifest, level(manifest)) for manifest in manifests]
    order = (PRIVILEGED, BASELINE, RESTRICTED)
    least = min((verdict.level for _, verdict in verdicts), key=order.index, default=RESTRICTED)
    findings = [
        Finding(finding.level, f"{manifest['kind']}/{manifest['metadata']['name']}: {finding.text}")
        for manifest, verdict in verdicts
        for finding in verdict.findings
    ]
    return Verdict(least, tuple(findings))


def _pod(manifest: Spec) -> Spec | None:
    if manifest.get("kind") == "Pod":
        return manifest
    spec = manifest.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    template: Spec | None = spec.get("template")
    return template if template and "spec" in template else None


def _containers(spec: Spec) -> Iterator[Spec]:
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or ()


def _contexts(spec: Spec) -> Iterator[tuple[str, Spec]]:
    """Of the pod and of each container, and whose it is."""
    yield "the pod", spec.get("securityContext") or {}
    yield from _container_contexts(spec)


def _container_contexts(spec: Spec) -> Iterator[tuple[str, Spec]]:
    for container in _containers(spec):
        yield f"container {container['name']}", container.get("securityContext") or {}


def _host_namespaces(spec: Spec) -> Iterator[str]:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} must not be true"


def _privileged(spec: Spec) -> Iterator[str]:
    for whose, context in _container_contexts(spec):
        if context.get("privileged"):
            yield f"{whose}: securityContext.privileged must not be true"


def _added_capabilities(spec: Spec) -> Iterator[str]:
    for whose, context in _container_contexts(spec):
        added = set((context.get("capabilities") or {}).get("add") or ()) - _DEFAULT_CAPABILITIES
        if added:
            yield f"{whose}: capabilities.add must not have {', '.join(sorted(added))}"


def _host_paths(spec: Spec) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        if volume.get("hostPath") is not None:
            yield f"volume {volume['name']}: hostPath is a path of the node"


def _host_ports(spec: Spec) -> Iterator[str]:
    for container in _containers(spec):
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f"container {container['name']}: ports.hostPort must not be set"


def _probe_hosts(spec: Spec) -> Iterator[str]:
    for container in _containers(spec):
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [lifecycle.get(key) for key in ("postStart", "preStop")]
        actions = [(handler or {}).get(key) or {} for handler in handlers for key in ("httpGet", "tcpSocket")]
        if any(action.get("host") for action in actions):
            yield f"container {container['name']}: host must not be set in probes and lifecycle handlers"


def _apparmor(spec: Spec) -> Iterator[str]:
    for whose, context in _contexts(spec):
        profile = context.get("appArmorProfile")
        if profile is not None and profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{whose}: appArmorProfile.type must not be {profile.get('type')}"


def _annotations(pod: Spec) -> Iterator[str]:
    for key, value in ((pod.get("metadata") or {}).get("annotations") or {}).items():
        ours = key.startswith("container.apparmor.security.beta.kubernetes.io/")
        if ours and value and value != "runtime/default" and not value.startswith("localhost/"):
            yield f"annotation {key} must not be {value}"


def _selinux(spec: Spec) -> Iterator[str]:
    for whose, context in _contexts(spec):
        options = context.get("seLinuxOptions") or {}
        if options.get("type", "") not in ("", *_SELINUX_TYPES):
            yield f"{whose}: seLinuxOptions.type must not be {options['type']}"
        for key in ("user", "role"):
            if options.get(key):
                yield f"{whose}: seLinuxOptions.{key} must not be set"


def _proc_mount(spec: Spec) -> Iterator[str]:
    for whose, context in _container_contexts(spec):
        if context.get("procMount", "Default") != "Default":
            yield f"{whose}: procMount must not be {context['procMount']}"


def _seccomp(spec: Spec) -> Iterator[str]:
    for whose, context in _contexts(spec):
        profile = context.get("seccompProfile")
        if profile is not None and profile.get("type") not in _SECCOMP:
            yield f"{whose}: seccompProfile.type must not be {profile.get('type')}"


def _sysctls(spec: Spec) -> Iterator[str]:
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl["name"] not in _SAFE_SYSCTLS:
            yield f"the pod: sysctl {sysctl['name']} must not be set"


def _host_process(spec: Spec) -> Iterator[str]:
    for whose, context in _contexts(spec):
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            yield f"{whose}: windowsOptions.hostProcess must not be true"


def _volume_kinds(spec: Spec) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        # A hostPath is told by its own rule. A volume of no kind is an emptyDir.
        if kinds and not kinds & _VOLUMES and kinds != {"hostPath"}:
            yield f"volume {volume['name']}: {', '.join(sorted(kinds))} must not be its kind"


def _non_root(spec: Spec) -> Iterator[str]:
    pod = (spec.get("securityContext") or {}).get("runAsNonRoot")
    if pod is False:
        yield "the pod: runAsNonRoot must not be false"
    for whose, context in _container_contexts(spec):
        own = context.get("runAsNonRoot")
        if own is False or (own is None and pod is not True):
            yield f"{whose}: runAsNonRoot must be true, here or for the pod"


def _root_user(spec: Spec) -> Iterator[str]:
    for whose, context in _contexts(spec):
        if context.get("runAsUser") == 0:
            yield f"{whose}: runAsUser must not be 0"


def _escalation(spec: Spec) -> Iterator[str]:
    for whose, context in _container_contexts(spec):
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{whose}: allowPrivilegeEscalation must be false"


def _dropped_capabilities(spec: Spec) -> Iterator[str]:
    for whose, context in _container_contexts(spec):
        capabilities = context.get("capabilities") or {}
        if "ALL" not in (capabilities.get("drop") or ()):
            yield f"{whose}: capabilities.drop must have ALL"
        added = (set(capabilities.get("add") or ()) & _DEFAULT_CAPABILITIES) - {"NET_BIND_SERVICE"}
        if added:
            yield f"{whose}: capabilities.add must not have {', '.join(sorted(added))}"


def _seccomp_set(spec: Spec) -> Iterator[str]:
    pod = (spec.get("securityContext") or {}).get("seccompProfile")
    for whose, context in _container_contexts(spec):
        if context.get("seccompProfile") is None and (pod is None or pod.get("type") not in _SECCOMP):
            yield f"{whose}: seccompProfile.type must be {' or '.join(_SECCOMP)}, here or for the pod"


_SECCOMP = ("RuntimeDefault", "Localhost")
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_VOLUMES = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)
_DEFAULT_CAPABILITIES = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_SAFE_SYSCTLS = frozenset(
    (
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout"),
        *("net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time"),
        *("net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem"),
    )
)

_Check = Callable[[Spec], Iterator[str]]

_BASELINE: tuple[_Check, ...] = (
    *(_host_process, _host_namespaces, _privileged, _added_capabilities, _host_paths, _host_ports),
    *(_probe_hosts, _apparmor, _selinux, _proc_mount, _seccomp, _sysctls),
)
_RESTRICTED: tuple[_Check, ...] = (_volume_kinds, _non_root, _root_user)
_RESTRICTED_LINUX: tuple[_Check, ...] = (_escalation, _dropped_capabilities, _seccomp_set)
