from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sphereface.errors import ConfigError, UnsupportedError
from sphereface.stores import open_store
from sphereface.stores.file_store import FileStore


def test_a_url_opens_the_store_of_its_kind(tmp_path: Path) -> None:
    assert isinstance(open_store(f"file://{tmp_path}"), FileStore)
    assert open_store(f"file://{tmp_path}").url == f"file://{tmp_path}"


@pytest.mark.parametrize("url", ["obs://bucket/data/", "/bucket/data/"])
def test_obs_without_moxing_says_what_to_do(url: str) -> None:
    if importlib.util.find_spec("moxing"):
        pytest.skip("this is ModelArts")
    with pytest.raises(UnsupportedError, match=r"obs://bucket/data: needs moxing") as caught:
        open_store(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://host/a", "file://relative", "s3://", "obs:///", "folder"])
def test_other_places_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="not a place"):
        open_store(url)
