from __future__ import annotations

from typing import Any

import pytest

from launcher import names, podsecurity
from launcher.batch import manifests
from launcher.errors import SpecError, UsageError
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec, StagePolicy

DATA = {"datatxt_src": "/storage/a", "pairtxt_src": "/storage/b", "datasrc": "/storage/c", "ckpt_files": "/storage/x"}


def plan(*, device: str = "cpu", policy: StagePolicy | None = None, **kubernetes: Any) -> Plan:
    return make_plan(
        RunSpec(
            "june",
            device=device,
            storage="/storage",
            stages=("evaluate",),
            evaluate=DATA,
            env={"PRICE": "$(HOME)"},
            policy={"evaluate": policy or StagePolicy()},
            kubernetes=KubernetesSpec(namespace="lab", **kubernetes),
        )
    )


def rendered(made: Plan, *lines: str, parallelism: int = 2) -> dict[str, Any]:
    """By `KIND name`."""
    listed = manifests.manifests(made, lines or ("a.ckpt", "b.ckpt", "c.ckpt"), parallelism=parallelism)
    return {f"{one['kind']} {one['metadata']['name']}": one for one in listed}


def test_it_is_these_objects_in_an_order_that_can_be_applied() -> None:
    assert list(rendered(plan())) == [
        "ConfigMap june-checkpoints",
        "ServiceAccount june-summary",
        "Role june-summary",
        "RoleBinding june-summary",
        "Job june",
        "Job june-summary",
    ]


def test_one_index_a_checkpoint_and_a_bad_one_fails_alone() -> None:
    made = rendered(plan(policy=StagePolicy(retries=1)))
    spec = made["Job june"]["spec"]
    assert made["ConfigMap june-checkpoints"]["data"] == {"checkpoints.txt": "a.ckpt\nb.ckpt\nc.ckpt\n"}
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 2)
    assert spec["backoffLimitPerIndex"] == 1
    assert "maxFailedIndexes" not in spec
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["FailIndex", "Ignore"]


def test_no_more_at_once_than_there_are() -> None:
    assert rendered(plan(), "a.ckpt", parallelism=5)["Job june"]["spec"]["parallelism"] == 1


def test_what_the_judge_is_told() -> None:
    container = rendered(plan(policy=StagePolicy(deadline_s=90)))["Job june"]["spec"]["template"]["spec"]["containers"][
        0
    ]
    assert container["args"] == [
        "--name=june",
        "--storage=/storage",
        "--list=/etc/launcher/checkpoints.txt",
        "--deadline=90",
        "--",
        "--datasrc=/storage/c",
        "--datatxt_src=/storage/a",
        "--device_target=CPU",
        "--pairtxt_src=/storage/b",
    ]
    assert {"name": "PRICE", "value": "$$(HOME)"} in container["env"]


def test_one_device_an_index() -> None:
    made = rendered(plan(device="gpu"))["Job june"]["spec"]["template"]["spec"]
    assert made["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in made["tolerations"]


def test_the_summary_may_look_at_its_own_job_and_nothing_else() -> None:
    made = rendered(plan())
    assert made["Role june-summary"]["rules"] == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "resourceNames": ["june"], "verbs": ["get"]}
    ]
    assert made["Job june"]["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("job", ["Job june", "Job june-summary"])
def test_pods_meet_restricted(job: str) -> None:
    made = rendered(plan(image_pull_secret="registry", priority_class="low", node_selector={"zone": "a"}))[job]
    assert podsecurity.level(made).level == podsecurity.RESTRICTED
    pod = made["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"zone": "a"}


def test_no_verb_on_runs_finds_a_batch() -> None:
    for one in rendered(plan(labels={"team": "faces"})).values():
        labels = one["metadata"]["labels"]
        assert labels["launcher.seed/batch"] == "june"
        assert labels["team"] == "faces"
        assert "launcher.seed/run" not in labels


def test_the_job_that_judges_alone_waits_in_the_queue() -> None:
    made = rendered(plan(queue="team-a"))
    assert made["Job june"]["metadata"]["labels"][names.LABEL_QUEUE] == "team-a"
    holders = [one for key, one in made.items() if key != "Job june"]
    holders += [made[key]["spec"]["template"] for key in ("Job june", "Job june-summary")]
    assert not any(names.LABEL_QUEUE in holder["metadata"]["labels"] for holder in holders)


@pytest.mark.parametrize("line", ["# a.ckpt", "a\nb", " a.ckpt", ""])
def test_a_name_that_the_list_cannot_hold_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="is no checkpoint's name"):
        manifests.manifests(plan(), ["a.ckpt", line])


def test_a_list_that_is_too_long_is_refused() -> None:
    with pytest.raises(SpecError, match="the list of 20000 checkpoints is longer than the 1024 KiB"):
        manifests.manifests(plan(), ["x" * 60] * 20_000)


def test_the_job_that_judges_has_the_labels_of_the_device_and_its_driver_where_that_is_asked_for() -> None:
    made = rendered(plan(device="ascend310p", driver="host", labels={"team": "a"}))
    job = made["Job june"]
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"]["ring-controller.atlas"] == "ascend-310P"
        assert (metadata["labels"]["team"], metadata["labels"][names.LABEL_BATCH]) == ("a", "june")
    assert podsecurity.level(job).level == podsecurity.PRIVILEGED
    assert "ring-controller.atlas" not in made["Job june-summary"]["metadata"]["labels"]
    assert podsecurity.level(made["Job june-summary"]).level == podsecurity.RESTRICTED
