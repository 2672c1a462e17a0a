"""A real S3-compatible server, moto's, as a process of its own (`make .s3-venv/.done` installs it)."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / ".s3-venv" / "bin" / "moto_server"
BUCKET = "faces"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """The environment with which it is found; it holds an empty bucket BUCKET."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
    server = subprocess.Popen(
        [PROGRAM, "-H", "127.0.0.1", "-p", str(port)],
        env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(server, port)
        environ = {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        }  # fmt: skip
        _make_bucket(port)
        yield environ
    finally:
        server.kill()
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def _make_bucket(port: int) -> None:
    from minio import Minio

    Minio(f"127.0.0.1:{port}", "key", "secret", secure=False, region="us-east-1").make_bucket(BUCKET)
