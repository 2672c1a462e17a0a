from __future__ import annotations

import pytest

from launcher.backends.kubernetes.api import Api
from launcher.errors import ApiError
from tests.launcher.backends.kubernetes.fake_api import FakeApi


def named(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": labels}}


def test_it_is_an_api_that_keeps_what_it_is_given() -> None:
    api: Api = FakeApi()
    made = api.create("configmaps", {**named("a", run="x"), "data": {"k": "1"}})
    assert made["metadata"]["uid"]
    with pytest.raises(ApiError, match="already exists") as refused:
        api.create("configmaps", named("a"))
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
    api.patch("configmaps", "a", {"data": {"k": None, "l": "2"}})
    assert api.get("configmaps", "a")["data"] == {"l": "2"}
    assert [found["metadata"]["name"] for found in api.list("configmaps", labels="run=x")] == ["a"]
    assert list(api.list("configmaps", labels="run=y")) == []
    assert list(api.list("configmaps", fields="metadata.name=b")) == []


def test_what_is_owned_goes_with_its_owner() -> None:
    api = FakeApi()
    owner = api.create("configmaps", named("owner"))
    api.put("jobs", {"metadata": {"name": "j", "ownerReferences": [{"uid": owner["metadata"]["uid"]}]}})
    api.delete("configmaps", "owner")
    api.delete("configmaps", "owner")
    assert api.objects == {}


def test_failures_on_demand() -> None:
    api = FakeApi()
    api.fail("get", "jobs", ApiError("no", 403, "Forbidden"))
    with pytest.raises(ApiError, match="no"):
        api.get("jobs", "a")
    with pytest.raises(ApiError) as missing:
        api.get("jobs", "a")
    assert missing.value.status == 404
