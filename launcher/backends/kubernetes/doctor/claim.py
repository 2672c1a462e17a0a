"""Whether the run's PersistentVolumeClaim is there and can be shared by pods on several nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launcher.doctor import Finding, error, ok, warning

CHECK = "storage"

_SHARED = "ReadWriteMany"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def judge(
    name: str, namespace: str, claim: Mapping[str, Any] | None, classes: Sequence[Mapping[str, Any]] | None
) -> Finding:
    """`claim` None: there is none. `classes` None: they could not be read."""
    if claim is None:
        return error(
            CHECK,
            f"no claim '{name}' in {namespace}",
            f"create a PersistentVolumeClaim with access mode {_SHARED}{_choose(classes)}, or name another one "
            "(kubernetes.claim)",
        )
    phase, modes = claim.get("status", {}).get("phase", ""), claim["spec"].get("accessModes", [])
    if claim["metadata"].get("deletionTimestamp"):
        return error(CHECK, f"claim {name} is being deleted", "wait until it is gone, then create it anew")
    if phase == "Lost":
        return error(CHECK, f"claim {name} has lost its volume", "create it anew; what it held is gone")
    if _SHARED not in modes:
        return _not_shared(name, modes)
    if phase != "Bound":
        return _unbound(name, claim, classes)
    size = claim.get("status", {}).get("capacity", {}).get("storage", "")
    return ok(CHECK, f"claim {name} is bound, {_SHARED}{f', {size}' if size else ''}")


def _not_shared(name: str, modes: Sequence[str]) -> Finding:
    text = f"claim {name} is {', '.join(modes)}, not {_SHARED}"
    advice = f"use a claim of a storage class that knows {_SHARED} (NFS, CephFS, a parallel file system)"
    if modes == ["ReadWriteOnce"]:
        return warning(CHECK, f"{text}: only pods on one node can have it at a time", advice)
    return error(CHECK, text, advice)


def _unbound(name: str, claim: Mapping[str, Any], classes: Sequence[Mapping[str, Any]] | None) -> Finding:
    wanted = claim["spec"].get("storageClassName")
    known = {one["metadata"]["name"]: one for one in classes or ()}
    if wanted and classes is not None and wanted not in known:
        return error(
            CHECK,
            f"claim {name} is not bound: there is no storage class '{wanted}'",
            f"create it anew{_choose(classes)}",
        )
    if wanted and known.get(wanted, {}).get("volumeBindingMode") == "WaitForFirstConsumer":
        return ok(CHECK, f"claim {name} is bound as soon as the first pod uses it (class {wanted})")
    why = f"class {wanted} has made no volume yet" if wanted else "no volume fits it, and it names no storage class"
    return error(CHECK, f"claim {name} is not bound: {why}", f"see `kubectl describe pvc {name}`")


def _choose(classes: Sequence[Mapping[str, Any]] | None) -> str:
    if not classes:
        return ""
    names = [
        one["metadata"]["name"]
        + (" (default)" if (one["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true" else "")
        for one in classes
    ]
    return f" in one of the storage classes {', '.join(names)}"
