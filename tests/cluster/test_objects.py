"""Objects of a fresh cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.layout import FAKE_ACCELERATORS
from tests.cluster.objects import fake_capacity, fake_note, first_objects, offers, ready


def node(ready: str, capacity: dict[str, str], allocatable: dict[str, str], *, note: bool = True) -> dict[str, Any]:
    return {
        "metadata": fake_note()["metadata"] if note else {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "capacity": {"cpu": "2", **capacity},
            "allocatable": {"cpu": "2", **allocatable},
        },
    }


ALL = {name: str(count) for name, count in FAKE_ACCELERATORS.items()}


@pytest.mark.parametrize(
    ("seen", "offered", "usable"),
    [
        (node("True", ALL, ALL), True, True),
        (node("True", ALL, {}), True, False),
        (node("Unknown", ALL, ALL), True, False),
        (node("True", {}, {}), False, False),
        (node("True", {**ALL, "nvidia.com/gpu": "0"}, ALL), False, True),
        (node("True", ALL, ALL, note=False), False, True),
    ],
)
def test_a_node_is_ready_once_a_pod_may_have_the_accelerators(
    seen: dict[str, Any], offered: bool, usable: bool
) -> None:
    assert (offers(seen), ready(seen)) == (offered, usable)


def test_the_accelerators_are_called_fake() -> None:
    (note,) = fake_note()["metadata"]["annotations"].values()
    assert "fake" in note
    assert all(name in note for name in fake_capacity()["status"]["capacity"])


def test_each_object_is_sent_to_its_own_collection() -> None:
    for path, manifest in first_objects():
        assert path.rpartition("/")[2] == f"{manifest['kind'].lower()}s"
        assert manifest["apiVersion"] in path
