from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from launcher import spec_keys, spec_kubernetes
from launcher.spec import KubernetesSpec


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("namespace", "team-a", "team-a"),
        ("image", "127.0.0.1:5000/sphereface:1", "127.0.0.1:5000/sphereface:1"),
        ("image_pull_policy", "Always", "Always"),
        ("image_pull_secret", "", ""),
        ("image_pull_secret", "pull", "pull"),
        ("claim", "faces.v1", "faces.v1"),
        ("cpu", 2, "2"),
        ("cpu", 0.5, "500m"),
        ("memory", "1024Mi", "1Gi"),
        ("shm", "64Mi", "64Mi"),
        ("user", "1000", 1000),
        ("node_selector.kubernetes.io/arch", "arm64", "arm64"),
        ("labels.example.org/team-name", "q", "q"),
        ("labels.team", "", ""),
        ("annotations.huawei.com/schedule_policy", "any text, {{ of }}\nmany lines", "any text, {{ of }}\nmany lines"),
        ("tolerations", "a=b:NoSchedule, c", ("a=b:NoSchedule", "c")),
        ("tolerations", ["a", "a"], ("a",)),
        ("tolerations", [], ()),
        ("priority_class", "high", "high"),
        ("queue", "", ""),
        ("queue", "team-a.v1", "team-a.v1"),
        ("start_deadline_s", "60", 60.0),
        ("templates", "mine", "mine"),
    ],
)
def test_a_value_becomes_the_type_of_its_key(key: str, raw: Any, value: Any) -> None:
    converted = spec_keys.convert(f"kubernetes.{key}", raw)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("key", "raw", "message"),
    [
        ("imgae", "x", r"unknown key 'kubernetes.imgae' \(did you mean 'image'\?\); it has namespace, image,"),
        ("image.tag", "x", "unknown key 'kubernetes.image.tag'; kubernetes.image has no keys of its own"),
        ("labels", "x", "kubernetes.labels is a section of keys to texts"),
        ("namespace", "Team", "kubernetes.namespace must be lower-case letters"),
        ("image", "", "kubernetes.image must be an image"),
        ("image", None, "kubernetes.image must be text, not None"),
        ("image", "SphereFace", "kubernetes.image must be an image .* a name is lower-case"),
        ("image_pull_policy", "always", r"kubernetes.image_pull_policy must be one of .* \(did you mean 'Always'\?\)"),
        ("image_pull_secret", "a b", "kubernetes.image_pull_secret must be"),
        ("claim", "", "kubernetes.claim must be lower-case"),
        ("queue", "Team", "kubernetes.queue must be lower-case"),
        ("queue", "a" * 64, "kubernetes.queue must be .* at most 63"),
        ("labels.kueue.x-k8s.io/queue-name", "q", "would hold back the runner too; name the queue by kubernetes.queue"),
        ("cpu", "two", "kubernetes.cpu must be a quantity"),
        ("cpu", 0, "kubernetes.cpu must be at least 1m, not '0'"),
        ("memory", "8m", "kubernetes.memory must be at least 16Mi, not '8m'"),
        ("memory", "8GB", "kubernetes.memory must be a quantity as 500m, 2, 8Gi, not '8GB'"),
        ("shm", "1", "kubernetes.shm must be at least 1Mi"),
        ("driver", "Host", "kubernetes.driver must be one of runtime, host, not 'Host'"),
        ("driver", "", "kubernetes.driver must be one of runtime, host"),
        ("driver", True, "kubernetes.driver must be text, not True"),
        ("driver.host", "x", "kubernetes.driver has no keys of its own"),
        ("user", 0, "kubernetes.user must be at least 1, not 0"),
        ("user", 2**31, "kubernetes.user must be at most 2147483647"),
        ("start_deadline_s", 0, "kubernetes.start_deadline_s must be at least 1"),
        ("start_deadline_s", "1e300", "kubernetes.start_deadline_s must be at most"),
        ("tolerations", {"a": 1}, "kubernetes.tolerations must be a list of texts"),
        ("tolerations", ["a=b"], "kubernetes.tolerations must be key=value:EFFECT"),
        ("node_selector.a b", "c", "kubernetes.node_selector has a key|kubernetes.node_selector.* has a key"),
        ("labels.a", 1, "kubernetes.labels.a must be text, not 1; put it in quotes"),
        ("labels.a", True, "kubernetes.labels.a must be text, not True; put it in quotes"),
        ("labels.a", "b c", "kubernetes.labels.a must be letters"),
        ("labels.launcher.seed/run", "x", "is set by the launcher or by Kubernetes itself"),
        ("labels.app.kubernetes.io/part-of", "x", "is set by the launcher or by Kubernetes itself"),
        ("labels.job-name", "x", "is set by the launcher or by Kubernetes itself"),
        ("labels.batch.kubernetes.io/controller-uid", "x", "is set by the launcher or by Kubernetes itself"),
        ("annotations.launcher.seed/cancel", "x", "is not for users to set"),
        ("annotations.kubectl.kubernetes.io/last-applied-configuration", "x", "is not for users to set"),
        ("annotations.a", "x" * 250_001, "has more than 250000 bytes"),
        ("templates", "", "kubernetes.templates must be a folder"),
        ("labels.a\x00", "x", "must be text: no NUL"),
        ("annotations.a", "x\udcff", "no bytes that are not UTF-8"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_with_the_key(key: str, raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        spec_keys.convert(f"kubernetes.{key}", raw)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_keys_are_the_fields_and_every_default_is_allowed() -> None:
    for field in dataclasses.fields(KubernetesSpec):
        if field.name not in (*spec_kubernetes.MAPS, "templates"):
            default = getattr(KubernetesSpec(), field.name)
            given = list(default) if isinstance(default, tuple) else default
            assert spec_keys.convert(f"kubernetes.{field.name}", given) == default


def test_values_become_a_section() -> None:
    values = {"image": "a:1", "labels.x/y.z": "v", "node_selector.a": "b", "tolerations": ("t",), "templates": "/f"}
    made = spec_kubernetes.make(values, {"stage.yaml.j2": "text"})
    assert made == KubernetesSpec(
        image="a:1",
        labels={"x/y.z": "v"},
        node_selector={"a": "b"},
        tolerations=("t",),
        templates={"stage.yaml.j2": "text"},
    )
