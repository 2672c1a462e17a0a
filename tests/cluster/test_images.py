"""The one-program image."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

from tests.cluster.images import digest, program_image


def test_an_image_holds_the_program_and_names_it_as_entry_point() -> None:
    manifest, (config, layer) = program_image(b"program", "/pod")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        (entry,) = archive.getmembers()
        content = archive.extractfile(entry)
        assert content is not None
        assert (entry.name, entry.mode, content.read()) == ("pod", 0o755, b"program")
    described = json.loads(config)
    assert described["config"]["Entrypoint"] == ["/pod"]
    assert described["rootfs"]["diff_ids"] == [digest(gzip.decompress(layer))]
    assert json.loads(json.dumps(manifest))["layers"][0]["digest"] == digest(layer)


def test_the_same_program_is_the_same_image() -> None:
    assert program_image(b"program", "/pod") == program_image(b"program", "/pod")
    assert program_image(b"program", "/pod") != program_image(b"other", "/pod")
