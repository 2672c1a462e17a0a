"""Driving the chain, with an executor that has no processes and a clock that jumps. (Real ones: backends/.)"""

from __future__ import annotations

import itertools
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher import record
from launcher.executor import Look
from launcher.facts import Attempt
from launcher.record import RunRecord
from launcher.runner import Runner
from launcher.spec import StagePolicy
from launcher.states import State
from runfolder import layout
from tests.launcher.fake_backend import FakeClock
from tests.launcher.fake_executor import FakeExecutor
from tests.launcher.standin import run_path, stage, written

POLICY = StagePolicy(retries=2, backoff_s=5.0)
STAGES = ("train", "evaluate", "export")


@dataclass
class World:
    """One run with its fake executor; `go` drives it as a supervisor does, from its beginning to its end."""

    folder: Path
    clock: FakeClock
    executor: FakeExecutor
    states: list[tuple[State, tuple[State, ...]]] = field(default_factory=list)
    cancelled: Callable[[], bool] = lambda: False

    def go(self, *, resume: bool = False) -> State:
        self.states.clear()
        driver = Runner(
            record.read_plan(self.folder),
            self.folder,
            self.executor,
            backend="local",
            cancelled=lambda: self.cancelled(),
            clock=self.clock,
            sleep=self._sleep,
        )
        driver.begin(resume=resume)
        return driver.run()

    @property
    def record(self) -> RunRecord:
        found = record.read_run(self.folder)
        assert found is not None
        return found

    def of(self, name: str) -> list[State]:
        """States that the stage went through, as anybody who looked would have seen."""
        place = STAGES.index(name)
        seen = [stages[place] for _, stages in self.states]
        return [state for number, state in enumerate(seen) if number == 0 or seen[number - 1] is not state]

    def _sleep(self, seconds: float) -> None:
        now = self.record
        self.states.append((now.state, tuple(each.state for each in now.stages)))
        self.clock.sleep(seconds)


@pytest.fixture
def world(tmp_path: Path) -> World:
    folder = run_path(tmp_path)
    plan = written(tmp_path, *(stage(folder, name, policy=POLICY) for name in STAGES))
    clock = FakeClock()
    return World(folder, clock, FakeExecutor(plan, clock))


def events(world: World) -> list[str]:
    return [event["event"] for event in record.read_events(world.folder)]


def test_stages_are_carried_out_in_order_to_success(world: World) -> None:
    assert world.go() is State.SUCCEEDED

    assert world.executor.started == [("train", 1), ("evaluate", 1), ("export", 1)]
    assert [each.state for each in world.record.stages] == [State.SUCCEEDED] * 3
    assert world.record.state is State.SUCCEEDED
    assert world.record.ended is not None
    assert world.of("train") == [State.STARTING, State.RUNNING, State.SUCCEEDED]
    assert world.states[0][0] is State.STARTING
    assert events(world)[0] == "SupervisorStarted"
    assert events(world)[-1] == "RunSucceeded"


def test_a_failed_attempt_is_repeated_after_a_pause(world: World) -> None:
    world.executor.fates[("evaluate", 1)] = "fails"
    begun = world.clock.now

    assert world.go() is State.SUCCEEDED

    assert world.executor.started == [("train", 1), ("evaluate", 1), ("evaluate", 2), ("export", 1)]
    assert world.of("evaluate") == [
        State.PENDING,
        State.STARTING,
        State.RUNNING,
        State.RETRYING,
        State.STARTING,
        State.RUNNING,
        State.SUCCEEDED,
    ]
    assert world.clock.now - begun >= POLICY.backoff_s
    assert world.record.stage("evaluate").reason == ""


def test_a_stage_that_fails_too_often_ends_the_run(world: World) -> None:
    world.executor.fates |= {("train", number): "fails" for number in range(1, 9)}

    assert world.go() is State.FAILED

    assert world.executor.started == [("train", 1), ("train", 2), ("train", 3)]
    failed = world.record.stage("train")
    assert (failed.state, failed.reason, failed.exit_code, failed.attempts) == (State.FAILED, "RankFailed", 1, 3)
    assert failed.message == "train said why (3 attempts)"
    assert world.record.reason == "RankFailed"
    assert world.record.stage("evaluate").state is State.PENDING


def test_a_wrong_configuration_is_not_repeated(world: World) -> None:
    world.executor.fates[("train", 1)] = "refused"

    assert world.go() is State.FAILED

    assert world.executor.started == [("train", 1)]
    assert world.record.reason == "ConfigurationError"


def test_a_killed_pod_that_left_no_word_counts_as_killed(world: World) -> None:
    world.executor.fates[("train", 1)] = "killed"

    assert world.go() is State.SUCCEEDED

    first = record.read_attempt(world.folder / "train", 1)
    assert first is not None
    assert (first.reason, first.exit_code, first.ended is not None) == ("Killed", -9, True)
    assert world.executor.started[:2] == [("train", 1), ("train", 2)]


