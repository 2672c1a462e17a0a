"""Whole runs on a fake kubelet: what there is of their logs, and what comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launcher import record
from launcher.backends import LogLine, LogQuery
from launcher.backends.kubernetes import follow_logs, kept_logs, pod_logs
from launcher.backends.kubernetes.kept_logs import NotKept
from launcher.errors import ApiError, BackendError
from launcher.plan import Plan, make_plan
from launcher.read_log import Record, Wanted
from launcher.spec import KubernetesSpec, RunSpec
from launcher.states import State
from launcher.status import RunStatus, StageStatus
from tests.launcher.backends.kubernetes.fake_kubelet import BEGAN, FakeKubelet, gone, prefixed
from tests.launcher.fake_backend import FakeClock


@dataclass
class Run:
    """A run whose stages do what a test says, one step each time that somebody waits."""

    plan: Plan
    kubelet: FakeKubelet
    clock: FakeClock
    status: RunStatus
    steps: Iterator[None] = field(default_factory=lambda: iter(()))
    said: list[str] = field(default_factory=list)

    def stage(self, name: str, state: State, attempts: int = 1, reason: str = "", message: str = "") -> None:
        now = StageStatus(name, state, reason, message, attempts)
        stages = tuple(now if each.name == name else each for each in self.status.stages)
        self.status = replace(self.status, stages=stages)

    def state(self, state: State) -> None:
        self.status = replace(self.status, state=state)

    def begin(self, stage: str, attempt: int = 1) -> str:
        self.stage(stage, State.RUNNING, attempt)
        self.state(State.RUNNING)
        pod = self.kubelet.start(stage, attempt)
        self.kubelet.print(pod, f"[launcher] attempt {attempt} of {stage} begins, 2 process(es)")
        return pod

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        next(self.steps, None)

    def read(self, **query: object) -> list[str]:
        asked = LogQuery(**query)  # type: ignore[arg-type]
        return words(pod_logs.read(self.kubelet, self.plan, asked, lambda: self.status, self.clock))

    def follow(self, **query: object) -> list[str]:
        return words(self.following(LogQuery(follow=True, **query)))  # type: ignore[arg-type]

    def following(self, query: LogQuery) -> Iterator[LogLine]:
        return follow_logs.follow(
            self.kubelet,
            self.plan,
            query,
            lambda: self.status,
            clock=self.clock,
            sleep=self.sleep,
            say=self.said.append,
        )


def words(lines: Iterator[LogLine]) -> list[str]:
    return [f"{line.stage} {'-' if line.rank is None else line.rank} {line.text}" for line in lines]


def begins(stage: str, attempt: int = 1) -> str:
    return f"{stage} - attempt {attempt} of {stage} begins, 2 process(es)"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Its storage is seen here."""
    spec = RunSpec("demo", devices=2, storage=str(tmp_path), kubernetes=KubernetesSpec(namespace="lab"))
    plan = make_plan(spec)
    record.write_plan(Path(plan.folder), plan)
    stages = tuple(StageStatus(stage.name, State.PENDING) for stage in plan.stages)
    status = RunStatus("demo", State.PENDING, "", "", "kubernetes", "cpu", 2, 0.0, None, plan.folder, plan.hash, stages)
    return Run(plan, FakeKubelet(Path(plan.folder)), FakeClock(), status)


@pytest.fixture
def two_attempts(run: Run) -> Run:
    """The first attempt's pod is gone; the second's has forgotten its first lines."""
    first = run.begin("train")
    run.kubelet.print(first, *prefixed(1, "a"), *prefixed(0, "b"))
    run.kubelet.delete("pods", first)
    second = run.begin("train", 2)
    run.kubelet.print(second, *prefixed(0, "c"))
    run.kubelet.rotate(second)
    run.kubelet.print(second, *prefixed(1, "d"), *prefixed(0, "e"))
    return run


