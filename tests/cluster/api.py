"""The few requests that booting needs of the API server."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
from typing import Any

from tests.cluster.layout import API_ADDRESS, API_PORT, Layout


class Api:
    """Requests as the cluster's administrator; one connection each."""

    def __init__(self, layout: Layout) -> None:
        self.tls = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self.tls.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")

    def request(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and decoded answer. OSError: nobody answers."""
        with contextlib.closing(
            http.client.HTTPSConnection(API_ADDRESS, API_PORT, context=self.tls, timeout=10)
        ) as connection:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {"Content-Type": kind})
            response = connection.getresponse()
            text = response.read().decode()
        with contextlib.suppress(ValueError):
            return response.status, json.loads(text)
        return response.status, text

    def ready(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply. SystemExit: refused."""
        target = f"{path}/{manifest['metadata']['name']}?fieldManager=test-cluster&force=true"
        self.expect("PATCH", target, manifest, "application/apply-patch+yaml")

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        """Merge patch. SystemExit: refused."""
        self.expect("PATCH", path, patch, "application/merge-patch+json")

    def expect(self, method: str, path: str, body: object, kind: str) -> None:
        status, answer = self.request(method, path, body, kind)
        if status not in (200, 201):
            message = answer.get("message", answer) if isinstance(answer, dict) else answer
            raise SystemExit(f"error: {method} {path}: the API server answered {status}: {message}")

    def node(self, name: str) -> dict[str, Any] | None:
        """A node's object, None where it has not registered."""
        status, answer = self.request("GET", f"/api/v1/nodes/{name}")
        return answer if status == 200 else None