def test_what_an_attempt_waits_for_is_shown_until_it_works(world: World) -> None:
    image = "registry/sphereface@sha256:1"
    world.executor.scripts[("train", 1)] = [
        Look(ended=False, reason="InsufficientDevices", message="of 2 nodes: none"),
        Look(ended=False, node="node-a", message="the image is being pulled"),
        Look(ended=False, node="node-a", working=True, image=image),
    ]
    shown: list[tuple[State, State, str, str, str, str]] = []

    def look() -> None:
        run, train = world.record, world.record.stage("train")
        shown.append((run.state, train.state, train.reason, train.message, train.node, train.image))

    world.executor.on_look = look
    assert world.go() is State.SUCCEEDED

    assert shown[:4] == [
        (State.STARTING, State.STARTING, "", "", "", ""),
        (State.PENDING, State.PENDING, "InsufficientDevices", "of 2 nodes: none", "", ""),
        (State.STARTING, State.STARTING, "", "the image is being pulled", "node-a", ""),
        (State.RUNNING, State.RUNNING, "", "", "node-a", image),
    ]
    assert world.record.stage("train").image == image
    assert events(world).count("StageHeldUp") == 1


def test_a_cancelled_stage_that_still_waited_is_cancelled(world: World) -> None:
    waiting = Look(ended=False, reason="Unschedulable", message="no node")
    world.executor.scripts[("train", 1)] = [waiting] * 5
    world.cancelled = lambda: len(world.executor.scripts[("train", 1)]) < 3

    assert world.go() is State.CANCELLED

    assert world.record.stage("train").state is State.CANCELLED
    assert world.record.stage("evaluate").state is State.PENDING


@pytest.mark.parametrize(
    ("told", "seen", "reason", "message"),
    [
        (None, Look(True, exit_code=137, reason="OOMKilled", message="at 1Gi"), "OOMKilled", "at 1Gi"),
        (None, Look(True, reason="NodeLost", message="node-b"), "NodeLost", "node-b"),
        (None, Look(True, exit_code=1, message="No module"), "StageFailed", "No module"),
        (None, Look(True), "SupervisorLost", "the supervisor was gone"),
        (
            (143, "Terminated", "told"),
            Look(True, exit_code=143, reason="Preempted", message="by x"),
            "Preempted",
            "by x",
        ),
        (
            (1, "Killed", "rank 3 was ended by SIGKILL"),
            Look(True, exit_code=1, reason="OOMKilled", message="at 1Gi"),
            "OOMKilled",
            "rank 3 was ended by SIGKILL: at 1Gi",
        ),
        ((1, "Diverged", "NaN"), Look(True, exit_code=1, reason="Evicted", message="disk"), "Diverged", "NaN"),
        ((42, "ConfigurationError", "lr"), Look(True, exit_code=42), "ConfigurationError", "lr"),
    ],
)
def test_the_end_is_told_by_whoever_knows_it_better(
    world: World, told: tuple[int, str, str] | None, seen: Look, reason: str, message: str
) -> None:
    def leave() -> None:
        if told is not None and len(world.executor.started) == 1:
            code, word, said = told
            ended = Attempt(1, 1.0, 2.0, code, word, said, last_lines=("the last line",))
            record.write_attempt(world.folder / "train", ended)

    world.executor.scripts[("train", 1)] = [seen]
    world.executor.on_look = leave

    world.go()

    first = record.read_attempt(world.folder / "train", 1)
    assert first is not None
    assert (first.reason, first.message) == (reason, message)
    assert first.last_lines == (("the last line",) if told else ())
    assert first.ended is not None


def test_disruptions_are_made_good_without_a_charge(world: World) -> None:
    lost = Look(ended=True, reason="NodeLost", message="node-b")
    for number in range(1, 6):
        world.executor.scripts[("train", number)] = [lost]

    assert world.go() is State.SUCCEEDED

    assert world.executor.started[:6] == [("train", number) for number in range(1, 7)]
    assert POLICY.retries < 5


def test_of_two_drivers_one_starts_an_attempt_and_both_see_its_end(world: World) -> None:
    """The other one takes the number between this one's look at the files and its start."""
    plan = record.read_plan(world.folder)
    other = FakeExecutor(plan, world.clock)
    moments = itertools.count()

    def clock() -> float:
        if next(moments) == 2:  # after `begin`, as this driver decides
            assert record.begin_attempt(world.folder / "train", Attempt(1, 5.0))
            world.executor.started.append(("train", 1))
            other.started.append(("train", 1))
        return world.clock()

    driver = Runner(
        plan,
        world.folder,
        world.executor,
        backend="local",
        cancelled=lambda: False,
        clock=clock,
        sleep=world.clock.sleep,
    )
    driver.begin(resume=False)

    assert driver.run() is State.SUCCEEDED
    assert world.executor.started == [("train", 1), ("evaluate", 1), ("export", 1)]
    assert [each.attempt for each in record.read_attempts(world.folder / "train")] == [1]


