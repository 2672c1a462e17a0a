"""Starting, recognising and killing processes: real ones."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.layout import Layout
from tests.cluster.parts import Part
from tests.cluster.processes import answers, end, kill, marked, recorded, running, start, until, wait_for


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    for folder in ("run", "log"):
        (tmp_path / folder).mkdir()
    yield Layout(tmp_path, tmp_path / "cache", tmp_path / "kube")
    end(marked(tmp_path))


def sleeper(layout: Layout) -> Part:
    return Part("sleeper", ("sleep", "60"), str(layout.state / "socket"))


def test_a_part_is_started_once_and_known_again(layout: Layout) -> None:
    pid = start(layout, sleeper(layout))
    assert start(layout, sleeper(layout)) == pid == running(layout, "sleeper")
    assert recorded(layout, "sleeper") == sleeper(layout)
    assert pid in set(marked(layout.state))


def test_a_killed_part_is_gone_and_another_takes_its_place(layout: Layout) -> None:
    old = start(layout, sleeper(layout))
    assert kill(layout, "sleeper") == old
    assert running(layout, "sleeper") is None
    assert kill(layout, "sleeper") is None
    assert start(layout, recorded(layout, "sleeper")) != old


def test_a_pid_that_another_process_took_over_does_not_count(layout: Layout) -> None:
    record = {"pid": os.getpid(), "started": "1", "argv": ["sleep"], "answers": "/x"}
    layout.record("sleeper").write_text(json.dumps(record))
    assert running(layout, "sleeper") is None


@pytest.mark.parametrize("text", ["", "{"])
def test_a_torn_record_is_none(layout: Layout, text: str) -> None:
    layout.record("sleeper").write_text(text)
    assert running(layout, "sleeper") is None


def test_a_part_that_never_was_is_told(layout: Layout) -> None:
    with pytest.raises(KeyError, match="no part 'nothing'"):
        recorded(layout, "nothing")


def test_a_part_that_ends_at_once_is_told_with_its_last_words(layout: Layout) -> None:
    part = Part("loud", ("sh", "-c", "echo no such flag >&2; exit 1"), str(layout.state / "socket"))
    start(layout, part)
    with pytest.raises(SystemExit, match=r"loud ended at once.*\nno such flag"):
        wait_for(layout, part)


def test_answers_at_a_port_and_at_a_socket_file(tmp_path: Path) -> None:
    assert not answers(str(tmp_path / "none"))
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as inet:
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        inet.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{inet.getsockname()[1]}"
        assert not answers(address)
        inet.listen()
        assert answers(address)
        assert answers(str(tmp_path / "s"))


def test_waiting_has_an_end() -> None:
    with pytest.raises(SystemExit, match="waited 0 s for the moon"):
        until(lambda: False, "the moon", 0)
