from __future__ import annotations

from typing import Any

import pytest

from launcher import podsecurity, render
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from tests.launcher import pods


@pytest.mark.parametrize("case", pods.CASES)
def test_the_level_of_a_pod_and_why_not_a_stricter_one(case: str) -> None:
    pod, level, reason = pods.CASES[case]
    verdict = podsecurity.level(pod)
    assert verdict.level == level
    next_level = {"privileged": "baseline", "baseline": "restricted"}.get(level)
    if next_level is None:
        assert verdict.findings == ()
    else:
        assert reason in "\n".join(finding.text for finding in verdict.findings if finding.level == next_level)


def template(pod: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": pod["metadata"], "spec": pod["spec"]}


def test_what_makes_pods_from_a_template_is_judged_by_it() -> None:
    bad = template(pods.CASES["host-network"][0])
    job = {"kind": "Job", "metadata": {"name": "j"}, "spec": {"template": bad}}
    cron = {"kind": "CronJob", "metadata": {"name": "c"}, "spec": {"jobTemplate": {"spec": {"template": bad}}}}
    assert podsecurity.level(job).level == podsecurity.level(cron).level == "privileged"


def test_objects_without_pods_meet_every_level() -> None:
    for manifest in ({"kind": "ConfigMap", "data": {}}, {"kind": "Role"}, {"kind": "Job", "spec": None}):
        assert podsecurity.level(manifest) == podsecurity.Verdict("restricted", ())


def test_an_apparmor_annotation_counts() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/c"
    assert podsecurity.level(pods.pod(pods.LOCKED, {key: "unconfined"})).level == "privileged"
    assert podsecurity.level(pods.pod(pods.LOCKED, {key: "runtime/default"})).level == "restricted"


def test_a_windows_pod_needs_none_of_what_linux_has() -> None:
    spec = {**pods.LOCKED, "os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}}
    spec["containers"] = [{"name": "c", "image": "i"}]
    assert podsecurity.level(pods.pod(spec)).level == "restricted"


def test_several_objects_meet_what_all_of_them_meet() -> None:
    verdict = podsecurity.strictest_of_all([pods.locked(), pods.BARE, pods.locked(hostPID=True)])
    assert verdict.level == "privileged"
    assert [finding.level for finding in verdict.findings].count("baseline") == 1
    assert all(finding.text.startswith("Pod/p: ") for finding in verdict.findings)
    assert podsecurity.strictest_of_all([]).level == "restricted"


def test_everything_of_a_run_is_restricted() -> None:
    made = RunSpec("demo", device="gpu", storage="/storage", train={"train_img_dir": "/f"}, kubernetes=KubernetesSpec())
    plan = make_plan(made)
    objects = [*render.manifests(plan), *render.stage_manifests(plan).values()]
    objects += [render.cleaner_job(plan), render.reader_pod(plan, "x1", ["cat"])]
    assert podsecurity.strictest_of_all(objects) == podsecurity.Verdict("restricted", ())