def test_each_resume_is_counted_and_a_given_number_is_kept(world: World) -> None:
    world.go(resume=True)
    assert world.record.resumes == 1
    driver = Runner(
        record.read_plan(world.folder), world.folder, world.executor, backend="local", cancelled=lambda: False
    )
    driver.begin(resume=True, resumes=7)
    assert world.record.resumes == 7
    assert driver.record == world.record


def test_a_pod_that_cannot_be_started_is_tried_again(world: World) -> None:
    world.executor.fates[("train", 1)] = "unstartable"

    assert world.go() is State.SUCCEEDED

    first = record.read_attempt(world.folder / "train", 1)
    assert first is not None
    assert (first.reason, first.message) == ("StartFailed", "cannot start a process: no memory")


@pytest.mark.parametrize("after", [0, 1, 4, 8])
def test_cancelling_stops_what_runs_and_starts_no_more(world: World, after: int) -> None:
    world.executor.fates |= {(name, 1): "hangs" for name in STAGES[1:]}
    asked = itertools.count(1)
    world.cancelled = lambda: next(asked) > after

    assert world.go() is State.CANCELLED

    assert world.record.state is State.CANCELLED
    assert world.record.reason == "CancelledByUser"
    done = [(each.name, 1) for each in world.record.stages if each.state is State.SUCCEEDED]
    assert world.executor.started == [*done, *world.executor.stopped]
    assert State.RUNNING not in {each.state for each in world.record.stages}


def test_a_cancellation_that_comes_too_late_changes_nothing(world: World) -> None:
    world.cancelled = lambda: (world.folder / "export" / layout.SUCCESS).exists()

    assert world.go() is State.SUCCEEDED


def test_resume_goes_on_after_the_last_finished_stage_with_fresh_retries(world: World) -> None:
    world.executor.fates |= {("evaluate", number): "fails" for number in range(1, 4)}
    assert world.go() is State.FAILED
    world.executor.started.clear()

    assert world.go(resume=True) is State.SUCCEEDED

    assert world.executor.started == [("evaluate", 4), ("export", 1)]
    assert world.record.stage("evaluate").forgiven == 3
    assert world.record.reason == ""


def test_without_resume_a_failed_run_stays_failed(world: World) -> None:
    world.executor.fates[("train", 1)] = "refused"
    world.go()

    assert world.go() is State.FAILED
    assert world.executor.started == [("train", 1)]


class Killed(BaseException):
    """The supervisor dies here, without a chance to clean up."""


class FatalClock(FakeClock):
    """The process dies at the `left`-th moment: as it waits, or as it looks at the clock, before all that it writes."""

    left = 0

    def __call__(self) -> float:
        self._pass()
        return super().__call__()

    def sleep(self, seconds: float) -> None:
        self._pass()
        super().sleep(seconds)

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.mark.parametrize("moment", range(1, 35, 3))
def test_a_supervisor_killed_at_any_moment_never_repeats_a_finished_stage(world: World, moment: int) -> None:
    clock = FatalClock()
    clock.left = moment
    first = world.executor
    world.clock = clock
    with pytest.raises(Killed):
        world.go()
    facts = record.stage_facts(world.folder, record.read_plan(world.folder))
    finished = {name for name, known in facts.items() if known.complete}

    world.executor = FakeExecutor(first.plan, world.clock)
    assert world.go(resume=True) is State.SUCCEEDED

    assert finished.isdisjoint({name for name, _ in world.executor.started})
    assert len(first.started) + len(world.executor.started) <= len(STAGES) + 1
    for name in STAGES:
        attempts = record.read_attempts(world.folder / name)
        assert [each.attempt for each in attempts] == list(range(1, len(attempts) + 1))
        assert all(each.ended is not None for each in attempts)
        assert {each.reason for each in attempts[:-1]} <= {"SupervisorLost"}


def test_an_attempt_of_a_supervisor_that_is_gone_ends_as_lost_and_is_not_charged(world: World) -> None:
    record.write_attempt(world.folder / "train", Attempt(1, world.clock()))

    assert world.go(resume=True) is State.SUCCEEDED

    first = record.read_attempt(world.folder / "train", 1)
    assert first is not None
    assert (first.reason, first.exit_code) == ("SupervisorLost", None)
    assert world.record.stage("train").forgiven == 1


def test_a_storage_that_refuses_ends_the_run_with_its_reason_and_stops_what_runs(world: World) -> None:
    """No file may grow while the second stage begins, and may again once that was stopped."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    world.executor.fates[("evaluate", 1)] = "hangs"

    def refuse() -> None:
        if ("evaluate", 1) in world.executor.started:
            full = ("evaluate", 1) not in world.executor.stopped
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]) if full else unlimited)

    world.executor.on_look = refuse
    try:
        assert world.go() is State.FAILED
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

    assert world.executor.stopped == [("evaluate", 1)]
    assert world.record.reason == "StorageFull"
    assert "cannot write here" in world.record.message
