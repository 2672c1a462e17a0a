from __future__ import annotations

from pathlib import Path

import pytest

from sphereface.errors import TransferError
from sphereface.stores.file_store import FileStore


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "0-1_8.ckpt"
    path.write_bytes(b"weights")
    return path


def test_what_was_uploaded_is_held_listed_and_comes_back(tmp_path: Path, source: Path) -> None:
    store = FileStore(tmp_path / "results")
    assert not store.holds(source, "checkpoints/0-1_8.ckpt")
    store.upload(source, "checkpoints/0-1_8.ckpt")
    assert store.holds(source, "checkpoints/0-1_8.ckpt")
    assert [(entry.name, entry.size) for entry in store.list()] == [("checkpoints/0-1_8.ckpt", 7)]
    store.download("checkpoints/0-1_8.ckpt", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"weights"
    source.write_bytes(b"changed")
    assert not store.holds(source, "checkpoints/0-1_8.ckpt")


def test_what_a_cut_upload_left_is_taken_away_by_the_next(tmp_path: Path, source: Path) -> None:
    store = FileStore(tmp_path / "results")
    store.upload(source, "0-1_8.ckpt")
    (tmp_path / "results" / ".0-1_8.abcdefgh.ckpt").write_bytes(b"wei")
    store.upload(source, "0-1_8.ckpt")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["0-1_8.ckpt"]


def test_a_folder_that_is_not_there_or_takes_nothing_is_told(tmp_path: Path, source: Path) -> None:
    with pytest.raises(TransferError, match="no such folder"):
        list(FileStore(tmp_path / "none").list())
    (tmp_path / "file").write_text("")
    with pytest.raises(TransferError, match="file/a: File exists"):
        FileStore(tmp_path / "file").upload(source, "a")
    with pytest.raises(TransferError, match="No such file"):
        FileStore(tmp_path).download("none", tmp_path / "back")


def test_a_source_that_was_deleted_meanwhile_is_the_callers_affair(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileStore(tmp_path).upload(tmp_path / "pruned.ckpt", "pruned.ckpt")
