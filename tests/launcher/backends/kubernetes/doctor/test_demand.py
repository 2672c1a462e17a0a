from __future__ import annotations

from decimal import Decimal

import pytest

from launcher.backends.kubernetes.doctor import demand


def test_a_limit_is_a_request_too_where_none_is_set() -> None:
    pod = {
        "containers": [
            {"resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "1", "memory": "1Gi"}}},
            {"resources": {"limits": {"huawei.com/Ascend910": "8"}}},
            {},
        ]
    }
    asked = demand.of_pod(pod)
    assert asked.requests == {"cpu": Decimal("0.5"), "memory": 1 << 30, "huawei.com/Ascend910": 8}
    assert asked.limits == {"cpu": 1, "memory": 1 << 30, "huawei.com/Ascend910": 8}
    assert asked.without_limit == asked.without_request == {"cpu", "memory"}


def test_largest_and_total() -> None:
    one, two = {"cpu": Decimal(1), "memory": Decimal(5)}, {"cpu": Decimal(2)}
    assert demand.largest([one, two]) == {"cpu": 2, "memory": 5}
    assert demand.total(one, two) == {"cpu": 3, "memory": 5}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("cpu", "0.05", "50m"), ("cpu", "2", "2"), ("memory", str(3 << 29), "1.5Gi"), ("pods", "3", "3")],
)
def test_quantities_are_shown_as_kubernetes_writes_them(name: str, value: str, text: str) -> None:
    assert demand.shown(name, Decimal(value)) == text