def test_what_pods_have_forgotten_is_read_from_the_storage(two_attempts: Run) -> None:
    assert two_attempts.read(merge=True) == [
        begins("train"),
        *("train 1 a", "train 0 b"),
        begins("train", 2),
        *("train 0 c", "train 1 d", "train 0 e"),
    ]


def test_without_merge_one_rank_comes_after_the_other(two_attempts: Run) -> None:
    lines = two_attempts.read()

    assert lines[:2] == [begins("train"), begins("train", 2)]
    assert lines[2:] == ["train 0 b", "train 0 c", "train 0 e", "train 1 a", "train 1 d"]
    assert two_attempts.read(rank=1) == ["train 1 a", "train 1 d"]
    assert two_attempts.read(stage="export") == []


def test_the_last_lines_are_taken_from_the_pod_where_it_has_enough(
    two_attempts: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert two_attempts.read(rank=0, tail=3) == ["train 0 b", "train 0 c", "train 0 e"]

    forbid_storage(monkeypatch)
    assert two_attempts.read(tail=1, merge=True) == ["train 1 d", "train 0 e"]


def test_since_goes_by_the_nodes_clock(run: Run) -> None:
    pod = run.begin("train")
    run.kubelet.print(pod, *prefixed(0, "old"))
    run.kubelet.rotate(pod)
    ticks = iter(range(3600 * 10**9, 10**15, 10**9))
    run.kubelet.nanoseconds = ticks  # type: ignore[assignment]
    run.kubelet.print(pod, *prefixed(0, "1h ago"), *prefixed(0, "59m59s ago"))
    run.clock.now = BEGAN + 7200.5

    assert run.read(since_s=3600.0) == ["train 0 59m59s ago"]


class NoStorage:
    def read(self, wanted: Wanted) -> Iterator[Record]:
        if wanted.attempts:
            raise NotKept("a reader cannot be made: forbidden")
        yield from ()


def forbid_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_logs, "FolderLogs", lambda _folder: NoStorage())


