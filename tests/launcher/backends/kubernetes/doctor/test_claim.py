from __future__ import annotations

from typing import Any

import pytest

from launcher.backends.kubernetes.doctor import claim
from launcher.doctor import Level

NFS = {"metadata": {"name": "nfs", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
LATE = {"metadata": {"name": "late"}, "volumeBindingMode": "WaitForFirstConsumer"}


def made(phase: str, mode: str = "ReadWriteMany", storage_class: str | None = None, **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": [mode]}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "capacity": {"storage": "20Gi"}}}


def test_a_claim_that_is_bound_and_shared() -> None:
    finding = claim.judge("faces", "lab", made("Bound"), [])
    assert (finding.level, finding.text) == (Level.OK, "claim faces is bound, ReadWriteMany, 20Gi")


def test_a_claim_that_is_not_there_names_the_classes_to_choose_from() -> None:
    finding = claim.judge("faces", "lab", None, [NFS, LATE])
    assert finding.level is Level.ERROR
    assert "in one of the storage classes nfs (default), late" in finding.advice
    assert "storage class" not in claim.judge("faces", "lab", None, None).advice


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        (made("Bound", "ReadWriteOnce"), Level.WARNING, "only pods on one node"),
        (made("Bound", "ReadOnlyMany"), Level.ERROR, "is ReadOnlyMany, not ReadWriteMany"),
        (made("Pending", storage_class="none"), Level.ERROR, "there is no storage class 'none'"),
        (made("Pending", storage_class="late"), Level.OK, "as soon as the first pod uses it"),
        (made("Pending", storage_class="nfs"), Level.ERROR, "class nfs has made no volume yet"),
        (made("Pending", storage_class=""), Level.ERROR, "names no storage class"),
        (made("Lost"), Level.ERROR, "has lost its volume"),
        (made("Bound", deletionTimestamp="2026-01-01T00:00:00Z"), Level.ERROR, "is being deleted"),
    ],
)
def test_what_is_wrong_with_a_claim(found: dict[str, Any], level: Level, words: str) -> None:
    finding = claim.judge("faces", "lab", found, [NFS, LATE])
    assert finding.level is level
    assert words in finding.text
