"""Pushes a one-program image to the local registry, with nothing but its HTTP interface."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import tarfile
from pathlib import Path

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def program_image(program: bytes, path: str) -> tuple[dict[str, object], list[bytes]]:
    """OCI manifest and blobs of an image that holds one static program; the same bytes give the same digests."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    layer = gzip.compress(plain.getvalue(), mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": [path], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [digest(plain.getvalue())]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": [described(LAYER, layer)],
    }
    return manifest, [config, layer]


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def push_program(program: Path, reference: str) -> None:
    """Pushes `program` as the image REGISTRY/NAME:TAG unless the registry has it. OSError: no registry there."""
    registry, _, rest = reference.partition("/")
    name, _, tag = rest.rpartition(":")
    manifest, blobs = program_image(program.read_bytes(), f"/{name}")
    content = json.dumps(manifest).encode()
    connection = http.client.HTTPConnection(registry, timeout=30)
    status, headers = call(connection, "HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
    if status == 200 and headers["Docker-Content-Digest"] == digest(content):
        return
    for blob in blobs:
        _, headers = call(connection, "POST", f"/v2/{name}/blobs/uploads/", expect=202)
        place = headers["Location"]
        target = f"{place}{'&' if '?' in place else '?'}digest={digest(blob)}"
        call(connection, "PUT", target, blob, {"Content-Type": "application/octet-stream"}, expect=201)
    call(connection, "PUT", f"/v2/{name}/manifests/{tag}", content, {"Content-Type": MANIFEST}, expect=201)


def call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    expect: int | None = None,
) -> tuple[int, http.client.HTTPMessage]:
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    text = response.read()
    if expect is not None and response.status != expect:
        raise OSError(f"the registry answered {response.status} to {method} {path}: {text[:200]!r}")
    return response.status, response.headers
