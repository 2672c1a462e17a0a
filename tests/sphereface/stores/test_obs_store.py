from __future__ import annotations

from pathlib import Path

import pytest

from sphereface.errors import TransferError
from sphereface.stores.obs_store import ObsStore
from tests.sphereface.stores.fake_moxing import FakeMoxingFiles


@pytest.fixture
def files(tmp_path: Path) -> FakeMoxingFiles:
    return FakeMoxingFiles(tmp_path / "obs")


def test_files_go_and_come_back(tmp_path: Path, files: FakeMoxingFiles) -> None:
    store = ObsStore("obs://bucket/out", files)
    (tmp_path / "a").write_bytes(b"weights")
    store.upload(tmp_path / "a", "checkpoints/0-1_8.ckpt")
    assert [(entry.name, entry.size) for entry in store.list()] == [("checkpoints/0-1_8.ckpt", 7)]
    store.download("checkpoints/0-1_8.ckpt", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"weights"


def test_a_cut_upload_leaves_nothing_under_the_files_name_and_the_next_completes_it(
    tmp_path: Path, files: FakeMoxingFiles
) -> None:
    store = ObsStore("obs://bucket/out", files)
    (tmp_path / "a").write_bytes(b"weights")
    files.cut = 3
    with pytest.raises(TransferError, match=r"obs://bucket/out/0-1_8.ckpt: ConnectionResetError: the connection was"):
        store.upload(tmp_path / "a", "0-1_8.ckpt")
    assert not (tmp_path / "obs/bucket/out/0-1_8.ckpt").exists()
    store.upload(tmp_path / "a", "0-1_8.ckpt")
    assert [path.name for path in (tmp_path / "obs/bucket/out").iterdir()] == ["0-1_8.ckpt"]


def test_a_folder_that_is_not_there_is_told(files: FakeMoxingFiles) -> None:
    with pytest.raises(TransferError, match="obs://bucket/none: no such folder"):
        list(ObsStore("obs://bucket/none", files).list())
