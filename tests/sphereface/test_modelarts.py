from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runfolder import layout
from sphereface import checkpoint, modelarts, synthetic
from sphereface.config import Config, resolve
from sphereface.errors import DataError, TransferError
from sphereface.stores import Entry, s3_store
from sphereface.stores.file_store import FileStore
from tests.sphereface import s3_server

ROOT = Path(__file__).parents[2]


class FakeCountingStore(FileStore):
    """A folder as a store that counts, and can end in the middle of, its downloads."""

    def __init__(self, folder: Path, ends_after: int = 1000) -> None:
        super().__init__(folder)
        self.downloads = 0
        self.ends_after = ends_after

    def download(self, name: str, target: Path) -> None:
        if self.downloads == self.ends_after:
            target.write_bytes(b"h")
            raise TransferError(f"{name}: cut")
        self.downloads += 1
        super().download(name, target)


class FakeEvilStore(FakeCountingStore):
    """An object store's keys may be anything."""

    def list(self) -> Iterator[Entry]:
        yield Entry("../escaped.txt", 1, "")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A list, and the images in an archive."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    (folder / "casia_landmark.txt").write_text("list")
    with zipfile.ZipFile(folder / "CASIA-WebFace.zip", "w") as archive:
        archive.writestr("CASIA-WebFace/a/1.jpg", b"jpeg")
    return folder


def settings(tmp_path: Path, **more: object) -> Config:
    return resolve(None, {"enable_modelarts": "True", "cache_path": str(tmp_path / "cache"), **more})


def test_without_it_the_configuration_is_left_as_it_is(tmp_path: Path) -> None:
    config = resolve(None, {"data_url": "obs://bucket/data", "train_url": "/bucket/out"})
    with modelarts.at_hand(config, layout.TRAIN, {}) as local:
        assert local is config


def test_the_scheduler_of_the_ranks_fetches_nothing(tmp_path: Path) -> None:
    config = settings(tmp_path, data_url="file:///nowhere")
    with modelarts.at_hand(config, layout.TRAIN, {"MS_ROLE": "MS_SCHED"}) as local:
        assert local is config


def test_data_is_fetched_unpacked_and_found_by_the_published_paths(tmp_path: Path, data: Path) -> None:
    config = settings(
        tmp_path, data_url=f"file://{data}",
        train_data_dir="/data/sphereface/casia_landmark.txt", train_img_dir="/data/sphereface/CASIA-WebFace/",
    )  # fmt: skip
    local = modelarts.fetch(config, layout.TRAIN)
    assert Path(local.train_data_dir).read_text() == "list"
    assert (Path(local.train_img_dir) / "a/1.jpg").read_bytes() == b"jpeg"
    assert str(tmp_path / "cache") in local.train_img_dir
    assert local.output == str(tmp_path / "cache/output")
    assert not list((tmp_path / "cache").rglob("*.zip"))


def test_what_is_not_in_the_data_is_told(tmp_path: Path, data: Path) -> None:
    config = settings(tmp_path, data_url=f"file://{data}", train_data_dir="other.txt")
    with pytest.raises(DataError, match=r"train_data_dir: .* holds nothing like other.txt"):
        modelarts.fetch(config, layout.TRAIN)


@pytest.mark.parametrize(
    ("value", "found"),
    [("../lfw/pairs.txt", "lfw/pairs.txt"), ("pairs.txt", "lfw/pairs.txt"), (".", "."), ("/x/y/a.txt", "a.txt")],
)
def test_a_path_is_found_by_its_longest_end(tmp_path: Path, value: str, found: str) -> None:
    (tmp_path / "lfw").mkdir()
    (tmp_path / "lfw/pairs.txt").write_text("")
    (tmp_path / "a.txt").write_text("")
    assert modelarts.find(tmp_path, value, "key", "url") == tmp_path / found


def test_of_several_processes_one_fetches(tmp_path: Path, data: Path) -> None:
    stores = [FakeCountingStore(data) for _ in range(4)]
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda store=store: folders.append(modelarts.once(store, tmp_path / "cache")))
        for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(folders)) == 1
    assert sorted(store.downloads for store in stores) == [0, 0, 0, 2]


def test_a_cut_download_leaves_no_folder_and_the_next_one_is_whole(tmp_path: Path, data: Path) -> None:
    with pytest.raises(TransferError, match="cut"):
        modelarts.once(FakeCountingStore(data, ends_after=1), tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")]
    folder = modelarts.once(FakeCountingStore(data), tmp_path / "cache")
    assert (folder / "CASIA-WebFace/a/1.jpg").read_bytes() == b"jpeg"


def test_changed_data_is_fetched_anew(tmp_path: Path, data: Path) -> None:
    before = modelarts.once(FileStore(data), tmp_path / "cache")
    (data / "casia_landmark.txt").write_text("another list")
    assert modelarts.once(FileStore(data), tmp_path / "cache") != before


def test_a_key_that_leads_out_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataError, match=r"refused: it holds '../escaped.txt'"):
        modelarts.once(FakeEvilStore(data), tmp_path / "cache")
    assert not list(tmp_path.rglob("escaped.txt"))


