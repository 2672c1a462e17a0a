"""Who calls which cluster: from kubeconfig files as kubectl reads them, or the service account of this pod.

`kubernetes.config` would read them too, but importing it takes 0.35 s, for the whole generated client comes along, and
of two files it takes the last `current-context` where kubectl takes the first. So only what it alone can do is left to
it (`external_credentials`): asking another program or an identity provider for a token.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher.errors import BackendError
from runfolder.strict_yaml import did_you_mean

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True)
class Credentials:
    """What a connection needs. Nothing of it is ever printed but `server`, `namespace` and `origin`."""

    server: str
    """As `https://10.0.0.1:6443`, with a path where it has one."""
    namespace: str
    origin: str
    """Where they come from, in words: `context 'lab' of /home/me/.kube/config`."""
    authorization: Callable[[bool], str] = field(default=lambda _fresh: "", repr=False)
    """Value of the header Authorization, or "". With True: a new one, because the last was refused."""
    ca: str = field(default="", repr=False)
    """PEM; empty: the authorities that this machine trusts."""
    insecure: bool = False
    certificate: str = field(default="", repr=False)
    """PEM, with `key`: who we are, where that is not said by a token."""
    key: str = field(default="", repr=False)
    server_name: str = ""
    """The name in the server's certificate, where it is not the server's own."""
    proxy: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Entry:
    """A named part of a kubeconfig, and its file: relative paths in it are relative to that."""

    value: Mapping[str, Any]
    file: Path

    def text(self, key: str) -> str:
        return str(self.value.get(key) or "")

    def content(self, key: str) -> str:
        """Of `KEY-data` (base64), or of the file that `KEY` names; empty without both."""
        data, name = self.text(f"{key}-data"), self.text(key)
        if data:
            try:
                return base64.b64decode(data, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise BackendError(f"{self.file}: {key}-data is not base64 of a PEM text; mend the file") from None
        return self.read(key, name) if name else ""

    def read(self, key: str, name: str) -> str:
        try:
            return (self.file.parent / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not a text"
            raise BackendError(f"{self.file}: {key} names {name}, which cannot be read: {why}") from None


@dataclass(frozen=True)
class Kubeconfig:
    """All kubeconfig files as one: of two that say the same thing, the first is right."""

    files: tuple[Path, ...]
    current: str
    contexts: Mapping[str, _Entry]
    clusters: Mapping[str, _Entry]
    users: Mapping[str, _Entry]

    @property
    def shown(self) -> str:
        return ", ".join(str(file) for file in self.files)


def load(
    context: str = "",
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Credentials:
    """Of the context, or the current one; without a kubeconfig those of the pod that this runs in.

    Raises BackendError in one sentence for what is missing or cannot be read.
    """
    config = read_kubeconfig(environ, home or Path.home())
    if context or config.current:
        return _of_context(config, context or config.current, environ)
    if in_a_pod(environ, service_account):
        return of_service_account(environ, service_account)
    known = f"choose one with --context: {', '.join(config.contexts)}" if config.contexts else "set KUBECONFIG"
    raise BackendError(f"no cluster is known: {config.shown} has no current context; {known}, or use --backend local")


def default_namespace(
    context: str = "",
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> tuple[str, str]:
    """Where a run goes that names no namespace, and the origin of that; nothing but the namespace is looked at.

    Raises BackendError for a context that is not there.
    """
    config = read_kubeconfig(environ, home or Path.home())
    name = context or config.current
    if name:
        entry = _context(config, name)
        return entry.text("namespace") or DEFAULT_NAMESPACE, f"context {name}"
    if in_a_pod(environ, service_account):
        return _read_if_there(service_account / "namespace") or DEFAULT_NAMESPACE, "service account of this pod"
    return DEFAULT_NAMESPACE, "default"


def kubeconfig_files(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    listed = environ.get("KUBECONFIG", "")
    return tuple(Path(part) for part in listed.split(os.pathsep) if part) or (home / ".kube" / "config",)


def in_a_pod(environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT) -> bool:
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").exists()


def of_service_account(environ: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> Credentials:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT") or "443"
    namespace = _read_if_there(folder / "namespace") or DEFAULT_NAMESPACE
    return Credentials(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace,
        origin="the service account of this pod",
        authorization=_TokenFile(folder / "token"),
        ca=_read_if_there(folder / "ca.crt"),
        proxy=environment_proxy(f"https://{host}", environ),
    )


def read_kubeconfig(environ: Mapping[str, str], home: Path) -> Kubeconfig:
    """Files that are not there are passed over, as kubectl does. Raises BackendError for one that cannot be read."""
    files = kubeconfig_files(environ, home)
    current = ""
    parts: dict[str, dict[str, _Entry]] = {"context": {}, "cluster": {}, "user": {}}
    for file in files:
        document = _read_file(file)
        current = current or str(document.get("current-context") or "")
        for kind, known in parts.items():
            for entry in document.get(f"{kind}s") or ():
                known.setdefault(str(entry.get("name")), _Entry(entry.get(kind) or {}, file))
    return Kubeconfig(files, current, parts["context"], parts["cluster"], parts["user"])


def environment_proxy(server: str, environ: Mapping[str, str]) -> str:
    """The proxy that HTTPS_PROXY names, but for hosts of NO_PROXY and for this machine itself."""
    proxy = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""
    if not proxy or not server.startswith("https:"):
        return ""
    import ipaddress
    from urllib.parse import urlsplit

    host = urlsplit(server).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address and address.is_loopback):
        return ""
    for part in (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(","):
        rule = part.strip().lower()
        if rule == "*" or (rule and (host == rule or host.endswith("." + rule.lstrip(".")))):
            return ""
        try:
            if address and "/" in rule and address in ipaddress.ip_network(rule, strict=False):
                return ""
        except ValueError:
            continue
    return proxy


class _TokenFile:
    """A token that somebody renews: read for each call, which costs nothing beside the call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, _fresh: bool) -> str:
        try:
            return f"Bearer {self._path.read_text().strip()}"
        except OSError as error:
            raise BackendError(f"the token {self._path} cannot be read: {error.strerror}") from None


