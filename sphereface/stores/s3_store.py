"""A folder of a bucket in S3, or in anything that speaks its protocol, by MinIO's client library.

(Not boto3: it needs a python-dateutil older than any that the Kubernetes client takes.) A large file goes up as small
objects, `.NAME.DIGEST.parts/00001` and so on, which the store then joins: a try after a cut sends only those that are
missing, whatever process or machine it runs on, and the file gets its name when all are there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sphereface.errors import ConfigError, TransferError, UnsupportedError
from sphereface.stores import Entry

if TYPE_CHECKING:
    from minio import Minio

PART = 16 << 20
"""Bytes of a part; S3 joins none below 5 MiB, but for the last."""
MOST_PARTS = 10_000
AWS = "https://s3.amazonaws.com"
DIGEST = "sha256"
"""Name of the metadata with the file's SHA-256."""


def open_bucket(bucket: str, folder: str, environ: Mapping[str, str] = os.environ) -> S3Store:
    """The variables are those of AWS's own tools: AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL), AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, and their files; on AWS also a machine's role.

    Raises UnsupportedError where the library is not installed, ConfigError for an address that is none.
    """
    try:
        from minio import Minio
        from minio.credentials import providers
    except ImportError:
        raise UnsupportedError(f"s3://{bucket}: needs MinIO's client library: pip install minio") from None
    address = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or AWS
    place = urlsplit(address)
    if place.scheme not in ("http", "https") or not place.netloc:
        raise ConfigError(f"AWS_ENDPOINT_URL_S3 is '{address}'; it must be an address as in https://host:9000")
    sources: list[providers.Provider] = [providers.AWSConfigProvider()]
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        sources.insert(0, providers.StaticProvider(key, secret, environ.get("AWS_SESSION_TOKEN")))
    if address == AWS:
        sources.append(providers.IamAwsProvider())
    with _told(f"s3://{bucket} at {address}"):
        client = Minio(
            place.netloc, secure=place.scheme == "https", credentials=providers.ChainedProvider(sources),
            region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"), http_client=_http(environ),
        )  # fmt: skip
    return S3Store(client, bucket, folder)


class S3Store:
    def __init__(self, client: Minio, bucket: str, folder: str, part: int = PART) -> None:
        """`folder` has no slash at its ends and may be empty; `part` is in bytes."""
        self.url = f"s3://{bucket}/{folder}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = f"{folder}/" if folder else ""
        self._part = part

    def list(self) -> Iterator[Entry]:
        with _told(self.url):
            for name, found in self._listed("").items():
                if not name.endswith("/"):  # consoles make empty objects that stand for folders
                    yield Entry(name, found.size, found.etag)

    def download(self, name: str, target: Path) -> None:
        with _told(f"{self.url}/{name}"):
            self._client.fget_object(self._bucket, self._prefix + name, str(target))

    def holds(self, source: Path, name: str) -> bool:
        from minio.error import S3Error

        with _told(f"{self.url}/{name}"):
            try:
                there = self._client.stat_object(self._bucket, self._prefix + name)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return False
                raise
        metadata = {key.lower(): value for key, value in (there.metadata or {}).items()}
        return there.size == source.stat().st_size and metadata.get(f"x-amz-meta-{DIGEST}") == _digest(source)

    def upload(self, source: Path, name: str) -> None:
        digest = _digest(source)
        with _told(f"{self.url}/{name}"):
            if source.stat().st_size <= self._part:
                self._put(source, 0, name, {DIGEST: digest})
            else:
                self._upload_parts(source, name, digest)

    def _upload_parts(self, source: Path, name: str, digest: str) -> None:
        from minio.commonconfig import ComposeSource

        folder, slash, last = name.rpartition("/")
        hidden = f"{folder}{slash}.{last}."
        size = source.stat().st_size
        part = max(self._part, -(-size // MOST_PARTS))
        parts = {f"{hidden}{digest[:16]}.parts/{n:05d}": n * part for n in range(-(-size // part))}
        there = self._listed(hidden)
        for path, start in parts.items():
            if path not in there or there[path].size != min(part, size - start):
                self._put(source, start, path, length=min(part, size - start))
        joined = [ComposeSource(self._bucket, self._prefix + path) for path in parts]
        self._client.compose_object(self._bucket, self._prefix + name, joined, metadata={DIGEST: digest})
        for path in {*parts, *there}:
            if ".parts/" in path:
                self._client.remove_object(self._bucket, self._prefix + path)

    def _put(
        self, source: Path, start: int, name: str, metadata: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        """One object by one request: there is no half of it. Raises OSError of the source."""
        with source.open("rb") as file:
            file.seek(start)
            size = source.stat().st_size - start if length is None else length
            self._client.put_object(
                self._bucket, self._prefix + name, file, size,
                metadata=dict(metadata or {}), part_size=max(self._part, size, 5 << 20),
            )  # fmt: skip

    def _listed(self, prefix: str) -> dict[str, Any]:
        found = self._client.list_objects(self._bucket, self._prefix + prefix, recursive=True)
        return {str(item.object_name).removeprefix(self._prefix): item for item in found}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _http(environ: Mapping[str, str]) -> Any:
    """Connections that give up within minutes; the library's own wait five for each answer."""
    import certifi
    import urllib3

    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=20, read=60),
        retries=urllib3.Retry(total=4, backoff_factor=0.3, status_forcelist=[500, 502, 503, 504]),
        cert_reqs="CERT_REQUIRED",
        ca_certs=environ.get("AWS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or certifi.where(),
    )


@contextmanager
def _told(url: str) -> Iterator[None]:
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (MinioException, HTTPError, ValueError) as error:
        words = " ".join(str(error).split())
        if "fail to fetch credentials" in words:
            words = "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise TransferError(f"{url}: {words}") from None
