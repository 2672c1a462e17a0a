"""The table of known failures: what each prints, its cause, what to do, and where that is documented."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from launcher.errors import LauncherError
from runfolder import strict_yaml
from runfolder.strict_yaml import did_you_mean

ASCEND = Path(__file__).parent / "ascend.yaml"

ANY = "any"
"""Of `follows`: it may come of every other failure."""

_NAME = re.compile(r"[a-z][a-z0-9-]{2,29}")
_CODE = re.compile(r"E[A-Z]\d{4}")
_MIN_TEXT = 7
"""Characters that a text which stands alone needs: a shorter one is found in lines that mean something else."""
_SOURCE = re.compile(r"([a-z0-9]+): \S")

TABLE_KEYS = ("sources", "failures")
FAILURE_KEYS = ("title", "cause", "remedy", "signs", "follows", "note")
SIGN_KEYS = ("text", "code", "source")


@dataclass(frozen=True)
class Sign:
    """A line by which a failure is known: it holds all texts, or the code as a word."""

    texts: tuple[str, ...]
    is_code: bool
    source: str
    """Where it is documented: short names of `Table.sources`, each with the place in it."""


@dataclass(frozen=True)
class Failure:
    name: str
    title: str
    cause: str
    remedy: str
    signs: tuple[Sign, ...]
    follows: tuple[str, ...] = ()
    """Failures of which it is a consequence where they are found too; `ANY` stands for every other one."""
    note: str = ""
    """What could not be sourced, or else to be known of it."""

    def comes_of(self, name: str) -> bool:
        return name != self.name and (ANY in self.follows or name in self.follows)


@dataclass(frozen=True)
class Table:
    sources: Mapping[str, str]
    failures: tuple[Failure, ...]
    """In the order in which they claim a line that fits several."""


@cache
def ascend() -> Table:
    return load(ASCEND)


def load(path: Path) -> Table:
    """Raises LauncherError with `file:line` for an entry that is wrong."""
    try:
        return _table(strict_yaml.read(path))
    except strict_yaml.StrictYamlError as error:
        raise LauncherError(str(error)) from None
    except OSError as error:
        raise LauncherError(f"{path}: cannot read the table of failures: {error.strerror}") from None


def _table(document: strict_yaml.Document) -> Table:
    read = _Reader(document)
    read.keys(document.values, TABLE_KEYS, TABLE_KEYS, "")
    sources = read.mapping(document.values["sources"], "sources")
    for name in sources:
        read.text(sources, name, "sources")
    raw = read.mapping(document.values["failures"], "failures")
    failures = tuple(_failure(read, str(name), value, sources, tuple(raw)) for name, value in raw.items())
    _refuse_twins(read, failures)
    used = {name for failure in failures for sign in failure.signs for name in _named(sign.source)}
    for name in sources:
        if name not in used:
            raise read.wrong(f"sources.{name}", "no sign names this source; remove it")
    return Table(sources, failures)


def _failure(read: _Reader, name: str, raw: Any, sources: Mapping[str, Any], others: Sequence[str]) -> Failure:
    where = f"failures.{name}"
    if not _NAME.fullmatch(name):
        raise read.wrong(where, "a failure's name has 3 to 30 of a-z, 0-9 and -")
    entry = read.mapping(raw, where)
    read.keys(entry, FAILURE_KEYS, ("title", "cause", "remedy", "signs"), where)
    signs = entry["signs"]
    if not isinstance(signs, list) or not signs:
        raise read.wrong(f"{where}.signs", "must be a list of at least one sign")
    return Failure(
        name=name,
        title=read.text(entry, "title", where),
        cause=read.text(entry, "cause", where),
        remedy=read.text(entry, "remedy", where),
        signs=tuple(_sign(read, sign, f"{where}.signs", place, sources) for place, sign in enumerate(signs)),
        follows=_follows(read, entry.get("follows", []), name, others),
        note=read.text(entry, "note", where) if "note" in entry else "",
    )


def _sign(read: _Reader, raw: Any, where: str, place: int, sources: Mapping[str, Any]) -> Sign:
    entry = read.mapping(raw, where)
    said = f"sign {place + 1}: "
    read.keys(entry, SIGN_KEYS, ("source",), where, said)
    if ("text" in entry) == ("code" in entry):
        raise read.wrong(where, f"{said}must have either text or code")
    source = read.text(entry, "source", where, said)
    names = _named(source)
    if not names or any(name not in sources for name in names):
        hint = did_you_mean(names[0], sources) if names else ""
        raise read.wrong(where, f"{said}source must name one of sources, as in 'hcclug: EJ0003', not '{source}'{hint}")
    if "code" in entry:
        code = read.text(entry, "code", where, said)
        if not _CODE.fullmatch(code):
            raise read.wrong(where, f"{said}code must be as EI0006, not '{code}'")
        return Sign((code,), True, source)
    texts = entry["text"] if isinstance(entry["text"], list) else [entry["text"]]
    if not texts or not all(isinstance(text, str) and text.strip() and "\n" not in text for text in texts):
        raise read.wrong(where, f"{said}text must be a text of one line, or a list of such")
    if max(map(len, texts)) < _MIN_TEXT:
        raise read.wrong(where, f"{said}text is too short to mean this failure alone: '{texts[0]}'")
    return Sign(tuple(texts), False, source)


def _follows(read: _Reader, raw: Any, name: str, others: Sequence[str]) -> tuple[str, ...]:
    if raw == ANY:
        return (ANY,)
    if not isinstance(raw, list):
        raise read.wrong(f"failures.{name}.follows", f"must be {ANY} or a list of failures")
    for other in raw:
        if other not in others or other == name:
            hint = did_you_mean(str(other), others)
            raise read.wrong(f"failures.{name}.follows", f"'{other}' is no other failure of this table{hint}")
    return tuple(raw)


def _refuse_twins(read: _Reader, failures: Sequence[Failure]) -> None:
    """One line must not mean two failures for no reason."""
    seen: dict[tuple[str, ...], str] = {}
    for failure in failures:
        for sign in failure.signs:
            first = seen.setdefault(tuple(sorted(sign.texts)), failure.name)
            if first != failure.name or sum(sign.texts == other.texts for other in failure.signs) > 1:
                raise read.wrong(f"failures.{failure.name}.signs", f"'{sign.texts[0]}' is a sign of {first} already")


def _named(source: str) -> list[str]:
    """Short names of the sources that a sign's source names."""
    parts = source.split("; ")
    found = [match.group(1) for part in parts if (match := _SOURCE.match(part))]
    return found if _SOURCE.match(source) else []


class _Reader:
    """Complains with the place in the file."""

    def __init__(self, document: strict_yaml.Document) -> None:
        self._document = document

    def wrong(self, key: str, text: str) -> LauncherError:
        return LauncherError(f"{self._document.where(key)}: {key}: {text}")

    def mapping(self, raw: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(raw, dict) or not raw:
            raise self.wrong(where, "must be a mapping with at least one key")
        return raw

    def keys(
        self, raw: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], where: str, said: str = ""
    ) -> None:
        for key in raw:
            if key not in known:
                hint = did_you_mean(str(key), known)
                raise self.wrong(where or str(key), f"{said}unknown key '{key}'{hint}; there are {', '.join(known)}")
        for key in needed:
            if key not in raw:
                raise self.wrong(where or key, f"{said}{key} is missing")

    def text(self, raw: Mapping[str, Any], key: str, where: str, said: str = "") -> str:
        value = raw[key]
        if not isinstance(value, str) or not value.strip() or "\n" in value:
            raise self.wrong(where, f"{said}{key} must be a text of one line")
        return value
