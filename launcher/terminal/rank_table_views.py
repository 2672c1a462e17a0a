"""How the findings on a rank table look to people and as plain data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from launcher.errors import one_line
from launcher.rank_tables import explain
from launcher.rank_tables.rules import Finding
from launcher.rank_tables.validate import Report
from launcher.terminal import output

MOST = 10
"""Findings of one rule that are shown to people; a script sees all."""


def verdict(report: Report, name: str) -> str:
    """The first line, then each broken rule with the places, what follows from it, and what to do."""
    counts = [_count(report.errors, "error"), _count(report.warnings, "warning")]
    said = ", ".join(count for count in counts if count)
    head = f"{name}: {said if report.errors else ', '.join(filter(None, ('valid', said)))}"
    blocks = [f"{head} ({explain.summary(report)})", *_blocks(report.findings)]
    return "\n\n".join(blocks)


def drawing(report: Report, name: str) -> str:
    parts = [f"{name}: {explain.summary(report)}"]
    parts += [output.table(*table) for table in (explain.servers(report), explain.devices(report)) if table[1]]
    remarks = [*explain.unusual(report), *lines(report.findings)]
    if remarks:
        parts.append("\n".join(("What is unusual:", *(f"  {remark}" for remark in remarks))))
    else:
        parts.append("Nothing is unusual.")
    return "\n\n".join(parts)


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """One line for each rule that is broken, with the first place."""
    for same in _by_rule(findings):
        first, more = same[0], f" (and {len(same) - 1} more)" if len(same) > 1 else ""
        yield f"{first.rule.severity}: {first.rule.id} at {first.path}: {one_line(first.text)}{more}"


def data(report: Report, name: str) -> dict[str, Any]:
    """What `-o json` prints."""
    return {
        "file": name,
        "valid": not report.errors,
        "version": report.table.version,
        "board": report.board.name,
        "assumed": report.assumed,
        "servers": len(report.table.servers),
        "ranks": report.table.rank_size,
        "errors": [_finding(found) for found in report.errors],
        "warnings": [_finding(found) for found in report.warnings],
    }


def _finding(found: Finding) -> dict[str, str]:
    rule = found.rule
    return {
        "rule": rule.id,
        "path": found.path,
        "text": found.text,
        "must": rule.must,
        "consequence": rule.consequence,
        "remedy": rule.remedy,
        "source": rule.source,
    }


def _blocks(findings: Sequence[Finding]) -> Iterator[str]:
    for same in _by_rule(findings):
        rule = same[0].rule
        width = max(len(found.path) for found in same[:MOST])
        block = [f"{rule.severity}: {rule.id}: {rule.must}"]
        block += [f"  {found.path:<{width}}   {one_line(found.text)}" for found in same[:MOST]]
        if len(same) > MOST:
            block.append(f"  … and {len(same) - MOST} more; -o json shows them")
        yield "\n".join((*block, f"  otherwise: {rule.consequence}", f"  to do: {rule.remedy}"))


def _by_rule(findings: Sequence[Finding]) -> list[list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for found in findings:
        groups.setdefault(found.rule.id, []).append(found)
    return list(groups.values())


def _count(findings: Sequence[Finding], word: str) -> str:
    return f"{len(findings)} {word}{'' if len(findings) == 1 else 's'}" if findings else ""
