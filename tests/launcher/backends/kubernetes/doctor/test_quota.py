from __future__ import annotations

from typing import Any

import pytest

from launcher import render
from launcher.backends.kubernetes.doctor import demand, quota
from launcher.doctor import Finding, Level
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec


def plan(devices: int = 8) -> Plan:
    return make_plan(
        RunSpec("demo", "ascend910", devices, "/storage", kubernetes=KubernetesSpec(cpu="2", memory="4Gi"))
    )


def judged(*quotas: dict[str, Any], ranges: tuple[dict[str, Any], ...] = (), priority: str = "") -> list[Finding]:
    made = plan()
    manifests, stages = render.manifests(made), list(render.stage_manifests(made).values())
    pods = [demand.of_pod(demand.pod_spec(job)) for job in (*manifests, *stages) if job["kind"] == "Job"]
    return list(quota.judge(quotas, ranges, quota.usage(manifests, stages), pods, priority))


def resource_quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "team"},
        "spec": {"hard": hard, **spec},
        "status": {"hard": hard, "used": used or {}},
    }


def test_what_a_run_asks_for_is_its_runner_and_its_largest_stage() -> None:
    made = plan()
    asked = quota.usage(render.manifests(made), list(render.stage_manifests(made).values()))
    assert asked["requests.huawei.com/Ascend910"] == 8
    assert float(asked["requests.cpu"]) == 2.05
    assert asked["pods"] == 2
    assert asked["count/jobs.batch"] == 4
    assert asked["configmaps"] == 2


def test_no_quota_is_no_matter() -> None:
    (finding,) = judged()
    assert finding.text == "no ResourceQuota in the namespace"


def test_enough_is_left() -> None:
    (finding,) = judged(resource_quota({"requests.cpu": "10", "pods": "5"}, {"requests.cpu": "7", "pods": "3"}))
    assert finding.level is Level.OK


def test_a_quota_that_can_never_hold_the_run_is_an_error() -> None:
    (finding,) = judged(resource_quota({"requests.huawei.com/Ascend910": "4"}))
    assert finding.level is Level.ERROR
    assert finding.text == "requests.huawei.com/Ascend910: the run asks for 8, and team allows 4 in all"


def test_a_quota_that_others_use_now_is_a_warning() -> None:
    (finding,) = judged(resource_quota({"requests.memory": "8Gi"}, {"requests.memory": "6Gi"}))
    assert finding.level is Level.WARNING
    assert "the run asks for 4.25Gi, and of team 2Gi of 8Gi are left" in finding.text


def test_a_quota_on_what_our_pods_do_not_set_refuses_them_all() -> None:
    hard = {"limits.cpu": "100"}
    (finding,) = judged(resource_quota(hard))
    assert finding.level is Level.ERROR
    assert finding.text.startswith("team counts limits.cpu")
    default = {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}}
    (finding,) = judged(resource_quota(hard), ranges=(default,))
    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("spec", "priority", "counts"),
    [
        ({"scopes": ["BestEffort"]}, "", False),
        ({"scopes": ["Terminating"]}, "", False),
        ({"scopes": ["NotTerminating"]}, "", True),
        (({"operator": "In", "values": ["high"]}), "high", True),
        (({"operator": "In", "values": ["high"]}), "low", False),
        (({"operator": "NotIn", "values": ["high"]}), "", True),
        (({"operator": "Exists"}), "", False),
        (({"operator": "DoesNotExist"}), "", True),
    ],
)
def test_a_quota_for_other_pods_does_not_count(spec: dict[str, Any], priority: str, counts: bool) -> None:
    if "operator" in spec:
        spec = {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", **spec}]}}
    (finding,) = judged(resource_quota({"pods": "1"}, **spec), priority=priority)
    assert (finding.level is Level.ERROR) == counts
