"""What `launcher doctor` finds: one line each, with what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """A run may start, but later, or with something missing."""
    ERROR = "error"
    """A run cannot start, or fails."""


@dataclass(frozen=True)
class Finding:
    level: Level
    check: str
    """What was looked at, in a word or two: `quota`."""
    text: str
    """What was found."""
    advice: str = ""
    """What to do; empty where all is well."""


def ok(check: str, text: str) -> Finding:
    return Finding(Level.OK, check, text)


def warning(check: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARNING, check, text, advice)


def error(check: str, text: str, advice: str) -> Finding:
    return Finding(Level.ERROR, check, text, advice)
