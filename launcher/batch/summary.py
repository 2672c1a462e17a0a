"""What came of each checkpoint, ranked by accuracy, as JSON, CSV and Markdown. Pure: the same verdicts, the same bytes.

Checkpoints of one accuracy share a rank and the next one counts on from there (1, 2, 2, 4).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from launcher import states
from launcher.batch.indexed_job import IndexedJob
from launcher.facts import Attempt
from launcher.states import State

SCHEMA = 1
NOT_JUDGED = "NotJudged"
METRICS = ("accuracy", "std", "threshold", "auc", "eer", "pairs", "protocol")
"""Of a judged checkpoint, in the order of the columns; as `lfw.json` has them."""
COLUMNS = ("rank", "index", "checkpoint", "state", *METRICS, "reason", "message", "folder")


@dataclass(frozen=True)
class Found:
    """What the storage holds of one line of the list."""

    index: int
    checkpoint: str
    folder: str
    metrics: Mapping[str, Any] | None
    """Of its marker; None: there is no marker that can be read."""
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class Verdict:
    index: int
    checkpoint: str
    folder: str
    state: State
    """Succeeded or Failed."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    message: str = ""
    rank: int | None = None


def verdicts(found: Iterable[Found], job: IndexedJob) -> tuple[Verdict, ...]:
    """Ranked: those that were judged by falling accuracy, then the others by index."""
    everything = [_verdict(one, job) for one in found]
    good = [one for one in everything if one.state is State.SUCCEEDED]
    bad = [one for one in everything if one.state is not State.SUCCEEDED]
    good.sort(key=lambda one: (-one.metrics["accuracy"], one.index))
    ranked: list[Verdict] = []
    for place, one in enumerate(good, start=1):
        tied = ranked and ranked[-1].metrics["accuracy"] == one.metrics["accuracy"]
        ranked.append(replace(one, rank=ranked[-1].rank if tied else place))
    return (*ranked, *sorted(bad, key=lambda one: one.index))


def as_json(name: str, ranked: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "batch": name,
        "checkpoints": len(ranked),
        "judged": _judged(ranked),
        "failed": len(ranked) - _judged(ranked),
        "results": [{key: value for key, value in _row(one).items() if value is not None} for one in ranked],
    }


def as_csv(ranked: Sequence[Verdict]) -> str:
    """RFC 4180, but for line ends of one character, with COLUMNS as its first line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(one) for one in ranked)
    return text.getvalue()


def as_markdown(name: str, ranked: Sequence[Verdict]) -> str:
    good = [one for one in ranked if one.state is State.SUCCEEDED]
    bad = [one for one in ranked if one.state is not State.SUCCEEDED]
    lines = [f"# {name}: {len(good)} of {len(ranked)} checkpoints judged" + (f", {len(bad)} failed" if bad else "")]
    if good:
        headers = ("rank", "accuracy", "std", "threshold", "AUC", "EER", "index", "checkpoint")
        lines += ["", *_table(headers, [_good_cells(one) for one in good])]
    if bad:
        rows = [(str(one.index), one.checkpoint, one.reason, one.message) for one in bad]
        lines += ["", *_table(("index", "checkpoint", "reason", "what happened"), rows)]
    return "\n".join(lines) + "\n"


def _verdict(found: Found, job: IndexedJob) -> Verdict:
    if found.metrics is not None and found.index not in job.failed and found.index < job.completions:
        if "accuracy" in found.metrics:
            return Verdict(found.index, found.checkpoint, found.folder, State.SUCCEEDED, found.metrics)
        return _failed(found, "NoMarker", "its marker holds no accuracy; delete the folder and apply the Job anew")
    return _failed(found, *_why(found, job))


def _why(found: Found, job: IndexedJob) -> tuple[str, str]:
    """Reason and message of an index that has no result."""
    if found.index >= job.completions:
        return NOT_JUDGED, f"the Job has only {job.completions} completions; set completions to the length of the list"
    if found.index in job.completed:
        return "NoMarker", f"its index completed, but {found.folder} holds no valid result"
    last = found.attempts[-1] if found.attempts else None
    if last is not None and last.ended is not None and (last.reason or last.exit_code):
        reason = states.reason_for(last.exit_code, last.reason)
        return reason.word, last.message or reason.sentence
    if last is not None:
        return "Killed", (
            f"attempt {last.attempt} ended without a word: its pod ran out of memory (raise kubernetes.memory), "
            "or was killed with its node"
        )
    if found.index in job.failed:
        return "StartFailed", "its pod wrote nothing: the storage cannot be written, or the pod ended before it began"
    return NOT_JUDGED, f"the Job ended before its turn: {job.message or job.reason}"


def _failed(found: Found, reason: str, message: str) -> Verdict:
    return Verdict(found.index, found.checkpoint, found.folder, State.FAILED, {}, reason, " ".join(message.split()))


def _judged(ranked: Sequence[Verdict]) -> int:
    return sum(one.state is State.SUCCEEDED for one in ranked)


def _row(one: Verdict) -> dict[str, Any]:
    """By COLUMNS; None where there is nothing to say."""
    own = {
        "rank": one.rank,
        "index": one.index,
        "checkpoint": one.checkpoint,
        "state": str(one.state),
        "reason": one.reason or None,
        "message": one.message or None,
        "folder": one.folder,
    }
    metrics = {key: one.metrics.get(key) for key in METRICS}
    return {column: own.get(column, metrics.get(column)) for column in COLUMNS}


def _good_cells(one: Verdict) -> tuple[str, ...]:
    metrics = (_number(one.metrics.get(key)) for key in ("accuracy", "std", "threshold", "auc", "eer"))
    return (str(one.rank), *metrics, str(one.index), one.checkpoint)


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, (int, float)) else "-"


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, so that it reads well as plain text too."""
    cells = [headers, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
