"""Manifests of a test's namespace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.access import Kubectl, claim_manifest, namespace_manifest, volume_manifest


def test_a_namespace_enforces_the_restricted_level() -> None:
    assert namespace_manifest("n")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_claim_is_bound_to_the_volume_made_for_it() -> None:
    volume, claim = volume_manifest("n", Path("/files")), claim_manifest("n", "", "n-sphereface")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["claimRef"] == {"namespace": "n", "name": claim["metadata"]["name"]}
    assert volume["spec"]["accessModes"] == claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_another_clusters_claim_takes_its_default_class() -> None:
    assert "storageClassName" not in claim_manifest("n", None, None)["spec"]


def test_a_failed_kubectl_says_why(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"kubectl get nodes: .*no-such"):
        Kubectl(tmp_path / "no-such")("get", "nodes")