def test_a_checkpoint_is_fetched_by_file_or_by_folder(tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    for name in ("0-1_8.ckpt", "0-2_8.ckpt", "6000-9923.ckpt"):
        (tmp_path / "sent" / name).write_text(name)
    one = settings(tmp_path, checkpoint_url=f"file://{tmp_path}/sent/6000-9923.ckpt")
    assert Path(modelarts.fetch(one, layout.EVALUATE).ckpt_files).read_text() == "6000-9923.ckpt"
    folder = settings(tmp_path, checkpoint_url=f"file://{tmp_path}/sent/")
    fetched = Path(modelarts.fetch(folder, layout.TRAIN).train_pretrained)
    assert [path.name for path in checkpoint.listed(fetched)] == ["0-1_8.ckpt", "0-2_8.ckpt"]
    named = settings(tmp_path, checkpoint_url=f"file://{tmp_path}/sent", ckpt_files="/old/0-1_8.ckpt")
    assert Path(modelarts.fetch(named, layout.EXPORT).ckpt_files).read_text() == "0-1_8.ckpt"


def test_what_a_stage_writes_is_sent_and_a_job_that_starts_again_goes_on_from_it(tmp_path: Path) -> None:
    config = settings(tmp_path, train_url=f"file://{tmp_path}/results")
    with modelarts.at_hand(config, layout.TRAIN, {}) as local:
        folder = local.checkpoint_folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "0-1_8.ckpt").write_text("first")
        (folder / "0-2_8.ckpt").write_text("second")
        (Path(local.output) / layout.METRICS).write_text("{}\n")
        kept = {"files": ["checkpoints/0-2_8.ckpt", layout.METRICS]}
        (Path(local.output) / layout.RESULT).write_text(json.dumps(kept))
    sent = sorted(path.relative_to(tmp_path / "results").as_posix() for path in (tmp_path / "results").rglob("[!.]*.*"))
    assert sent == ["checkpoints/0-1_8.ckpt", "checkpoints/0-2_8.ckpt", "metrics.jsonl", "result.json"]
    shutil.rmtree(tmp_path / "cache")  # another node
    with modelarts.at_hand(config, layout.TRAIN, {}) as local:
        assert [path.read_text() for path in checkpoint.listed(local.checkpoint_folder)] == ["second"]


def test_a_place_that_takes_nothing_is_told_before_the_stage_begins(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").write_text("")
    config = settings(tmp_path, train_url=f"file://{tmp_path}/file/results", data_url=f"file://{data}")
    with pytest.raises(TransferError, match="file/results"):
        modelarts.at_hand(config, layout.TRAIN, {}).__enter__()
    assert not (tmp_path / "cache").exists()


def test_a_stage_that_fails_sends_its_checkpoints_and_its_own_failure_is_told(tmp_path: Path) -> None:
    config = settings(tmp_path, train_url=f"file://{tmp_path}/results")

    def stage() -> None:
        with modelarts.at_hand(config, layout.TRAIN, {}) as local:
            local.checkpoint_folder.mkdir(parents=True, exist_ok=True)
            (local.checkpoint_folder / "0-1_8.ckpt").write_text("first")
            raise DataError("bad")

    with pytest.raises(DataError, match="bad"):
        stage()
    assert (tmp_path / "results/checkpoints/0-1_8.ckpt").read_text() == "first"


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_rank_sends_its_own_checkpoints(tmp_path: Path, rank: str) -> None:
    config = settings(tmp_path, train_url=f"file://{tmp_path}/results", is_save_on_master="false")
    with modelarts.at_hand(config, layout.TRAIN, {"RANK_ID": rank}) as local:
        local.checkpoint_folder.mkdir(parents=True, exist_ok=True)
        for number in range(2):
            (local.checkpoint_folder / f"{number}-1_8.ckpt").write_text("")
    assert [path.name for path in (tmp_path / "results/checkpoints").iterdir()] == [f"{rank}-1_8.ckpt"]


@pytest.mark.skipif(not s3_server.PROGRAM.exists(), reason="no S3 server: make .s3-venv/.done")
def test_the_published_programs_with_the_web_pages_flags_on_an_object_store(tmp_path: Path) -> None:
    """`train.py` and `eval.py` as ModelArts starts them: a zip in a bucket becomes checkpoints and a result there."""
    synthetic.write(tmp_path / "faces", synthetic.Request(4, 4, test_identities=20, test_images=2, seed=0))
    archive = shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path / "faces")
    (tmp_path / "config.yaml").write_text(
        "net: sphereface4a\nlr: 0.01\nmax_epoch: 1\nper_batch_size: 2\nenable_modelarts: True\n"
        "train_data_dir: /data/train/landmark.txt\ntrain_img_dir: /data/train/images\n"
        "datatxt_src: /data/test/landmark.txt\npairtxt_src: /data/test/pairs.txt\ndatasrc: /data/test/images\n"
    )
    with s3_server.running() as environ:
        store = s3_store.open_bucket(s3_server.BUCKET, "user", environ)
        store.upload(Path(archive), "CASIA/faces.zip")
        bucket = f"s3://{s3_server.BUCKET}/user"
        flags = [
            f"--config_path={tmp_path}/config.yaml",
            f"--data_url={bucket}/CASIA/",
            f"--cache_path={tmp_path}/cache",
        ]
        for program, more in (
            ("train.py", f"--train_url={bucket}/output/"),
            ("eval.py", f"--checkpoint_url={bucket}/output/checkpoints"),
        ):
            ended = subprocess.run(
                [sys.executable, ROOT / program, *flags, more], cwd=tmp_path,
                env={**os.environ, **environ, "SPHEREFACE_DEVICE_TARGET": "CPU"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stdout + ended.stderr
        names = {entry.name for entry in store.list()}
    assert {"output/checkpoints/0-1_8.ckpt", "output/metrics.jsonl", "output/result.json"} <= names
    assert re.search(r"^LFWACC=\d\.\d{4} std=", ended.stdout, re.MULTILINE)
