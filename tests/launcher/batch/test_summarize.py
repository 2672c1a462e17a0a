from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher import record
from launcher.batch import summarize
from launcher.batch.indexed_job import IndexedJob
from launcher.errors import ApiError, BackendError
from launcher.facts import Attempt
from launcher.marker import MarkedFile, Marker, write_marker
from tests.launcher.backends.kubernetes.fake_api import FakeApi
from tests.launcher.fake_backend import FakeClock


def job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "june"}, "spec": {"completions": 2}, "status": status}


ENDED = job(completedIndexes="0-1", conditions=[{"type": "Complete", "status": "True"}])


def wait(api: FakeApi, *steps: Callable[[], object]) -> IndexedJob:
    """Between two looks, one of the steps happens."""
    clock, rest = FakeClock(), iter(steps)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        next(rest, lambda: None)()

    return summarize.wait_for_end(api, "june", clock=clock, sleep=sleep)


def test_it_waits_for_a_job_that_is_applied_after_it_and_through_an_outage() -> None:
    api = FakeApi()
    ended = wait(
        api,
        lambda: api.put("jobs", job()),
        lambda: api.fail("get", "jobs", BackendError("the cluster cannot be reached")),
        lambda: api.fail("get", "jobs", ApiError("too busy", 503)),
        lambda: api.put("jobs", ENDED),
    )
    assert ended.completed == {0, 1}


def test_a_job_that_never_comes_is_an_error() -> None:
    with pytest.raises(ApiError, match='"june" not found'):
        wait(FakeApi())


def test_a_right_that_is_missing_is_an_error_at_once() -> None:
    api = FakeApi()
    api.fail("get", "jobs", ApiError("forbidden", 403, "Forbidden"))
    with pytest.raises(ApiError, match="forbidden"):
        wait(api)


def test_the_three_files_say_the_same_and_a_second_time_gives_the_same_bytes(tmp_path: Path) -> None:
    good = tmp_path / "batch/june/0-a/evaluate"
    bad = tmp_path / "batch/june/1-b/evaluate"
    write_marker(good, Marker("evaluate", "hash", 1, (MarkedFile("lfw.json", 1, ""),), {"accuracy": 0.875}))
    record.write_attempt(bad, Attempt(1, 1.0, 2.0, exit_code=42, reason="ConfigurationError", message="is cut short"))
    ended = IndexedJob(2, ended=True, completed=frozenset({0}), failed=frozenset({1}))
    text = summarize.write(tmp_path, "june", ["x/a.ckpt", "x/b.ckpt"], ended)
    batch = tmp_path / "batch/june"
    written = {name: (batch / name).read_bytes() for name in ("summary.json", "summary.csv", "summary.md")}
    assert written["summary.md"].decode() == text
    results = json.loads(written["summary.json"])["results"]
    assert [(one["checkpoint"], one.get("accuracy"), one.get("message")) for one in results] == [
        ("x/a.ckpt", 0.875, None),
        ("x/b.ckpt", None, "is cut short"),
    ]
    assert results[0]["folder"] == str(batch / "0-a")
    summarize.write(tmp_path, "june", ["x/a.ckpt", "x/b.ckpt"], ended)
    assert {name: (batch / name).read_bytes() for name in written} == written
