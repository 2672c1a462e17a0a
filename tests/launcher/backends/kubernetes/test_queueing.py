from __future__ import annotations

from typing import Any

import pytest

from launcher import names
from launcher.backends.kubernetes.queueing import MAX_PAUSE_S, Queue, is_held, is_suspended, waits
from launcher.errors import ApiError, Unreachable
from tests.launcher.backends.kubernetes.fake_api import FakeApi
from tests.launcher.fake_backend import FakeClock

FULL = "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 1 more needed"
WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/lab/workloads"
PENDING = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/lab/localqueues/team-a/pendingworkloads"


def workload(status: str = "False", message: str = "") -> dict[str, Any]:
    condition = {"type": "QuotaReserved", "status": status, "message": message}
    return {"metadata": {"name": "job-demo-train-1-8c1d2"}, "status": {"conditions": [condition]}}


def pending(own: int, whole: int, name: str = "job-demo-train-1-8c1d2") -> dict[str, Any]:
    return {"metadata": {"name": name}, "positionInLocalQueue": own, "positionInClusterQueue": whole}


@pytest.mark.parametrize(
    ("seen", "rows", "text"),
    [
        (None, [], "waits for quota in queue team-a"),
        (workload(), [], "waits for quota in queue team-a"),
        (workload(), [pending(0, 0, "other"), pending(1, 1)], "waits for quota in queue team-a, at place 2"),
        (
            workload(),
            [pending(0, 4)],
            "waits for quota in queue team-a, at place 1 (place 5 with the other queues of its quota)",
        ),
        (workload(message=FULL), [pending(0, 0)], f"waits for quota in queue team-a, at place 1: {FULL}"),
        (
            workload(message="LocalQueue team-a doesn't exist"),
            [],
            "waits for quota in queue team-a: LocalQueue team-a doesn't exist",
        ),
        (workload("True"), [], "has quota in queue team-a and waits for its admission checks"),
    ],
)
def test_what_a_job_waits_for(seen: dict[str, Any] | None, rows: list[dict[str, Any]], text: str) -> None:
    assert waits("team-a", seen, rows) == text


def job(*, suspend: bool | None = None, queue: str = "", **status: Any) -> dict[str, Any]:
    labels = {names.LABEL_QUEUE: queue} if queue else {}
    return {"metadata": {"labels": labels, "uid": "u1"}, "spec": {"suspend": suspend}, "status": status}


def test_only_a_suspended_job_with_a_queue_is_held_by_it() -> None:
    assert is_held(job(suspend=True, queue="q"))
    assert not is_held(job(suspend=True))
    assert not is_held(job(suspend=False, queue="q"))


def test_a_job_is_suspended_until_the_controller_begins_with_it() -> None:
    told = [{"type": "Suspended", "status": "True"}]
    assert is_suspended(job(suspend=True))
    assert is_suspended(job(suspend=False, conditions=told))
    assert not is_suspended(job(suspend=False, conditions=told, startTime="2026-01-01T00:00:00Z"))
    assert not is_suspended(job())


class World:
    """A cluster with Kueue, one Job of which waits."""

    def __init__(self) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        for group in ("kueue.x-k8s.io", "visibility.kueue.x-k8s.io"):
            self.api.answers[("GET", f"/apis/{group}")] = {"preferredVersion": {"version": "v1beta2"}}
        self.at(2)
        self.queue = Queue(self.api, self.clock)

    def at(self, place: int) -> None:
        self.api.answers[("GET", WORKLOADS)] = {"metadata": {}, "items": [workload()]}
        self.api.answers[("GET", PENDING)] = {"items": [pending(place, place)]}


def test_the_place_is_asked_for_again_as_time_goes() -> None:
    world, waiting = World(), job(suspend=True, queue="team-a")
    assert world.queue.tell(waiting).endswith("at place 3")
    world.at(1)
    world.clock.sleep(1)
    assert world.queue.tell(waiting).endswith("at place 2")
    asked = len(world.api.calls)
    world.clock.sleep(3600)
    world.queue.tell(waiting)
    world.clock.sleep(MAX_PAUSE_S - 1)
    world.queue.tell(waiting)
    assert len(world.api.calls) == asked + 2, "one look: the workload and the queue"


def test_of_another_job_nothing_is_kept() -> None:
    world, waiting = World(), job(suspend=True, queue="team-a")
    world.queue.tell(waiting)
    world.at(0)
    waiting["metadata"]["uid"] = "u2"
    assert world.queue.tell(waiting).endswith("at place 1")


@pytest.mark.parametrize("path", ["/apis/visibility.kueue.x-k8s.io", PENDING, "/apis/kueue.x-k8s.io", WORKLOADS])
@pytest.mark.parametrize("status", [403, 404, 503])
def test_what_may_not_be_asked_is_left_out(path: str, status: int) -> None:
    world = World()
    world.api.fail("request", path, ApiError("no", status))
    assert world.queue.tell(job(suspend=True, queue="team-a")) == "waits for quota in queue team-a"


def test_a_cluster_that_does_not_answer_is_told() -> None:
    world = World()
    world.api.fail("request", WORKLOADS, Unreachable("no answer"))
    with pytest.raises(Unreachable):
        world.queue.tell(job(suspend=True, queue="team-a"))
