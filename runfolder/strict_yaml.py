"""Reading hand-written YAML: a mapping, no duplicate keys, no alias bombs, and the line of every key.

PyYAML silently keeps the last of two equal keys and expands aliases without a bound; both have cost people runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 20
MAX_NODES = 10_000  # after the expansion of aliases


class StrictYamlError(ValueError):
    """One line: what is wrong, at `file:line` where a line is known."""


@dataclass(frozen=True)
class Document:
    """A mapping read from YAML, with the line (1-based) of each key by its dotted path, as in `train.lr`."""

    values: dict[str, Any]
    lines: dict[str, int]
    name: str

    def where(self, key: str) -> str:
        line = self.lines.get(key)
        return f"{self.name}:{line}" if line else self.name


def read(path: Path) -> Document:
    """Reads one file. Raises StrictYamlError for content, OSError for the file itself."""
    with path.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise StrictYamlError(f"{path}: larger than {MAX_BYTES >> 20} MiB; this is not a configuration file")
    try:
        return parse(data.decode(), str(path))
    except UnicodeDecodeError as error:
        raise StrictYamlError(f"{path}: not UTF-8 text (byte {error.start})") from None


def parse(text: str, name: str) -> Document:
    import yaml

    loader = None
    try:
        # libyaml's parser is ten times as fast; both build what the safe constructor builds.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        root = loader.get_single_node()
        if root is None:
            return Document({}, {}, name)
        if not isinstance(root, yaml.MappingNode):
            kind = "list" if isinstance(root, yaml.SequenceNode) else "single value"
            raise StrictYamlError(f"{name}: must be a mapping of keys to values, not a {kind}")
        lines: dict[str, int] = {}
        _check(root, "", name, lines, [0])
        return Document(loader.construct_document(root), lines, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise StrictYamlError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise StrictYamlError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, StrictYamlError):
            raise
        raise StrictYamlError(f"{name}: not valid YAML: {type(error).__name__}: {error}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check(node: Any, path: str, name: str, lines: dict[str, int], count: list[int]) -> None:
    """Walks the node tree as aliases expand it, so that a bomb is refused before anything is built."""
    import yaml

    count[0] += 1
    if count[0] > MAX_NODES:
        raise StrictYamlError(f"{name}: more than {MAX_NODES} values once its aliases are expanded; refused")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(item, path, name, lines, count)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise StrictYamlError(f"{name}:{line}: a key must be a plain word")
        key = key_node.value
        if key in seen:
            where = f"{path}.{key}" if path else key
            raise StrictYamlError(f"{name}:{line}: key '{where}' is given twice (first at line {seen[key]}); keep one")
        seen[key] = line
        full = f"{path}.{key}" if path else key
        lines.setdefault(full, line)
        _check(value_node, full, name, lines, count)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'lr'?)` or an empty string: the tail of every "unknown …" message."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else ""
