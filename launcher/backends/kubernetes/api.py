"""The one seam to a Kubernetes API server: JSON requests over a pooled connection, errors as sentences.

The typed objects of the `kubernetes` package are not used: importing it takes 0.35 s and parsing 10,000 Jobs 8 s,
which is more than a whole `launcher status` may take. `http_api` holds the connection, `api_errors` the sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from launcher.errors import ApiError

Object = dict[str, Any]
"""A Kubernetes object as the API server's JSON gives it."""

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
"""As `accept` of a list: each object without its spec, status or data."""

GONE = 410
PAGE = 500
"""Objects that one answer of a list holds, as in kubectl."""

PATHS: Mapping[str, str] = {
    "configmaps": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "resourcequotas": "/api/v1",
    "secrets": "/api/v1",
    "serviceaccounts": "/api/v1",
    "services": "/api/v1",
    "jobs": "/apis/batch/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
"""API root of each namespaced resource that we touch."""


def path_of(namespace: str, resource: str, name: str = "") -> str:
    """Of a resource in PATHS, or of one object of it."""
    return f"{PATHS[resource]}/namespaces/{namespace}/{resource}" + (f"/{name}" if name else "")


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
        """Lines of the pod's log, without line ends, as they come. A connection that breaks is a BackendError too.

        A last line without an end is left out: nobody can tell whether it is whole.
        """

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = JSON,
    ) -> Any:
        """Anything else: any path, JSON in and out."""


def pages(api: Api, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> Iterator[Object]:
    """The items of a list, PAGE of them in memory at a time.

    A list that takes so long that the server forgets it (410) begins anew; what was given already is not given again.
    """
    seen: set[str] = set()
    following = ""
    while True:
        paging = {"limit": str(PAGE), **({"continue": following} if following else {})}
        try:
            page = api.request("GET", path, query={**(query or {}), **paging}, accept=accept)
        except ApiError as error:
            if error.status == GONE and following:
                following = ""
                continue
            raise
        for item in page.get("items") or ():
            identity = item["metadata"].get("uid") or item["metadata"]["name"]
            if identity not in seen:
                seen.add(identity)
                yield item
        following = page["metadata"].get("continue", "")
        if not following:
            return
