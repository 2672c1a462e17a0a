"""When a program of the test cluster is built anew."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.build import digest, sources, superseded

FILES = {"go.mod": b"m", "go.sum": b"s", "main.go": b"1", "kubelet.go": b"2", "pod/main.go": b"3"}


def test_a_program_is_named_by_all_that_decides_it() -> None:
    known = digest(FILES, "go1.26", "kube")
    assert digest(dict(FILES), "go1.26", "kube") == known
    changed = [digest({**FILES, name: b"other"}, "go1.26", "kube") for name in ("go.mod", "go.sum", "kubelet.go")]
    names = {known, *changed, digest(FILES, "go1.27", "kube"), digest(FILES, "go1.26", "pod")}
    assert len(names) == 6


def test_each_program_has_its_own_sources() -> None:
    other_pod, other_kube = {**FILES, "pod/main.go": b"x"}, {**FILES, "main.go": b"x"}
    assert digest(other_pod, "go", "kube") == digest(FILES, "go", "kube")
    assert digest(other_kube, "go", "pod") == digest(FILES, "go", "pod")
    assert digest(other_pod, "go", "pod") != digest(FILES, "go", "pod")
    assert digest({**FILES, "main.go": b"x", "pod/main.go": b"x"}, "go", "kueue") == digest(FILES, "go", "kueue"), (
        "all is in its module"
    )


def test_the_newest_builds_stay(tmp_path: Path) -> None:
    builds = [tmp_path / f"kube-{number}" for number in range(5)]
    for number, build in enumerate(builds):
        build.touch()
        os.utime(build, (number, number))
    assert superseded(builds) == [builds[1], builds[0]]


def test_the_sources_are_found() -> None:
    assert {"go.mod", "go.sum", "main.go", "kubelet.go", "pod/main.go"} <= sources().keys()
