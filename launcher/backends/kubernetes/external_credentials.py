"""Credentials that a kubeconfig only says how to get: from a program (`exec`) or an identity provider.

This is the `kubernetes` package's own code. It is imported by those alone who have such a kubeconfig: the import takes
0.35 s, which beside the start of a plugin is little.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from launcher.errors import BackendError

_EARLY = timedelta(seconds=60)
"""So long before its end a token is not used any more."""


class External:
    """Asks at once, since certificates belong to the connection; a token is asked for again when it ends."""

    def __init__(self, user: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path, origin: str) -> None:
        self._user = user
        self._cluster = cluster
        self._folder = folder
        self._origin = origin
        self._token = ""
        self._until: datetime | None = None
        self.certificate = ""
        """PEM, with `key`, where the program gave these."""
        self.key = ""
        self._ask()

    def authorization(self, fresh: bool) -> str:
        """Raises BackendError where the program or the provider gives none."""
        if fresh or (self._until is not None and datetime.now(UTC) >= self._until - _EARLY):
            self._ask()
        return self._token

    def _ask(self) -> None:
        if "exec" in self._user:
            self._ask_program()
        else:
            self._ask_provider()

    def _ask_program(self) -> None:
        from kubernetes.config.config_exception import ConfigException
        from kubernetes.config.exec_provider import ExecProvider
        from kubernetes.config.kube_config import ConfigNode

        command = self._user["exec"].get("command")
        try:
            # The program itself and not KubeConfigLoader, which logs its failure and goes on without a token.
            status = ExecProvider(
                ConfigNode("exec", {"args": [], "env": [], **_without_null(self._user["exec"])}),
                str(self._folder),
                ConfigNode("cluster", dict(self._cluster)),
            ).run()
        except FileNotFoundError:
            hint = self._user["exec"].get("installHint") or "install it, or choose another --context"
            raise BackendError(f"{self._origin} needs the program '{command}', which is not here: {hint}") from None
        except (ConfigException, OSError) as error:
            raise self._refused(f"the program '{command}'", error) from None
        self._token = f"Bearer {status['token']}" if status.get("token") else ""
        self.certificate, self.key = status.get("clientCertificateData", ""), status.get("clientKeyData", "")
        if status.get("expirationTimestamp"):
            self._until = datetime.fromisoformat(status["expirationTimestamp"])
        if not self._token and not (self.certificate and self.key):
            raise BackendError(f"{self._origin}: the program '{command}' gave neither a token nor a certificate")

    def _ask_provider(self) -> None:
        from kubernetes.client import Configuration
        from kubernetes.config.kube_config import KubeConfigLoader

        name = self._user["auth-provider"].get("name")
        one = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": self._cluster["server"]}}],
            "users": [{"name": "it", "user": dict(self._user)}],
        }
        configuration = Configuration()
        try:
            KubeConfigLoader(one, config_base_path=str(self._folder)).load_and_set(configuration)
        except Exception as error:  # whatever its network libraries raise
            raise self._refused(f"the identity provider '{name}'", error) from None
        self._token = configuration.api_key.get("BearerToken", "")
        if not self._token:
            raise BackendError(f"{self._origin}: the identity provider '{name}' gave no token; log in again")

    def _refused(self, who: str, error: Exception) -> BackendError:
        said = " ".join(str(error).split())
        return BackendError(f"{self._origin}: {who} gave no credentials: {said}; log in again")


def _without_null(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
