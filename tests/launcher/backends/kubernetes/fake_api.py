"""An API server in a dictionary: objects are created, patched, found by label and collected with their owner."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from launcher.backends.kubernetes.api import PATHS, Object
from launcher.errors import ApiError

KINDS = {
    "configmaps": ("v1", "ConfigMap"),
    "events": ("v1", "Event"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "pods": ("v1", "Pod"),
    "resourcequotas": ("v1", "ResourceQuota"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "jobs": ("batch/v1", "Job"),
    "roles": ("rbac.authorization.k8s.io/v1", "Role"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
}


class FakeApi:
    """One namespace. `objects` may be read and changed by a test at any time; what is given out is a copy."""

    def __init__(self, namespace: str = "lab") -> None:
        self.namespace = namespace
        self.objects: dict[tuple[str, str], Object] = {}
        """By (resource, name)."""
        self.logs: dict[str, list[str]] = {}
        """Lines of each pod's log."""
        self.answers: dict[tuple[str, str], Any] = {}
        """By (method, path): what `request` answers beyond the objects (a callable is called with the body)."""
        self.calls: list[tuple[str, str, str]] = []
        """(verb, resource, name) of each call, oldest first; `list` has the label selector as its name."""
        self._failures: list[tuple[str, str, Exception, int]] = []
        self._numbers = itertools.count(1)

    def fail(self, verb: str, resource: str, error: Exception, times: int = 1) -> None:
        """The next so many calls of that verb (get, list, create, patch, delete, log, request) raise `error`."""
        self._failures.append((verb, resource, error, times))

    def put(self, resource: str, body: Object) -> Object:
        """Creates or replaces, as the cluster's own controllers do (status included)."""
        name = body["metadata"]["name"]
        number = next(self._numbers)
        old = self.objects.get((resource, name), {}).get("metadata", {})
        api_version, kind = KINDS[resource]
        made = {"apiVersion": api_version, "kind": kind, **copy.deepcopy(body)}
        made["metadata"] = {
            "namespace": self.namespace,
            "uid": old.get("uid", f"uid-{number}"),
            "creationTimestamp": old.get("creationTimestamp", "2026-01-01T00:00:00Z"),
            **made["metadata"],
            "resourceVersion": str(number),
        }
        self.objects[(resource, name)] = made
        return copy.deepcopy(made)

    # The methods of `Api`.

    def get(self, resource: str, name: str) -> Object:
        self._called("get", resource, name)
        return copy.deepcopy(self._known(resource, name))

    def list(self, resource: str, *, labels: str = "", fields: str = "") -> Iterator[Object]:
        self._called("list", resource, labels)
        yield from [
            copy.deepcopy(value)
            for (kind, _), value in self.objects.items()
            if kind == resource and _matches_labels(value, labels) and _matches_fields(value, fields)
        ]

    def create(self, resource: str, body: Object) -> Object:
        name = body["metadata"]["name"]
        self._called("create", resource, name)
        if (resource, name) in self.objects:
            raise ApiError(f'{resource} "{name}" already exists', 409, "AlreadyExists")
        return self.put(resource, body)

    def patch(self, resource: str, name: str, body: Object) -> Object:
        self._called("patch", resource, name)
        known = self._known(resource, name)
        if known.get("immutable") and {"data", "binaryData", "immutable"} & body.keys():
            raise ApiError(f'{resource} "{name}" is invalid: data: field is immutable', 422, "Invalid")
        return self.put(resource, merge(known, body))

    def delete(self, resource: str, name: str, *, propagation: str = "Background") -> None:
        self._called("delete", resource, name)
        gone = self.objects.pop((resource, name), None)
        if gone is None or propagation == "Orphan":
            return
        uid = gone["metadata"]["uid"]
        for kind, owned in [
            key
            for key, value in self.objects.items()
            if any(owner.get("uid") == uid for owner in value["metadata"].get("ownerReferences", ()))
        ]:
            self.delete(kind, owned)

    def log(self, pod: str, query: Mapping[str, str]) -> Iterator[str]:
        self._called("log", "pods", pod)
        self._known("pods", pod)
        lines = list(self.logs.get(pod, []))
        if "tailLines" in query:
            lines = lines[-int(query["tailLines"]) :] if int(query["tailLines"]) else []
        yield from lines

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = "application/json",
    ) -> Any:
        self._called("request", path, method)
        if (method, path) in self.answers:
            answer = self.answers[(method, path)]
            return answer(body) if callable(answer) else copy.deepcopy(answer)
        for resource, root in PATHS.items():
            if path.startswith(f"{root}/namespaces/{self.namespace}/{resource}"):
                name = path.removeprefix(f"{root}/namespaces/{self.namespace}/{resource}").lstrip("/")
                return self._resource(method, resource, name, query or {}, body)
        raise ApiError("the server could not find the requested resource", 404, "NotFound")

    def _resource(self, method: str, resource: str, name: str, query: Mapping[str, str], body: Any) -> Any:
        if method == "GET" and not name:
            items = list(
                self.list(resource, labels=query.get("labelSelector", ""), fields=query.get("fieldSelector", ""))
            )
            return {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}
        if method == "GET":
            return self.get(resource, name)
        if method == "POST":
            return self.create(resource, body)
        if method == "PATCH":
            return self.patch(resource, name, body)
        if method == "DELETE":
            return self.delete(resource, name)
        raise ApiError(f"{method} is not supported", 405, "MethodNotAllowed")

    def _known(self, resource: str, name: str) -> Object:
        if (resource, name) not in self.objects:
            raise ApiError(f'{resource} "{name}" not found', 404, "NotFound")
        return self.objects[(resource, name)]

    def _called(self, verb: str, resource: str, name: str) -> None:
        self.calls.append((verb, resource, name))
        for place, (wanted, kind, error, times) in enumerate(self._failures):
            if (wanted, kind) == (verb, resource):
                if times > 1:
                    self._failures[place] = (wanted, kind, error, times - 1)
                else:
                    del self._failures[place]
                raise error


def merge(old: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _matches_labels(value: Object, selector: str) -> bool:
    """Equality (`a=b`, `a!=b`) and existence (`a`), comma-separated."""
    have = value["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        key, sign, wanted = term.partition("=")
        if sign and key.endswith("!"):
            if have.get(key[:-1]) == wanted:
                return False
        elif key not in have or (sign and have[key] != wanted):
            return False
    return True


def _matches_fields(value: Object, selector: str) -> bool:
    for term in filter(None, selector.split(",")):
        path, _, wanted = term.partition("=")
        found: Any = value
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if (found or "") != wanted:
            return False
    return True
