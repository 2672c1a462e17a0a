"""Which backend a call uses, and why: the flags, the environment, then what is found on this machine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.backends import Address, Backend, Place
from launcher.doctor import Finding
from launcher.errors import UsageError
from launcher.names import BACKENDS, CLUSTER_STORAGE, ENV_BACKEND
from launcher.plan import Plan
from runfolder.strict_yaml import did_you_mean

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

_CLUSTER_FLAGS = ("namespace", "context")


@dataclass(frozen=True)
class Choice:
    name: str
    why: str
    asked: bool
    """By flag or environment: nothing needs to be said about it."""


def choose(
    flag: str | None,
    environ: Mapping[str, str],
    home: Path,
    *,
    namespace: str | None = None,
    context: str | None = None,
) -> Choice:
    """`namespace` and `context` are flags too: who names one of them means a cluster.

    Raises UsageError for an unknown name, and for flags that contradict each other.
    """
    named = [f"flag --{key}" for key, value in zip(_CLUSTER_FLAGS, (namespace, context), strict=True) if value]
    for name, why in ((flag, "flag --backend"), (environ.get(ENV_BACKEND), ENV_BACKEND)):
        if name:
            if name not in BACKENDS:
                hint = did_you_mean(name, BACKENDS)
                raise UsageError(f"{why} must be one of {', '.join(BACKENDS)}, not '{name}'{hint}")
            if named and name != "kubernetes":
                raise UsageError(f"{named[0]} is for a cluster, but {why} says {name}; use --backend kubernetes")
            return Choice(name, why, asked=True)
    if named:
        return Choice("kubernetes", named[0], asked=True)
    cluster = find_cluster(environ, home)
    if cluster:
        return Choice("kubernetes", cluster, asked=False)
    return Choice("local", "no kubeconfig context and no service account found", asked=False)


def find_cluster(environ: Mapping[str, str], home: Path, token: Path = SERVICE_ACCOUNT_TOKEN) -> str:
    """What speaks for a Kubernetes cluster, in words; empty where nothing does. In kubectl's order."""
    listed = environ.get("KUBECONFIG", "")
    files = [Path(part) for part in listed.split(os.pathsep) if part] or [home / ".kube" / "config"]
    for file in files:
        context = _current_context(file)
        if context:
            return f"{file} names the context '{context}'"
    if environ.get("KUBERNETES_SERVICE_HOST") and token.exists():
        return "a service account of a cluster is mounted"
    return ""


def place(address: Address) -> Place:
    """What a spec takes from where its run is to be. Raises BackendError for a context that is not there."""
    if address.backend != "kubernetes":
        return Place(address.backend)
    from launcher.backends.kubernetes import credentials

    namespace, origin = address.namespace, "flag --namespace"
    if not namespace:
        namespace, origin = credentials.default_namespace(address.context)
    return Place(
        backend=address.backend,
        defaults={
            "kubernetes.namespace": (namespace, origin),
            "storage": (CLUSTER_STORAGE, "default of the kubernetes backend"),
        },
        base=Path(CLUSTER_STORAGE),
        here=False,
        sections=("kubernetes",),
    )


def open_backend(address: Address) -> Backend:
    """Raises BackendError for what is wrong with the credentials; nothing is asked of a cluster yet."""
    if address.backend == "local":
        from launcher.backends.local import LocalBackend

        return LocalBackend(address.storage)
    from launcher.backends.kubernetes.backend import KubernetesBackend
    from launcher.backends.kubernetes.credentials import load
    from launcher.backends.kubernetes.http_api import HttpApi

    return KubernetesBackend(HttpApi(load(address.context), address.namespace))


def examine(address: Address, plan: Plan) -> Iterator[Finding]:
    """What stands in the way of the run, for `launcher doctor`. Raises BackendError as `open_backend` does."""
    if address.backend == "local":
        from launcher.backends import local_doctor

        return local_doctor.examine(plan)
    from launcher.backends.kubernetes.credentials import load
    from launcher.backends.kubernetes.doctor.examine import Cluster, examine
    from launcher.backends.kubernetes.http_api import HttpApi

    credentials = load(address.context)
    api = HttpApi(credentials, plan.kubernetes.namespace if plan.kubernetes else address.namespace)
    return examine(Cluster(api, api.server, credentials.origin, api.server_time, time.time), plan)


def _current_context(file: Path) -> str:
    """Read by its one line: parsing the whole file would cost more than all the rest of a start."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    key = r"""(?:^current-context|(?:^|[{,])[ \t]*"current-context")"""  # a kubeconfig may be JSON too
    found = re.search(rf"""{key}[ \t]*:[ \t]*(['"]?)([^'"\s#,}}]+)\1""", text, re.MULTILINE)
    return found.group(2) if found else ""
