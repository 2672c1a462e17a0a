"""What is known of a stage: the input of `launcher.chain`, whoever gathered it (files here, Jobs on a cluster)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attempt:
    """One attempt of a stage, as `attempts/A.json` keeps it. Without `ended` it is under way, or was lost."""

    attempt: int
    """1, 2, … over the whole life of the run."""
    started: float
    """Seconds since 1970, as all times here."""
    ended: float | None = None
    exit_code: int | None = None
    """As `subprocess` gives it: negative = ended by that signal; None where nobody saw the end."""
    reason: str = ""
    """A word of `states.REASONS`; empty where the exit code alone says it."""
    message: str = ""
    retry: bool = True
    """False: whoever gave the reason knows that another attempt meets it again."""
    rank: int | None = None
    """The rank that failed first, where one is to blame."""
    last_lines: tuple[str, ...] = ()
    """What it (or the process to blame) printed last."""
    pid: int = 0
    """First process of the attempt, on the machine that ran it."""


@dataclass(frozen=True)
class StageFacts:
    complete: bool = False
    """A marker is there, its files are as it says, and it carries the plan's hash."""
    attempts: tuple[Attempt, ...] = ()
    """In order; only the last one may be without an end."""
    forgiven: int = 0
    """So many first attempts no longer count against the retries: a person asked to go on after them."""
