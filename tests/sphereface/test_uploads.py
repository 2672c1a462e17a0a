from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sphereface.errors import TransferError
from sphereface.stores import Entry
from sphereface.uploads import Uploads


class FakeStore:
    """Keeps bytes in a dict; `fails` uploads go wrong first."""

    url = "fake://store"

    def __init__(self, fails: int = 0) -> None:
        self.kept: dict[str, bytes] = {}
        self.fails = fails
        self.uploads = 0
        self.arrived = threading.Event()

    def list(self) -> Iterator[Entry]:
        return (Entry(name, len(data), "") for name, data in self.kept.items())

    def download(self, name: str, target: Path) -> None:
        target.write_bytes(self.kept[name])

    def holds(self, source: Path, name: str) -> bool:
        return self.kept.get(name) == source.read_bytes()

    def upload(self, source: Path, name: str) -> None:
        self.uploads += 1
        if self.uploads <= self.fails:
            raise TransferError(f"{name}: cut")
        self.kept[name] = source.read_bytes()
        self.arrived.set()


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()):
        yield path, f"checkpoints/{path.name}"


def test_what_appears_is_sent_while_the_stage_goes_on_and_a_failure_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeStore(fails=2)
    uploads = Uploads(store, lambda: files(tmp_path), interval=0.01)
    uploads.start()
    (tmp_path / "0-1_8.ckpt").write_bytes(b"weights")
    assert store.arrived.wait(30)
    uploads.stop()
    assert store.kept == {"checkpoints/0-1_8.ckpt": b"weights"}
    assert "not uploaded: checkpoints/0-1_8.ckpt: cut; trying again" in caplog.text


def test_nothing_is_sent_twice_unless_it_has_changed(tmp_path: Path) -> None:
    store = FakeStore()
    (tmp_path / "a").write_bytes(b"one")
    uploads = Uploads(store, lambda: files(tmp_path))
    for _ in range(2):
        uploads.send(lambda: files(tmp_path))
    assert store.uploads == 1
    Uploads(store, lambda: files(tmp_path)).send(lambda: files(tmp_path))  # a process that starts again
    assert store.uploads == 1
    (tmp_path / "a").write_bytes(b"other")
    uploads.send(lambda: files(tmp_path))
    assert store.kept == {"checkpoints/a": b"other"}


def test_a_checkpoint_that_is_deleted_meanwhile_is_passed_over(tmp_path: Path) -> None:
    store = FakeStore()
    (tmp_path / "b").write_bytes(b"x")
    Uploads(store, list).send(lambda: [(tmp_path / "a", "a"), (tmp_path / "b", "b")])
    assert store.kept == {"b": b"x"}
