"""Values that people wrote, as text or YAML, turned into the type that a key has, and checked against its limits.

A key's schema is a mapping with `type` ("str", "int", "float", "bool") and, as needed, `choices`, `low`, `high`
(both inclusive) and `positive`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runfolder.strict_yaml import did_you_mean

_BOOLS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false (or 1, 0)"}


def value(raw: Any, schema: Mapping[str, Any]) -> Any:
    """Raises ValueError whose text goes on after the key's name: `must be at least 1, not 0`."""
    kind = schema["type"]
    try:
        converted = _CONVERTERS[kind](raw)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(f"must be {_WORDS[kind]}, not {_shown(raw)}") from None
    _check_limits(converted, schema)
    return converted


def _check_limits(converted: Any, schema: Mapping[str, Any]) -> None:
    choices, low, high = schema.get("choices"), schema.get("low"), schema.get("high")
    if choices and converted not in choices:
        hint = did_you_mean(str(converted), map(str, choices))
        raise ValueError(f"must be one of {', '.join(map(str, choices))}, not '{converted}'{hint}")
    if not isinstance(converted, (int, float)):
        return
    if not math.isfinite(converted):
        raise ValueError(f"must be a finite number, not {converted}")
    if schema.get("positive") and converted <= 0:
        raise ValueError(f"must be above 0, not {converted}")
    if low is not None and converted < low:
        raise ValueError(f"must be at least {low}, not {converted}")
    if high is not None and converted > high:
        raise ValueError(f"must be at most {high}, not {converted}")


def _to_bool(raw: Any) -> bool:
    return _BOOLS[str(raw).strip().lower()]


def _to_int(raw: Any) -> int:
    if isinstance(raw, bool) or (isinstance(raw, float) and not raw.is_integer()):
        raise ValueError
    return int(raw)


def _to_float(raw: Any) -> float:
    if isinstance(raw, bool):
        raise ValueError
    return float(raw)


def _to_str(raw: Any) -> str:
    if isinstance(raw, (list, tuple)):
        return ", ".join(map(_to_str, raw))
    if raw is None or isinstance(raw, (Mapping, bool)):
        raise ValueError
    return str(raw)


def _shown(raw: Any) -> str:
    """Short enough for one line, whatever it is."""
    text = repr(raw)
    return text if len(text) <= 80 else f"{text[:77]}..."


_CONVERTERS = {"str": _to_str, "int": _to_int, "float": _to_float, "bool": _to_bool}
