"""What each key of the section `kubernetes` of a spec may hold; what Kubernetes would refuse is refused here. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from launcher import kubernetes_values as syntax
from launcher import names
from launcher.profiles import Profile
from launcher.spec import DRIVER_OF_HOST, DRIVER_OF_RUNTIME, MAX_SECONDS, KubernetesSpec
from runfolder import layout, typed
from runfolder.strict_yaml import did_you_mean

_T = TypeVar("_T")

SECTION = "kubernetes"

KEYS = tuple(field.name for field in dataclasses.fields(KubernetesSpec))

MAPS = ("node_selector", "labels", "annotations")
"""Keys that hold keys of the user's own, as in `kubernetes.labels.team`."""

INFER_IMAGE = "sphereface:infer310"
"""Ours for a run with infer310 on processors: that for the cpu, and the C++ programs."""

PULL_POLICIES = ("Always", "IfNotPresent", "Never")

MAX_USER = 2**31 - 1

MAX_ANNOTATIONS = 250_000
"""Bytes of all annotations of an object, less than Kubernetes' 256 KiB so that ours have their place."""

_OF_OTHERS = (
    "kubectl.kubernetes.io/",
    "kubernetes.io/config.",
    "seccomp.security.alpha.kubernetes.io/",
    "container.apparmor.security.beta.kubernetes.io/",
    "scheduler.alpha.kubernetes.io/",
)
"""Annotations that kubectl or the kubelet writes, or that the API checks against other fields."""


def convert(rest: str, raw: Any) -> Any:
    """`raw` as the type of `kubernetes.REST`. Raises ValueError with one line that names the key."""
    key, _, own = rest.partition(".")
    full = f"{SECTION}.{rest}"
    if key not in KEYS:
        raise ValueError(f"unknown key '{full}'{did_you_mean(key, KEYS)}; it has {', '.join(KEYS)}")
    if key in MAPS:
        if not own:
            raise ValueError(f"{full} is a section of keys to texts")
        return _entry(f"{SECTION}.{key}", key, own, raw)
    if own:
        raise ValueError(f"unknown key '{full}'; {SECTION}.{key} has no keys of its own")
    if key == "tolerations":
        return _tolerations(full, raw)
    if key in _LIMITS:
        return _located(full, lambda: typed.value(raw, _LIMITS[key]))
    text = _located(full, lambda: typed.value(raw, {"type": "str"}))
    if not text and key in ("image_pull_secret", "priority_class", "queue"):
        return ""
    return _located(full, lambda: _TEXTS[key](text))


def make(values: Mapping[str, Any], own_templates: Mapping[str, str]) -> KubernetesSpec:
    """From converted values by their keys below `kubernetes.`; the key `templates` names a folder, not its texts."""
    plain: dict[str, Any] = {key: value for key, value in values.items() if key in KEYS and key != "templates"}
    maps: dict[str, Any] = {
        name: {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
        for name in MAPS
    }
    return KubernetesSpec(**plain, **maps, templates=own_templates)


def of_profile(profile: Profile, stages: Sequence[str] = ()) -> dict[str, Any]:
    """What the device's profile says of keys that a spec may leave out, for a run of these stages."""
    image = INFER_IMAGE if layout.INFER310 in stages and profile.image == KubernetesSpec.image else profile.image
    return {"image": image} | ({"shm": profile.shm} if profile.shm else {})


def _entry(full: str, name: str, key: str, raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"{full}.{key} must be text, not {syntax.shown(raw)}; put it in quotes")
    _located(full, lambda: syntax.label_key(key))
    if name == "annotations":
        if key.startswith((names.PREFIX, *_OF_OTHERS)):
            raise ValueError(f"{full}.{key} is not for users to set")
        if len(raw.encode()) > MAX_ANNOTATIONS:
            raise ValueError(f"{full}.{key} has more than {MAX_ANNOTATIONS} bytes")
        return raw
    if name == "labels" and key == names.LABEL_QUEUE:
        raise ValueError(f"{full}.{key} would hold back the runner too; name the queue by {SECTION}.queue")
    if name == "labels" and names.is_taken_label(key):
        raise ValueError(f"{full}.{key} is set by the launcher or by Kubernetes itself")
    return _located(f"{full}.{key}", lambda: syntax.label_value(raw))


def _tolerations(full: str, raw: Any) -> tuple[str, ...]:
    """From a list, or comma-separated as a flag gives it."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f'{full} must be a list of texts, as in ["gpu=yes:NoSchedule"], not {syntax.shown(raw)}')
    taints = tuple(part.strip() for part in parts if part.strip())
    for taint in taints:
        _located(full, lambda taint=taint: syntax.toleration(taint))  # type: ignore[misc]
    return tuple(dict.fromkeys(taints))


def _one_of(*words: str) -> Callable[[str], str]:
    return lambda text: str(typed.value(text, {"type": "str", "choices": words}))


def _folder(text: str) -> str:
    if not text:
        raise ValueError("must be a folder")
    return text


def _located(full: str, check: Callable[[], _T]) -> _T:
    try:
        return check()
    except ValueError as error:
        raise ValueError(f"{full} {error}") from None


_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "user": {"type": "int", "low": 1, "high": MAX_USER},
    "start_deadline_s": {"type": "float", "low": 1, "high": MAX_SECONDS},
}

_TEXTS: Mapping[str, Callable[[str], str]] = {
    "namespace": syntax.dns_label,
    "image": syntax.image,
    "image_pull_policy": _one_of(*PULL_POLICIES),
    "image_pull_secret": syntax.dns_subdomain,
    "claim": syntax.dns_subdomain,
    "cpu": lambda text: syntax.quantity(text, low="1m"),
    "memory": lambda text: syntax.quantity(text, low="16Mi"),
    "shm": lambda text: syntax.quantity(text, low="1Mi"),
    "driver": _one_of(DRIVER_OF_RUNTIME, DRIVER_OF_HOST),
    "priority_class": syntax.dns_subdomain,
    "queue": lambda text: syntax.label_value(syntax.dns_subdomain(text)),
    "templates": _folder,
}
