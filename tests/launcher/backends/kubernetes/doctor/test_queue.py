from __future__ import annotations

from typing import Any

from launcher.backends.kubernetes.doctor.queue import judge, no_kueue
from launcher.doctor import Level


def local_queue(name: str = "team-a", *conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"clusterQueue": "npus"},
        "status": {"conditions": list(conditions), **status},
    }


def active(status: str, **more: str) -> dict[str, str]:
    return {"type": "Active", "status": status, **more}


def test_an_active_queue_says_how_many_wait_in_it() -> None:
    found = judge("team-a", "lab", [local_queue("b"), local_queue("team-a", active("True"), pendingWorkloads=3)])
    assert found.level is Level.OK
    assert found.text == "team-a, of the cluster queue npus, is active: 3 wait, 0 have quota"


def test_a_queue_that_lets_nobody_go() -> None:
    stopped = local_queue("team-a", active("False", reason="Stopped", message="LocalQueue is stopped"))
    found = judge("team-a", "lab", [stopped])
    assert found.level is Level.ERROR
    assert found.text.endswith("is not active: LocalQueue is stopped")


def test_a_queue_that_kueue_has_not_seen() -> None:
    assert judge("team-a", "lab", [local_queue()]).level is Level.WARNING


def test_a_queue_that_is_not_there() -> None:
    found = judge("team-c", "lab", [local_queue("team-b"), local_queue("team-a")])
    assert (found.level, found.text) == (Level.ERROR, "no LocalQueue 'team-c' in lab")
    assert found.advice == "use one of its queues: team-a, team-b"
    assert "whoever runs the cluster" in judge("team-c", "lab", []).advice


def test_a_cluster_without_kueue() -> None:
    assert no_kueue("team-a").level is Level.ERROR
