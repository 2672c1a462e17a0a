"""Folders and names of the test cluster."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.layout import NODES, Layout, folders


def test_folders_follow_the_xdg_rules() -> None:
    assert folders({"HOME": "/h"}) == (Path("/h/.local/state/seed-cluster"), Path("/h/.cache/seed-cluster"))
    moved = {"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c"}
    assert folders(moved) == (Path("/s/seed-cluster"), Path("/c/seed-cluster"))


def test_no_two_nodes_share_a_cgroup_even_of_two_clusters() -> None:
    layouts = [Layout(Path(state), Path("/c"), Path("/k")) for state in ("/one", "/two")]
    assert len({layout.cgroup(node) for layout in layouts for node in NODES}) == 4


def test_the_registry_outlives_the_state() -> None:
    layout = Layout(Path("/s"), Path("/c"), Path("/k"))
    assert layout.registry.is_relative_to(layout.cache)
    assert layout.storage.is_relative_to(layout.state)
