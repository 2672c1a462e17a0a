"""Against a real S3-compatible server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sphereface.errors import ConfigError, TransferError
from sphereface.stores import s3_store
from sphereface.stores.s3_store import S3Store
from tests.sphereface import s3_server

pytestmark = pytest.mark.skipif(not s3_server.PROGRAM.exists(), reason="no S3 server: make .s3-venv/.done")
MIB = 1 << 20
PART = 5 * MIB

CUT = f"""
import http.client, os, signal, sys
from pathlib import Path
from sphereface.stores import s3_store

send, sent = http.client.HTTPConnection.send, 0

def send_and_die(connection, data):
    global sent
    sent += len(data)
    if sent > {int(2.5 * PART)}:
        send(connection, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    send(connection, data)

http.client.HTTPConnection.send = send_and_die
store = s3_store.open_bucket({s3_server.BUCKET!r}, "out")
store._part = {PART}
store.upload(Path(sys.argv[1]), "checkpoints/0-1_8.ckpt")
"""
"""A process that is killed in the middle of the third part's bytes."""


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    with s3_server.running() as environ:
        yield environ


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "0-1_8.ckpt"
    path.write_bytes(os.urandom(16 * MIB))
    return path


class CountingClient:
    """Counts the objects that are put by the client that it stands before."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.put: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, bucket: str, name: str, *rest: Any, **more: Any) -> Any:
        self.put.append(name)
        return self._client.put_object(bucket, name, *rest, **more)


def opened(environ: dict[str, str], folder: str) -> tuple[S3Store, CountingClient]:
    client = CountingClient(s3_store.open_bucket(s3_server.BUCKET, folder, environ)._client)
    return S3Store(client, s3_server.BUCKET, folder, PART), client  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def credentials(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_small_files_go_and_come_back(environ: dict[str, str], tmp_path: Path) -> None:
    store, client = opened(environ, "small")
    (tmp_path / "a").write_bytes(b"weights")
    assert not store.holds(tmp_path / "a", "deep/er/a b.txt")
    store.upload(tmp_path / "a", "deep/er/a b.txt")
    assert store.holds(tmp_path / "a", "deep/er/a b.txt")
    assert [(entry.name, entry.size) for entry in store.list()] == [("deep/er/a b.txt", 7)]
    store.download("deep/er/a b.txt", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"weights"
    (tmp_path / "a").write_bytes(b"changed")
    assert not store.holds(tmp_path / "a", "deep/er/a b.txt")
    store.upload(tmp_path / "a", "deep/er/a b.txt")
    assert store.holds(tmp_path / "a", "deep/er/a b.txt")
    assert client.put == ["small/deep/er/a b.txt"] * 2


def test_an_upload_cut_in_the_middle_goes_on_where_it_was(
    environ: dict[str, str], source: Path, tmp_path: Path
) -> None:
    killed = subprocess.run([sys.executable, "-c", CUT, source], env={**os.environ, **environ}, check=False)
    assert killed.returncode == -signal.SIGKILL
    store, client = opened(environ, "out")
    left = sorted(entry.name for entry in store.list())
    assert [name.rpartition("/")[2] for name in left] == ["00000", "00001"]
    assert all(name.startswith("checkpoints/.0-1_8.ckpt.") for name in left)
    store.upload(source, "checkpoints/0-1_8.ckpt")
    assert [name.rpartition("/")[2] for name in client.put] == ["00002", "00003"]
    assert [(entry.name, entry.size) for entry in store.list()] == [("checkpoints/0-1_8.ckpt", 16 * MIB)]
    assert store.holds(source, "checkpoints/0-1_8.ckpt")
    store.download("checkpoints/0-1_8.ckpt", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_parts_of_another_content_are_not_taken_and_do_not_stay(environ: dict[str, str], source: Path) -> None:
    subprocess.run([sys.executable, "-c", CUT, source], env={**os.environ, **environ}, check=False)
    source.write_bytes(os.urandom(12 * MIB))
    store, client = opened(environ, "out")
    store.upload(source, "checkpoints/0-1_8.ckpt")
    assert len(client.put) == 3
    assert store.holds(source, "checkpoints/0-1_8.ckpt")
    assert [entry.name for entry in store.list()] == ["checkpoints/0-1_8.ckpt"]


def test_a_server_that_is_not_there_is_told_in_one_line(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    nowhere = environ | {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}
    with pytest.raises(TransferError, match="refused") as caught:
        s3_store.open_bucket(s3_server.BUCKET, "", nowhere).upload(tmp_path / "a", "a")
    assert "\n" not in str(caught.value)


def test_missing_credentials_are_told(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    place = {"AWS_ENDPOINT_URL_S3": environ["AWS_ENDPOINT_URL_S3"]}
    with pytest.raises(TransferError, match="s3://faces: no credentials; set AWS_ACCESS_KEY_ID"):
        list(s3_store.open_bucket(s3_server.BUCKET, "", place).list())


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL_S3 is 'storage:9000'"):
        s3_store.open_bucket(s3_server.BUCKET, "", {"AWS_ENDPOINT_URL_S3": "storage:9000"})


def test_a_bucket_or_a_file_that_is_not_there_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"s3://none: .*NoSuchBucket"):
        list(s3_store.open_bucket("none", "", environ).list())
    with pytest.raises(TransferError, match=r"s3://faces/a: .*NoSuchKey"):
        s3_store.open_bucket(s3_server.BUCKET, "", environ).download("a", tmp_path / "a")
