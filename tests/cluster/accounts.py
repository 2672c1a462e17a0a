"""kubeconfigs of people who are not the cluster's administrator, or whose cluster is not there."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from launcher.backends.kubernetes.doctor.rights import Right
from tests.cluster.access import Kubectl, Namespace


def account(kubectl: Kubectl, namespace: Namespace, name: str, rights: Iterable[Right]) -> str:
    """A service account that may do just this; its token."""
    rules = [
        {
            "apiGroups": [right.group],
            "resources": [f"{right.resource}/{right.subresource}" if right.subresource else right.resource],
            "verbs": [right.verb],
        }
        for right in rights
    ]
    meta = {"name": name, "namespace": str(namespace)}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": str(namespace)}
    rbac = "rbac.authorization.k8s.io/v1"
    kubectl.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": rbac, "kind": "Role", "metadata": meta, "rules": rules},
        {"apiVersion": rbac, "kind": "RoleBinding", "metadata": meta, "roleRef": role, "subjects": [subject]},
    )
    return kubectl("-n", str(namespace), "create", "token", name).strip()


def kubeconfig_of(kubectl: Kubectl, path: Path, *, user: dict[str, Any], **cluster: Any) -> Path:
    """The cluster of `kubectl`, with another user; `cluster` are keys in place of its own (None: without)."""
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    (entry,) = config["clusters"]
    entry["cluster"] |= {key.replace("_", "-"): value for key, value in cluster.items()}
    entry["cluster"] = {key: value for key, value in entry["cluster"].items() if value is not None}
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": user}]
    path.write_text(json.dumps(config))
    return path


def expired(token: str, key: Path) -> str:
    """The token as it was yesterday, signed with the cluster's own key (ES256)."""
    head, payload, _ = token.split(".")
    claims = json.loads(_decoded(payload))
    day = 24 * 3600
    claims |= {name: claims[name] - 2 * day for name in ("exp", "iat", "nbf")}
    signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    der = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{_encoded(_raw(der))}"


def _raw(der: bytes) -> bytes:
    """The two numbers of an ECDSA signature, 32 bytes each (RFC 7518), out of their ASN.1."""
    numbers, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        numbers += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return numbers


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
