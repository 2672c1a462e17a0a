"""Values as Kubernetes writes them: names, labels, quantities, tolerations, images. Each is checked as its API does.

Every function raises ValueError whose text goes on after the key's name: `must be …, not 'x'`. Pure.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"

_QUANTITY = re.compile(r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?")
_BINARY = {suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {
    suffix: Decimal(1000) ** power
    for power, suffix in zip(range(-3, 7), ("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), strict=True)
}
_LARGEST = Decimal(2**63 - 1)

# The grammar of github.com/distribution/reference.
_HOST = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<name>(?:(?:{_HOST}|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?{_PATH}(?:/{_PATH})*)"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def dns_label(text: str) -> str:
    if len(text) > 63 or not re.fullmatch(_LABEL, text):
        raise ValueError(
            "must be lower-case letters, digits and '-', beginning and ending with a letter or digit, at most 63 "
            f"characters, not {shown(text)}"
        )
    return text


def dns_subdomain(text: str) -> str:
    if len(text) > 253 or not re.fullmatch(_SUBDOMAIN, text):
        raise ValueError(
            "must be lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit, "
            f"at most 253 characters, not {shown(text)}"
        )
    return text


def label_key(text: str) -> str:
    """Also the key of an annotation, a node's label or a taint, and the name of a resource."""
    prefix, slash, name = text.rpartition("/")
    whole = len(name) <= 63 and re.fullmatch(_NAME, name)
    if not whole or (slash and (len(prefix) > 253 or not re.fullmatch(_SUBDOMAIN, prefix))):
        raise ValueError(
            f"has a key that Kubernetes does not take: {shown(text)}; a key is NAME or DOMAIN/NAME, NAME of letters, "
            "digits, '-', '_' and '.', at most 63 characters"
        )
    return text


def label_value(text: str) -> str:
    if text and (len(text) > 63 or not re.fullmatch(_NAME, text)):
        raise ValueError(
            "must be letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, at most 63 "
            f"characters, not {shown(text)}"
        )
    return text


def resource_name(text: str) -> str:
    """Of devices that a node offers: `huawei.com/Ascend910`."""
    domain, _, name = text.rpartition("/")
    try:
        label_key(text)
    except ValueError:
        domain = ""
    if not domain or not name or "kubernetes.io" in domain or len(f"requests.{text}") > 253:
        raise ValueError(f"must be a device's resource, as huawei.com/Ascend910, not {shown(text)}")
    return text


def quantity(text: str, *, low: str) -> str:
    """In Kubernetes' own canonical form (`1024Mi` is `1Gi`), so that what it gives back is what was sent."""
    value = amount(text)
    if value < amount(low):
        raise ValueError(f"must be at least {low}, not {shown(text)}")
    if value > _LARGEST:
        raise ValueError(f"is more than a cluster can have: {shown(text)}")
    scales = _BINARY if text[-1:] == "i" else _DECIMAL
    units = [*scales.items(), *([("", Decimal(1))] if scales is _BINARY else [])]
    for suffix, scale in sorted(units, key=lambda unit: -unit[1]):
        if value % scale == 0:
            return f"{int(value / scale)}{suffix}"
    raise ValueError(f"is not a whole number of the smallest unit: {shown(text)}")


def amount(text: str) -> Decimal:
    """The number that a quantity stands for, rounded up to 1e-9 as Kubernetes does."""
    found = _QUANTITY.fullmatch(text)
    if found is None or len(text) > 40:
        raise ValueError(f"must be a quantity as 500m, 2, 8Gi, not {shown(text)}")
    suffix = found["suffix"] or ""
    scale = _BINARY.get(suffix) or _DECIMAL.get(suffix) or Decimal(f"1{suffix}")
    with localcontext() as context:
        context.prec = 80
        return (Decimal(found["number"]) * scale).quantize(Decimal("1e-9"), rounding=ROUND_UP)


def toleration(text: str) -> dict[str, Any]:
    """`key=value:Effect`, `key:Effect` or `key`, as `kubectl taint` writes taints, as a pod's toleration."""
    rest, colon, effect = text.partition(":")
    key, equals, value = rest.partition("=")
    if (colon and effect not in EFFECTS) or (equals and not colon):
        raise ValueError(
            f"must be key=value:EFFECT, key:EFFECT or key, EFFECT one of {', '.join(EFFECTS)}, not {shown(text)}"
        )
    made: dict[str, Any] = {"key": label_key(key), "operator": "Equal" if equals else "Exists"}
    if equals:
        made["value"] = label_value(value)
    if effect:
        made["effect"] = effect
    return made


def image(text: str) -> str:
    found = _IMAGE.fullmatch(text)
    if found is None or len(found["name"]) > 255:
        hint = "; a name is lower-case" if _IMAGE.fullmatch(text.lower()) else ""
        raise ValueError(f"must be an image as registry/name:tag or name@sha256:…, not {shown(text)}{hint}")
    return text


def shown(text: str) -> str:
    """Short enough for one line, whatever it is."""
    quoted = repr(text)
    return quoted if len(quoted) <= 80 else f"{quoted[:77]}..."
