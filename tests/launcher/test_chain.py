from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from launcher.chain import MAX_BACKOFF_S, MAX_DISRUPTIONS, Action, Done, Fail, Start, Wait, decide
from launcher.facts import Attempt, StageFacts
from launcher.plan import Plan, make_plan
from launcher.spec import RunSpec, StagePolicy

STAGES = ("train", "evaluate", "export")
Facts = dict[str, StageFacts]

# How an attempt may end, and whether its marker is then valid.
OUTCOMES = {
    "complete": (Attempt(0, 0, exit_code=0), True),
    "complete but killed": (Attempt(0, 0, exit_code=-9), True),
    "no marker": (Attempt(0, 0, exit_code=0), False),
    "configuration": (Attempt(0, 0, exit_code=42, message="lr"), False),
    "told not to retry": (Attempt(0, 0, exit_code=1, reason="RankFailed", retry=False), False),
    "lost": (Attempt(0, 0, exit_code=None), False),
}


def plan_of(retries: int = 1, stages: tuple[str, ...] = STAGES, backoff_s: float = 5.0) -> Plan:
    policy = StagePolicy(retries=retries, backoff_s=backoff_s)
    own = {} if "train" in stages else {"ckpt_files": "/a.ckpt"}
    spec = RunSpec("demo", storage="/st", stages=stages, evaluate=own, export=own)
    return make_plan(replace(spec, policy=dict.fromkeys(STAGES, policy)))


def histories(plan: Plan, facts: Facts, now: float, depth: int = 0) -> Iterator[tuple[Facts, Action]]:
    """Every way that a run can go on from here, driven as a driver drives it, to its end."""
    assert depth < 60, "does not end"
    action = decide(plan, facts, now)
    assert decide(plan, facts, now) == action
    check(plan, facts, action, now)
    match action:
        case Start(stage, attempt):
            running = started(facts, stage, attempt, now)
            assert decide(plan, running, now + 1e6) == Wait(stage, None)
            for outcome in OUTCOMES:
                yield from histories(plan, ended(running, stage, outcome, now + 1), now + 1, depth + 1)
        case Wait(_, until):
            assert until is not None
            yield from histories(plan, facts, until, depth + 1)
        case Done() | Fail():
            yield facts, action


def started(facts: Facts, stage: str, attempt: int, now: float) -> Facts:
    before = facts.get(stage, StageFacts())
    return {**facts, stage: replace(before, attempts=(*before.attempts, Attempt(attempt, now)))}


def ended(facts: Facts, stage: str, outcome: str, now: float) -> Facts:
    how, complete = OUTCOMES[outcome]
    *earlier, last = facts[stage].attempts
    last = replace(how, attempt=last.attempt, started=last.started, ended=now)
    return {**facts, stage: replace(facts[stage], complete=complete, attempts=(*earlier, last))}


def check(plan: Plan, facts: Facts, action: Action, now: float) -> None:
    complete = {stage for stage, known in facts.items() if known.complete}
    match action:
        case Start(stage, attempt):
            known = facts.get(stage, StageFacts())
            assert stage not in complete
            assert set(plan.stage(stage).needs) <= complete
            assert attempt == len(known.attempts) + 1
            assert all(earlier.ended is not None for earlier in known.attempts)
            assert len(known.attempts) - known.forgiven <= plan.stage(stage).policy.retries
        case Wait(stage, until):
            assert stage not in complete
            assert until is None or now < until <= now + MAX_BACKOFF_S
        case Fail(stage, reason, message):
            assert stage not in complete
            assert reason
            assert message
        case Done():
            assert {stage.name for stage in plan.stages} <= complete


@pytest.mark.parametrize("retries", [0, 1, 2])
@pytest.mark.parametrize("stages", [STAGES, ("train",), ("evaluate", "export"), ("train", "export")])
def test_every_history_keeps_the_rules_and_ends(retries: int, stages: tuple[str, ...]) -> None:
    ends = list(histories(plan_of(retries, stages), {}, 1000.0))
    assert {type(action) for _, action in ends} == {Done, Fail}
    for facts, action in ends:
        assert isinstance(action, Done) == all(facts.get(stage, StageFacts()).complete for stage in stages)


def test_every_state_that_files_can_show_has_an_answer_within_the_rules() -> None:
    attempts: list[tuple[Attempt, ...]] = [(), (Attempt(1, 0),)]
    for how, _ in OUTCOMES.values():
        attempts.append((replace(how, attempt=1, ended=10.0),))
        attempts.append((replace(how, attempt=1, ended=10.0), Attempt(2, 20)))
        attempts.append((replace(how, attempt=1, ended=10.0), Attempt(2, 20, ended=30.0, exit_code=1)))
    known = [StageFacts(False, tried) for tried in attempts] + [StageFacts(True, tried) for tried in attempts[:4]]
    plan = plan_of(1)
    for combination in itertools.product(known, repeat=3):
        facts = dict(zip(STAGES, combination, strict=True))
        check(plan, facts, decide(plan, facts, 30.0), 30.0)


def failures(count: int, **how: object) -> StageFacts:
    attempt = replace(Attempt(1, 0, ended=100.0, exit_code=1), **how)  # type: ignore[arg-type]
    return StageFacts(attempts=tuple(replace(attempt, attempt=number + 1) for number in range(count)))


