"""Which backend a call uses, and why: the flag, the environment, then what is found on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.backends import Backend
from launcher.errors import BackendError, UsageError
from launcher.names import BACKENDS, ENV_BACKEND
from runfolder.strict_yaml import did_you_mean

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True)
class Choice:
    name: str
    why: str
    asked: bool
    """By flag or environment: nothing needs to be said about it."""


def choose(flag: str | None, environ: Mapping[str, str], home: Path) -> Choice:
    """Raises UsageError for an unknown name, BackendError for one that this version does not have."""
    for name, why in ((flag, "flag --backend"), (environ.get(ENV_BACKEND), ENV_BACKEND)):
        if name:
            return _asked(name, why)
    cluster = find_cluster(environ, home)
    if cluster:
        return Choice("local", f"{cluster}, but this version runs on this machine only", asked=False)
    return Choice("local", "no kubeconfig context and no service account found", asked=False)


def find_cluster(environ: Mapping[str, str], home: Path, token: Path = SERVICE_ACCOUNT_TOKEN) -> str:
    """What speaks for a Kubernetes cluster, as the beginning of a sentence; empty where nothing does."""
    if environ.get("KUBERNETES_SERVICE_HOST") and token.exists():
        return "a service account of a cluster is mounted"
    listed = environ.get("KUBECONFIG", "")
    files = [Path(part) for part in listed.split(os.pathsep) if part] or [home / ".kube" / "config"]
    for file in files:
        context = _current_context(file)
        if context:
            return f"{file} names the context '{context}'"
    return ""


def open_backend(name: str, storage: Path) -> Backend:
    if name == "local":
        from launcher.backends.local import LocalBackend

        return LocalBackend(storage)
    raise BackendError(f"the {name} backend is not part of this version; use --backend local")


def _asked(name: str, why: str) -> Choice:
    if name not in BACKENDS:
        raise UsageError(f"{why} must be one of {', '.join(BACKENDS)}, not '{name}'{did_you_mean(name, BACKENDS)}")
    if name == "kubernetes":
        raise BackendError(f"the kubernetes backend ({why}) is not part of this version; use --backend local")
    return Choice(name, why, asked=True)


def _current_context(file: Path) -> str:
    """Read by its one line: parsing the whole file would cost more than all the rest of a start."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^current-context:[ \t]*(['\"]?)([^'\"\s#]+)\1", text, re.MULTILINE)
    return found.group(2) if found else ""
