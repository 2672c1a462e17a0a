"""All rules on one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launcher import ascend
from launcher.ascend import Board
from launcher.errors import UsageError, one_line
from launcher.rank_tables import check_levels, checks, topology
from launcher.rank_tables.json_text import load_object
from launcher.rank_tables.model import RankTable
from launcher.rank_tables.read import read
from launcher.rank_tables.rules import Finding, finding

_PARTS = frozenset(("structure", "device-list", "server-list"))
"""After these the table is not whole: what it counts is not what was meant."""
_LISTS = ("device", "server_list", "rank_list", "level_list")


@dataclass(frozen=True)
class Report:
    table: RankTable
    """What could be read of it."""
    board: Board
    assumed: str
    """Why that board; empty where it was given."""
    findings: tuple[Finding, ...]
    """Errors first, each kind in the order of the rules' checks."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.is_error)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if not found.is_error)

    @property
    def refusal(self) -> str:
        """The first error in one line, with what to do and how many more there are; empty where there is none."""
        if not self.errors:
            return ""
        first, more = self.errors[0], f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return one_line(f"{first.rule.id} at {first.path}: {first.text}{more}; {first.rule.remedy}")


def load(data: bytes, name: str) -> dict[str, Any]:
    """The table of a file; of an operator's ConfigMap (`kubectl get configmap rings-config-JOB -o json`) the one in it.

    Raises UsageError, one line, for what `json_text` refuses.
    """
    document = load_object(data, name, "a rank table")
    if document.get("kind") != "ConfigMap":
        return document
    inner = document.get("data")
    text = inner.get(ascend.OPERATOR_KEY) if isinstance(inner, dict) else None
    if not isinstance(text, str):
        raise UsageError(f"{name}: this ConfigMap has no text {ascend.OPERATOR_KEY}, where operators write the table")
    return load_object(text.encode(errors="replace"), f"{name}: {ascend.OPERATOR_KEY}", "a rank table")


def validate(
    document: Mapping[str, Any], *, name: str = "", board: Board | None = None, rank_size: int | None = None
) -> Report:
    """`name`: of its file, "" for none; `board` as the table does not say it; `rank_size` of the processes to start."""
    table, found = read(document)
    faulty = frozenset(one.path for one in found)
    whole = not any(_hides_parts(one) for one in found)
    guessed, why = topology.board_of(table)
    if name and not name.endswith(".json"):
        found.append(finding("file-name", "", f"'{name}' does not end with .json"))
    if table.servers:
        found += checks.servers(table) if table.version != ascend.LEVELS else ()
        found += checks.ports(table)
        found += checks.ranks(table, whole=whole)
        found += checks.rank_size(table, rank_size) if whole else ()
        if table.version == ascend.LEVELS:
            found += check_levels.check(table)
        else:
            found += checks.addresses(table, faulty)
            found += checks.super_pods(table, faulty, whole=whole)
        found += topology.check(table, board or guessed, "" if board else why, whole=whole)
    ordered = sorted(found, key=lambda one: not one.is_error)
    return Report(table, board or guessed, "" if board else why, tuple(ordered))


def _hides_parts(found: Finding) -> bool:
    missing_list = found.rule.id == "missing-key" and found.path.rpartition(".")[2] in _LISTS
    return found.rule.id in _PARTS or missing_list
