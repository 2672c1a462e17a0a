"""Forms that output takes: kubectl's tables, JSON and YAML with `"schema": 1`, and a run as plain data."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from launcher import status
from launcher.status import RunStatus

SCHEMA = 1

_PLAIN = re.compile(r"(--)?[A-Za-z/][A-Za-z0-9_./:=-]*[A-Za-z0-9/]")
"""YAML's own words (`true`, `no`) are quoted by PyYAML itself."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, three spaces apart; `-` for an empty cell."""
    lines = [tuple(headers), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def document(value: Mapping[str, Any], form: str) -> str:
    """`value` as JSON or YAML ("json", "yaml"), its schema first."""
    whole = _plain({"schema": SCHEMA, **value})
    if form == "json":
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)
    import yaml

    return str(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120)).rstrip()


def manifests(objects: Sequence[Mapping[str, Any]], form: str) -> str:
    """What `kubectl apply -f -` reads: documents of YAML, texts of several lines as such, or one List of JSON.

    Text is quoted wherever kubectl's parser could read a number or a truth value that PyYAML does not (`1e3`, `y`).
    """
    if form == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=2, ensure_ascii=False)
    import yaml

    safe: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(safe):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  its base's name
            return True

    def text(dumper: Dumper, value: str) -> Any:
        style = "|" if "\n" in value else None if _PLAIN.fullmatch(value) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return "\n---\n".join(
        yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000).rstrip("\n")
        for value in objects
    )


def run_data(run: RunStatus) -> dict[str, Any]:
    """A run as `-o json` shows it."""
    return status.to_json(run)


def _plain(value: Any) -> Any:
    """What JSON can carry: enumerations as their words, NaN and infinity (a diverged loss) as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
