"""The one seam to a Kubernetes API server: JSON requests over a pooled connection, errors as sentences.

The typed objects of the `kubernetes` package are not used: importing it takes 0.35 s and parsing 10,000 Jobs 8 s,
which is more than a whole `launcher status` may take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

Object = dict[str, Any]
"""A Kubernetes object as the API server's JSON gives it."""

MERGE_PATCH = "application/merge-patch+json"

PATHS: Mapping[str, str] = {
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "resourcequotas": "/api/v1",
    "secrets": "/api/v1",
    "serviceaccounts": "/api/v1",
    "jobs": "/apis/batch/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
"""API root of each namespaced resource that we touch."""


class Api(Protocol):
    """One namespace of one cluster. Every call raises ApiError for an answer other than success (status 404, 409, 403,
    …) and BackendError where no answer comes."""

    namespace: str

    def get(self, resource: str, name: str) -> Object: ...

    def list(self, resource: str, *, labels: str = "", fields: str = "") -> Iterator[Object]:
        """All objects, page by page (a list that expires on the way begins anew)."""

    def create(self, resource: str, body: Object) -> Object:
        """With `fieldValidation=Strict`, as every write."""

    def patch(self, resource: str, name: str, body: Object) -> Object:
        """A merge patch."""

    def delete(self, resource: str, name: str, *, propagation: str = "Background") -> None:
        """Of what is not there: nothing."""

    def log(self, pod: str, query: Mapping[str, str]) -> Iterator[str]:
        """Lines of the pod's log, without line ends, as they come; ends when the connection does, whatever ended it."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
    ) -> Any:
        """Anything else: any path, JSON in and out."""