def test_the_pause_doubles_and_is_bounded() -> None:
    plan = plan_of(retries=100)
    waits = [decide(plan, {"train": failures(count)}, 100.0) for count in (1, 2, 3, 4, 20, 90)]
    assert waits == [Wait("train", 100.0 + pause) for pause in (5, 10, 20, 40, MAX_BACKOFF_S, MAX_BACKOFF_S)]
    assert decide(plan, {"train": failures(2)}, 110.0) == Start("train", 3)


def test_a_complete_stage_is_never_started_again_whatever_its_attempts_say() -> None:
    done = replace(failures(5, exit_code=42), complete=True)
    assert decide(plan_of(), {"train": done}, 0.0) == Start("evaluate", 1)


def test_exit_zero_without_a_marker_is_a_failure() -> None:
    action = decide(plan_of(retries=0), {"train": failures(1, exit_code=0)}, 1e6)
    assert action == Fail("train", "NoMarker", "The program ended with 0 but without all of its artifacts.")


@pytest.mark.parametrize("how", [{"exit_code": 42}, {"reason": "Diverged"}, {"reason": "RankFailed", "retry": False}])
def test_what_a_retry_would_meet_again_is_not_retried(how: dict[str, object]) -> None:
    action = decide(plan_of(retries=9), {"train": failures(1, message="why", **how)}, 1e6)
    assert isinstance(action, Fail)
    assert action.message == "why"


def test_the_last_message_and_the_number_of_attempts_are_told() -> None:
    action = decide(plan_of(retries=1), {"train": failures(2, reason="RankHung", message="rank 3 is silent")}, 1e6)
    assert action == Fail("train", "RankHung", "rank 3 is silent (2 attempts)")


def test_after_a_person_asked_to_go_on_the_attempts_before_do_not_count() -> None:
    for how in ({}, {"exit_code": 42}):
        facts = replace(failures(3, **how), forgiven=3)
        assert decide(plan_of(retries=1), {"train": facts}, 100.0) == Start("train", 4)
    once_more = replace(failures(4), forgiven=3)
    assert decide(plan_of(retries=1), {"train": once_more}, 100.0) == Wait("train", 105.0)
    assert isinstance(decide(plan_of(retries=1), {"train": replace(failures(5), forgiven=3)}, 1e6), Fail)


def test_a_lost_prerequisite_is_made_again_before_what_needs_it() -> None:
    facts = {"train": StageFacts(complete=False), "evaluate": StageFacts(complete=True)}
    assert decide(plan_of(), facts, 0.0) == Start("train", 1)


DISRUPTED = Attempt(1, 0, ended=100.0, exit_code=143, reason="Preempted", message="taken")
FAILED = Attempt(1, 0, ended=100.0, exit_code=1, reason="RankFailed", message="why")


def attempts(*ends: Attempt) -> StageFacts:
    return StageFacts(attempts=tuple(replace(end, attempt=number) for number, end in enumerate(ends, start=1)))


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_what_the_cluster_ends_is_made_again_and_not_charged(retries: int) -> None:
    """Every order of failures and disruptions of one stage, to its end."""
    plan = plan_of(retries)
    waiting: list[tuple[Attempt, ...]] = [()]
    longest = 0
    while waiting:
        ends = waiting.pop()
        disruptions, failed = ends.count(DISRUPTED), ends.count(FAILED)
        longest = max(longest, len(ends))
        action = decide(plan, {"train": attempts(*ends)}, 1e6)
        if failed > retries:
            assert action == Fail("train", "RankFailed", f"why ({failed} attempts)" if failed > 1 else "why")
        elif disruptions > MAX_DISRUPTIONS:
            assert action == Fail("train", "Preempted", f"taken ({disruptions} attempts)")
        else:
            assert action == Start("train", len(ends) + 1)
            waiting += [(*ends, DISRUPTED)]
            if failed <= retries and disruptions in (0, 1, MAX_DISRUPTIONS - 1, MAX_DISRUPTIONS):
                waiting += [(*ends, FAILED)]
    assert longest == MAX_DISRUPTIONS + 1 + retries


def test_the_pause_after_a_disruption_is_that_of_its_own_kind() -> None:
    plan = plan_of(retries=5)
    both = attempts(FAILED, FAILED, DISRUPTED)
    assert decide(plan, {"train": both}, 100.0) == Wait("train", 105.0)
    assert decide(plan, {"train": attempts(FAILED, DISRUPTED, FAILED)}, 100.0) == Wait("train", 110.0)
    assert decide(plan, {"train": attempts(DISRUPTED, DISRUPTED, DISRUPTED)}, 100.0) == Wait("train", 120.0)


def test_forgiven_disruptions_do_not_count() -> None:
    ends = attempts(*[DISRUPTED] * (MAX_DISRUPTIONS + 1))
    assert isinstance(decide(plan_of(), {"train": ends}, 1e6), Fail)
    assert decide(plan_of(), {"train": replace(ends, forgiven=1)}, 1e6) == Start("train", MAX_DISRUPTIONS + 2)
