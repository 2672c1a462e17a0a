"""Reading JSON that somebody else wrote: strict where readers differ, and nothing that exhausts this process."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from launcher.errors import UsageError, one_line

MAX_BYTES = 64 << 20
"""HCCL takes up to 1 GiB (hcclug); the largest real table, 10,000 ranks of 2.0, is below 20 MiB."""
MAX_DEPTH = 32
"""A table is 6 deep, a list of pods about 12."""


def load(data: bytes, name: str) -> Any:
    """The value of a document. Raises UsageError, one line, for what is not JSON or what no two readers read alike.

    Those are: a key given twice, NaN, numbers beyond what a float holds, text that is not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name}: larger than {MAX_BYTES >> 20} MiB; this is not a rank table")
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 text (byte {error.start}); write the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise UsageError(_too_deep(name)) from None
    except ValueError as error:
        raise UsageError(one_line(f"{name}: {error}")) from None
    if _depth(value) > MAX_DEPTH:
        raise UsageError(_too_deep(name))
    return value


def load_object(data: bytes, name: str, what: str) -> dict[str, Any]:
    """As `load`, for a document that must be one object. `what` it is goes into the message: `a rank table`."""
    value = load(data, name)
    if not isinstance(value, dict):
        raise UsageError(f"{name}: {what} is a JSON object ({{…}}), not {kind(value)}")
    return value


def kind(value: Any) -> str:
    """What JSON calls the value's type, with its article."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key '{twice}' is given twice in one object; keep one")
    return found


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON, and no rank table has such a number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
    return depth


def _too_deep(name: str) -> str:
    return f"{name}: more than {MAX_DEPTH} levels deep; this is not a rank table"
