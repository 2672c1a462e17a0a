"""What a run does next: (plan, what is known of its stages, now) -> one action. Pure, and the only place for it.

Two drivers ask it: the supervisor on one machine and the runner on a cluster. It keeps no state, so a driver that
died and comes back gets the same answer from the same facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from launcher import states
from launcher.facts import Attempt, StageFacts
from launcher.plan import Plan, Stage

MAX_BACKOFF_S = 600.0
MAX_DISRUPTIONS = 10
"""So often an attempt is made again that the cluster ended (node lost, preempted, …); a stage's own failures count
against its retries instead."""


@dataclass(frozen=True)
class Start:
    stage: str
    attempt: int
    """1, 2, …; never one that was used before."""


@dataclass(frozen=True)
class Wait:
    stage: str
    until: float | None
    """When to ask again, for a retry that is due then; None: when the running attempt has ended."""


@dataclass(frozen=True)
class Done:
    """Every stage is complete."""


@dataclass(frozen=True)
class Fail:
    stage: str
    reason: str
    message: str


Action = Start | Wait | Done | Fail


def decide(plan: Plan, facts: Mapping[str, StageFacts], now: float) -> Action:
    """The first stage in the plan's order that is not complete decides; a stage without facts was never started."""
    complete = {stage.name for stage in plan.stages if facts.get(stage.name, StageFacts()).complete}
    for stage in plan.stages:
        if stage.name in complete:
            continue
        absent = [need for need in stage.needs if need not in complete]
        if absent:
            return Fail(stage.name, "ConfigurationError", f"{stage.name} needs {', '.join(absent)}, which comes later")
        return _next(stage, facts.get(stage.name, StageFacts()), now)
    return Done()


def _next(stage: Stage, facts: StageFacts, now: float) -> Action:
    following = facts.attempts[-1].attempt + 1 if facts.attempts else 1
    counted = facts.attempts[facts.forgiven :]
    if facts.attempts and facts.attempts[-1].ended is None:
        return Wait(stage.name, None)
    if not counted:
        return Start(stage.name, following)
    last = counted[-1]
    reason = states.reason_for(last.exit_code, last.reason)
    if not (reason.retry and last.retry):
        return Fail(stage.name, reason.word, last.message or reason.sentence)
    alike = [attempt for attempt in counted if _is_disruption(attempt) is reason.disruption]
    if len(alike) > (MAX_DISRUPTIONS if reason.disruption else stage.policy.retries):
        message = last.message or reason.sentence
        return Fail(stage.name, reason.word, f"{message} ({len(alike)} attempts)" if len(alike) > 1 else message)
    due = retry_at(stage, len(alike), last)
    return Start(stage.name, following) if now >= due else Wait(stage.name, due)


def _is_disruption(attempt: Attempt) -> bool:
    return states.reason_for(attempt.exit_code, attempt.reason).disruption


def retry_at(stage: Stage, failures: int, last: Attempt) -> float:
    """When the attempt after so many failures or disruptions is due: the pause doubles, up to MAX_BACKOFF_S."""
    pause = stage.policy.backoff_s * 2.0 ** min(failures - 1, 30)
    return (last.ended or last.started) + min(pause, MAX_BACKOFF_S)
