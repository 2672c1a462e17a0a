from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from launcher import kubernetes_values as syntax


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("1.", "1"),
        ("1e3", "1k"),
        ("12E-1", "1200m"),
        ("1E", "1E"),
        ("2000000", "2M"),
        ("100u", "100u"),
        ("007", "7"),
    ],
)
def test_a_quantity_in_the_form_that_kubernetes_gives_back(given: str, canonical: str) -> None:
    assert syntax.quantity(given, low="1n") == canonical
    assert syntax.quantity(canonical, low="1n") == canonical
    assert syntax.amount(given) == syntax.amount(canonical)


@pytest.mark.parametrize(
    "given",
    ["", "8 Gi", "8gi", "8GB", "8Gib", "-1", "+1", "1e", "1Gi ", "Gi", ".", "1_000", "0x8", "٣", "1\n", "9" * 60],
)
def test_what_is_no_quantity_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="must be a quantity as 500m, 2, 8Gi, not '"):
        syntax.quantity(given, low="1m")


@pytest.mark.parametrize(
    ("given", "message"),
    [("8m", "must be at least 16Mi, not '8m'"), ("0", "must be at least 16Mi"), ("9999E", "more than a cluster can")],
)
def test_a_quantity_that_is_too_small_or_too_large_is_refused(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        syntax.quantity(given, low="16Mi")


def test_an_amount_is_rounded_up_as_kubernetes_does() -> None:
    assert syntax.amount("0.1n") == Decimal("1e-9")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("a=b:NoSchedule", {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}),
        ("a=:NoExecute", {"key": "a", "operator": "Equal", "value": "", "effect": "NoExecute"}),
        ("nvidia.com/gpu:NoSchedule", {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}),
        ("dedicated", {"key": "dedicated", "operator": "Exists"}),
    ],
)
def test_a_toleration_as_kubectl_taint_writes_it(given: str, made: dict[str, str]) -> None:
    assert syntax.toleration(given) == made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a=b", "must be key=value:EFFECT"),
        ("a:NoShedule", "EFFECT one of NoSchedule, PreferNoSchedule, NoExecute, not 'a:NoShedule'"),
        ("a=b:", "must be key=value:EFFECT"),
        (":NoSchedule", "has a key that Kubernetes does not take: ''"),
        ("a=b c:NoSchedule", "must be letters, digits"),
        ("a b", "has a key that Kubernetes does not take"),
    ],
)
def test_what_is_no_toleration_is_refused(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        syntax.toleration(given)


@pytest.mark.parametrize(
    "given",
    [
        "sphereface",
        "sphereface:cpu",
        "127.0.0.1:5000/sphereface:1.0",
        "registry.example.org/team/sphere_face__x/a-b:v1",
        f"127.0.0.1:5000/sphereface@sha256:{'0' * 64}",
        f"a:b@sha256:{'f' * 64}",
        "[::1]:5000/a",
        "Registry.example.org/a",
    ],
)
def test_images(given: str) -> None:
    assert syntax.image(given) == given


@pytest.mark.parametrize(
    "given",
    ["", "a b", "a:", "a@sha256:00", "/a", "a//b", "a:b:c", "-a", "a/B", "http://a/b", f"a:{'x' * 129}", "a" * 256],
)
def test_what_is_no_image_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="must be an image as registry/name:tag"):
        syntax.image(given)


def test_an_image_in_capitals_is_told_so() -> None:
    with pytest.raises(ValueError, match="a name is lower-case"):
        syntax.image("SphereFace:cpu")


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (syntax.dns_label, ["a", "a-1", "1", "x" * 63], ["", "A", "-a", "a-", "a.b", "a_b", "x" * 64, "a\n", "ä"]),
        (syntax.dns_subdomain, ["a", "a.b-c", "x" * 253], ["", "a..b", ".a", "a.", "A", "a/b", "x" * 254, "a\n"]),
        (
            syntax.label_key,
            ["a", "a/b", "a.b/C_d.e", "kueue.x-k8s.io/queue-name", "x" * 63, "y" * 253 + "/a"],
            ["", "/a", "a/", "a/b/c", "A/b", "-a", "a-", "x" * 64, "y" * 254 + "/a", "a b", "a\n", "a=b"],
        ),
        (
            syntax.label_value,
            ["", "a", "A_b.c-d", "1", "x" * 63],
            [" ", "-a", "a-", "a/b", "a:b", "x" * 64, "a\n", "ä"],
        ),
        (
            syntax.resource_name,
            ["huawei.com/Ascend910", "nvidia.com/gpu"],
            ["cpu", "", "/gpu", "kubernetes.io/gpu", "a.kubernetes.io/x", "nvidia.com/", "a b/c"],
        ),
    ],
)
def test_names_keys_and_labels(check: Callable[[str], Any], good: list[str], bad: list[str]) -> None:
    assert [check(text) for text in good] == good
    for text in bad:
        with pytest.raises(ValueError, match=r"not |does not take") as caught:
            check(text)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300