def test_without_the_storage_what_the_cluster_has_is_shown_and_what_is_missing_said(
    two_attempts: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forbid_storage(monkeypatch)

    assert two_attempts.read() == ["train 0 e", "train 1 d"]
    assert capsys.readouterr().err == "a reader cannot be made: forbidden; shown is what the cluster has\n"

    two_attempts.kubelet.delete("pods", "demo-train-2-x")
    with pytest.raises(NotKept, match="forbidden"):
        two_attempts.read()


def test_a_pod_that_never_ran_has_no_log_to_look_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_storage(monkeypatch)
    run.stage("train", State.STARTING)
    run.kubelet.start("train", 1, "Pending")

    assert run.read() == []


def test_follow_waits_goes_over_attempts_and_stages_and_ends_with_the_run(run: Run) -> None:
    def steps() -> Iterator[None]:
        run.stage("train", State.STARTING, 1, "Unschedulable", "0/2 nodes are available")
        pod = run.kubelet.start("train", 1, "Pending")
        yield from [None] * 9
        run.kubelet.phase(pod, "Running")
        run.begin("train")
        run.kubelet.print(pod, *prefixed(0, "a"))
        yield
        run.kubelet.print(pod, *prefixed(1, "b"), *prefixed(0, "c"))
        run.kubelet.rotate(pod)
        run.kubelet.print(pod, *prefixed(0, "d"))
        run.kubelet.phase(pod, "Failed")
        yield
        run.stage("train", State.RETRYING, 1, "RankFailed", "rank 1 failed")
        yield from [None] * 9
        pod = run.begin("train", 2)
        yield
        run.kubelet.print(pod, *prefixed(1, "e"))
        run.kubelet.delete("pods", pod)
        run.stage("train", State.SUCCEEDED, 2)
        pod = run.begin("evaluate")
        yield from [None] * 9
        run.kubelet.print(pod, *prefixed(0, "f"))
        run.kubelet.phase(pod, "Succeeded")
        run.stage("evaluate", State.SUCCEEDED)
        run.state(State.SUCCEEDED)

    run.steps = steps()

    assert run.follow() == [
        begins("train"),
        *("train 0 a", "train 1 b", "train 0 c", "train 0 d"),
        begins("train", 2),
        "train 1 e",
        begins("evaluate"),
        "evaluate 0 f",
    ]
    assert run.said == [
        "waiting for run/demo (Pending)",
        "waiting for train of run/demo (Starting, Unschedulable: 0/2 nodes are available)",
        "waiting for train of run/demo (Retrying, RankFailed: rank 1 failed)",
    ]


def test_follow_endures_an_api_server_that_is_away_for_a_while(run: Run) -> None:
    pod = run.begin("train")

    def steps() -> Iterator[None]:
        for verb in ("list", "log"):
            run.kubelet.fail(verb, "pods", gone(), times=3)
            yield from [None] * 5
            run.kubelet.print(pod, *prefixed(0, verb))
            yield from [None] * 5
        run.kubelet.phase(pod, "Succeeded")
        run.state(State.SUCCEEDED)

    run.steps = steps()

    assert run.follow(rank=0) == ["train 0 list", "train 0 log"]
    assert "waiting for the cluster: the cluster cannot be reached" in run.said


@pytest.mark.parametrize(
    ("error", "times"), [(ApiError("pods is forbidden", 403, "Forbidden"), 1), (gone(), 1000)], ids=["refused", "away"]
)
def test_follow_does_not_end_quietly_where_the_cluster_is_lost(run: Run, error: BackendError, times: int) -> None:
    run.begin("train")
    run.kubelet.fail("log", "pods", error, times)

    with pytest.raises(type(error), match=str(error)):
        run.follow()


def test_follow_does_not_end_quietly_where_nobody_drives_the_run_any_more(run: Run) -> None:
    run.begin("train")
    run.state(State.UNKNOWN)
    lines = run.following(LogQuery(follow=True))
    next(lines)

    with pytest.raises(BackendError, match="launcher resume"):
        next(lines)


def test_the_log_of_an_attempt_on_a_lost_node_ends_when_the_next_begins(run: Run) -> None:
    first = run.begin("train")

    def steps() -> Iterator[None]:
        run.kubelet.print(first, *prefixed(0, "last words"))
        silence(first)
        yield from [None] * 5
        second = run.begin("train", 2)
        yield from [None] * 20
        run.kubelet.phase(second, "Succeeded")
        run.state(State.SUCCEEDED)

    def silence(pod: str) -> None:
        run.kubelet.kubelet[pod].lines = []

    run.steps = steps()

    assert run.follow() == [begins("train"), "train 0 last words", begins("train", 2)]


def ending(run: Run, *lines: str) -> Callable[[], Iterator[None]]:
    def steps() -> Iterator[None]:
        run.kubelet.print("demo-train-2-x", *lines)
        yield from [None] * 3
        run.kubelet.phase("demo-train-2-x", "Succeeded")
        run.state(State.SUCCEEDED)

    return steps


def test_follow_with_tail_begins_near_the_end_and_then_shows_all(
    two_attempts: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_storage(monkeypatch)
    two_attempts.steps = ending(two_attempts, *prefixed(1, "f"), *prefixed(1, "g"))()

    assert two_attempts.follow(tail=1) == ["train 0 e", "train 1 d", "train 1 f", "train 1 g"]
    assert two_attempts.said == []


def test_follow_with_a_tail_that_the_pod_has_forgotten_begins_on_the_storage(two_attempts: Run) -> None:
    two_attempts.steps = ending(two_attempts, *prefixed(0, "f"))()

    assert two_attempts.follow(tail=3, rank=0) == ["train 0 b", "train 0 c", "train 0 e", "train 0 f"]