def _context(config: Kubeconfig, name: str) -> _Entry:
    found = config.contexts.get(name)
    if found is None:
        has = f"it has {', '.join(config.contexts)}" if config.contexts else "it has none"
        near = did_you_mean(name, config.contexts)
        raise BackendError(f'context "{name}" does not exist in {config.shown}; {has}{near}')
    return found


def _of_context(config: Kubeconfig, name: str, environ: Mapping[str, str]) -> Credentials:
    context = _context(config, name)
    cluster = config.clusters.get(context.text("cluster"))
    if cluster is None or not cluster.text("server"):
        raise BackendError(
            f"context \"{name}\" of {context.file} is for the cluster '{context.text('cluster')}', "
            "which has no server there; mend the file, or choose another --context"
        )
    user = config.users.get(context.text("user"), _Entry({}, context.file))
    authorization, certificate, key = _identity(user, cluster, config, name)
    server = cluster.text("server").rstrip("/")
    return Credentials(
        server=server if "://" in server else f"https://{server}",
        namespace=context.text("namespace") or DEFAULT_NAMESPACE,
        origin=f"context '{name}' of {context.file}",
        authorization=authorization,
        ca=cluster.content("certificate-authority"),
        insecure=bool(cluster.value.get("insecure-skip-tls-verify")),
        certificate=certificate,
        key=key,
        server_name=cluster.text("tls-server-name"),
        proxy=cluster.text("proxy-url") or environment_proxy(server, environ),
        headers={"Impersonate-User": user.text("as")} if user.text("as") else {},
    )


def _identity(
    user: _Entry, cluster: _Entry, config: Kubeconfig, context: str
) -> tuple[Callable[[bool], str], str, str]:
    """Authorization, certificate and key."""
    certificate, key = user.content("client-certificate"), user.content("client-key")
    if user.text("tokenFile"):
        return _TokenFile(user.file.parent / user.text("tokenFile")), certificate, key
    if user.text("token"):
        return _constant(f"Bearer {user.text('token')}"), certificate, key
    if user.text("username"):
        pair = base64.b64encode(f"{user.text('username')}:{user.text('password')}".encode()).decode()
        return _constant(f"Basic {pair}"), certificate, key
    if "exec" in user.value or "auth-provider" in user.value:
        from launcher.backends.kubernetes.external_credentials import External

        external = External(user.value, cluster.value, user.file.parent, f"context '{context}' of {config.shown}")
        return external.authorization, external.certificate or certificate, external.key or key
    return _constant(""), certificate, key


def _constant(header: str) -> Callable[[bool], str]:
    return lambda _fresh: header


def _read_file(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        # The C parser: a kubeconfig of many clusters takes Python's own longer than the call that needs it.
        document = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise BackendError(f"{file}: cannot read the kubeconfig: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BackendError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    lists = [document.get(f"{kind}s") or [] for kind in ("context", "cluster", "user")] if _is_map(document) else [None]
    if not all(isinstance(part, list) and all(map(_is_map, part)) for part in lists):
        raise BackendError(f"{file}: not a kubeconfig: lists contexts, clusters and users are expected")
    return document


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _read_if_there(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
