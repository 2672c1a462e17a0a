"""The smaller things: version, namespace, Pod Security, image pull secret, clock. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from launcher import podsecurity
from launcher.doctor import Finding, error, ok, warning

OLDEST = (1, 29)
"""Since then a cluster knows without a switch what our Jobs ask of it (podReplacementPolicy, backoffLimitPerIndex)."""
CLOCK_S = 30.0

_ENFORCE = "pod-security.kubernetes.io/enforce"
_ORDER = (podsecurity.PRIVILEGED, podsecurity.BASELINE, podsecurity.RESTRICTED)
_SECRET_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")


def version(answer: Mapping[str, Any], server: str) -> Finding:
    told = str(answer.get("gitVersion", "unknown"))
    numbers = re.match(r"v?(\d+)\.(\d+)", told)
    if numbers and (int(numbers[1]), int(numbers[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return warning("server", f"{server} is Kubernetes {told}, older than {oldest}", "use a newer cluster")
    return ok("server", f"{server} answers, Kubernetes {told}")


def pod_security(namespace: Mapping[str, Any], manifests: Sequence[Mapping[str, Any]]) -> Finding:
    name = namespace["metadata"]["name"]
    level = (namespace["metadata"].get("labels") or {}).get(_ENFORCE, podsecurity.PRIVILEGED)
    verdict = podsecurity.strictest_of_all(manifests)
    if level not in _ORDER or _ORDER.index(verdict.level) < _ORDER.index(level):
        reasons = "; ".join(dict.fromkeys(finding.text for finding in verdict.findings))
        return error(
            "pod security",
            f"{name} enforces {level}, and the run's pods meet only {verdict.level}: {reasons}",
            "leave out what breaks the rules (kubernetes.templates, kubernetes.driver), or use another namespace",
        )
    enforced = f"enforces {level}" if _ENFORCE in (namespace["metadata"].get("labels") or {}) else "enforces no level"
    return ok("pod security", f"{name} {enforced}; the run's pods meet {verdict.level}")


def pull_secret(name: str, namespace: str, kind: str | None) -> Finding:
    """`kind` is the Secret's type; None: there is none of that name."""
    advice = f"kubectl create secret docker-registry {name} -n {namespace} --docker-server=…"
    if kind is None:
        return error("pull secret", f"no Secret '{name}' in {namespace}", f"create it: {advice}")
    if kind not in _SECRET_TYPES:
        return error(
            "pull secret", f"Secret {name} is of type {kind}, which the kubelet passes over", f"make it: {advice}"
        )
    return ok("pull secret", f"Secret {name} is there")


def clock(here: float, there: float | None) -> Finding:
    """Both in seconds since 1970; the server tells whole seconds."""
    if there is None:
        return warning("clock", "the cluster does not tell its time", "compare the clocks yourself")
    skew = here - there
    if abs(skew) > CLOCK_S:
        return warning(
            "clock",
            f"this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the cluster",
            "set its clock by NTP: ages and deadlines are told wrongly, and tokens are refused",
        )
    return ok("clock", f"this machine's agrees with the cluster's to within {max(math.ceil(abs(skew)), 1)} s")
