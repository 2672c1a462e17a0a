from __future__ import annotations

from launcher.backends.kubernetes.doctor import rights
from launcher.backends.kubernetes.doctor.rights import Right
from launcher.doctor import Level


def test_a_right_is_asked_for_as_the_api_wants_it() -> None:
    right = Right("get", "pods", subresource="log")
    assert right.review("lab") == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "lab", "verb": "get", "resource": "pods", "subresource": "log"}},
    }


def test_rights_of_verbs_are_read_as_kubectl_writes_them() -> None:
    of_verbs = rights.of_verbs()
    assert Right("create", "roles", "rbac.authorization.k8s.io", purpose="submit") in of_verbs
    assert Right("get", "pods", subresource="log", purpose="logs") in of_verbs


def test_rights_of_a_role_keep_the_names_that_they_are_for() -> None:
    role = {
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["demo-status"], "verbs": ["patch"]},
        ]
    }
    listed = [str(right) for right in rights.of_role(role)]
    assert listed == ["get jobs.batch", "list jobs.batch", "patch configmaps demo-status"]


def test_nothing_missing_is_one_line() -> None:
    (finding,) = rights.judge([], 25, "lab")
    assert finding.level is Level.OK


def test_what_is_missing_is_told_by_verb() -> None:
    missing = [
        Right("create", "jobs", "batch", purpose="submit"),
        Right("create", "configmaps", purpose="submit"),
        Right("list", "events", purpose="status"),
        Right("watch", "pods", purpose=rights.RUNNER),
    ]
    submit, status, runner = rights.judge(missing, 25, "lab")
    assert submit.text == "may not create jobs.batch, create configmaps in lab, which 'launcher submit' needs"
    assert "'launcher status'" in status.text
    assert "nobody gives what he has not" in runner.text
    assert {one.level for one in (submit, status, runner)} == {Level.ERROR}
