"""Values that people wrote, as text or YAML, turned into the type that a key has, and checked against its limits.

A key's schema is a mapping with `type` ("str", "int", "float", "bool") and, as needed, `choices`, `low`, `high`
(both inclusive) and `positive`; for text also `parts` (choices of each of its comma-separated parts), `required` (not
empty), `ascending` (comma-separated numbers) and `pattern` with `form`, the words for it.

Keys that need each other have `rules`, each with `when` (values of other keys: without, always) and what then holds:
`choices`, `low` or `high` for a value that is not the default, `needed` (it must not be the default; the words say
more), `unused` (it must be the default; the words say why), or `at_most` (the name of a key that it must not exceed).
"""

from __future__ import annotations

import math
import re
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


class RuleError(ValueError):
    """Keys do not fit together: one line, and the keys, that with the rule first."""

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


def check_together(values: Mapping[str, Any], schema: Mapping[str, Mapping[str, Any]], prefix: str = "") -> None:
    """Checks converted values, by key (an absent one has its default), against the rules of all keys.

    Messages put `prefix` before the name of a key. Raises RuleError.
    """
    known = {key: values.get(key, limits["default"]) for key, limits in schema.items()}
    for key, limits in schema.items():
        for rule in limits.get("rules", ()):
            when = rule.get("when", {})
            if all(known[other] in allowed for other, allowed in when.items()):
                try:
                    _check_rule(rule, known[key], limits["default"], known, prefix)
                except ValueError as error:
                    given = " and ".join(f"{prefix}{other} {_word(known[other])}" for other in when)
                    others = (*when, rule["at_most"]) if "at_most" in rule else tuple(when)
                    message = f"with {given}, {prefix}{key} {error}" if given else f"{prefix}{key} {error}"
                    raise RuleError(message, (key, *others)) from None


def _check_rule(rule: Mapping[str, Any], found: Any, default: Any, known: Mapping[str, Any], prefix: str) -> None:
    if "needed" in rule and found == default:
        raise ValueError(f"is needed, {rule['needed']}")
    if "unused" in rule and found != default:
        raise ValueError(f"must be left out: {rule['unused']}")
    if "at_most" in rule and found > known[rule["at_most"]]:
        raise ValueError(f"must be at most {prefix}{rule['at_most']}, which is {known[rule['at_most']]}, not {found}")
    if found != default:
        _check_limits(found, rule)


def _check_limits(converted: Any, schema: Mapping[str, Any]) -> None:
    choices, low, high = schema.get("choices"), schema.get("low"), schema.get("high")
    if choices and converted not in choices:
        hint = did_you_mean(converted, choices) if isinstance(converted, str) else ""
        raise ValueError(f"must be one of {', '.join(map(str, choices))}, not '{converted}'{hint}")
    if isinstance(converted, str):
        _check_text(converted, schema)
        return
    if not math.isfinite(converted):
        raise ValueError(f"must be a finite number, not {converted}")
    if schema.get("positive") and converted <= 0:
        raise ValueError(f"must be above 0, not {converted}")
    if low is not None and converted < low:
        raise ValueError(f"must be at least {low}, not {converted}")
    if high is not None and converted > high:
        raise ValueError(f"must be at most {high}, not {converted}")


def _check_text(text: str, schema: Mapping[str, Any]) -> None:
    choices = schema.get("parts", ())
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if schema.get("required") and not parts:
        raise ValueError(f"is empty; name at least one of {', '.join(choices)}")
    if schema.get("ascending"):
        _check_ascending(text, parts)
    if "pattern" in schema and not re.fullmatch(schema["pattern"], text.strip()):
        raise ValueError(f"must be {schema['form']}, not '{text}'")
    for part in parts if choices else ():
        if part not in choices:
            raise ValueError(f"must be among {', '.join(choices)}, not '{part}'{did_you_mean(part, choices)}")


def _check_ascending(text: str, parts: list[str]) -> None:
    try:
        numbers = [_to_float(part) for part in parts]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"must be numbers as in '10,16', not '{text}'")
    if numbers != sorted(numbers):
        raise ValueError(f"must ascend, not '{text}'")


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


def _word(known: Any) -> str:
    return str(known).lower() if isinstance(known, bool) else str(known)


def _shown(raw: Any) -> str:
    """Short enough for one line, whatever it is."""
    text = repr(raw)
    return text if len(text) <= 80 else f"{text[:77]}..."


_CONVERTERS = {"str": _to_str, "int": _to_int, "float": _to_float, "bool": _to_bool}
