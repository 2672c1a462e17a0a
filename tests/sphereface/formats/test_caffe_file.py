from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sphereface.errors import CheckpointError
from sphereface.formats import caffe_file, wire

VALUES = np.arange(6, dtype="<f4")


def model(*blobs: bytes, name: str = "fc5") -> bytes:
    layer = wire.encode((1, name.encode()), (2, b"InnerProduct"), *((7, blob) for blob in blobs))
    return wire.encode((1, b"net"), (100, layer), (100, wire.encode((1, b"res1_3"), (2, b"Eltwise"))))


def test_blobs_are_read_by_layer_in_all_spellings(tmp_path: Path) -> None:
    data = (5, VALUES.tobytes())
    packed = wire.encode(data, (7, wire.encode((1, bytes([2, 3])))))
    single = wire.encode(data, (7, wire.encode((1, 2), (1, 3))))
    old = wire.encode((3, 2), (4, 3), data)
    unpacked = b"".join(b"\x2d" + value.tobytes() for value in VALUES) + wire.encode((7, wire.encode((1, b"\x06"))))
    (tmp_path / "net.caffemodel").write_bytes(model(packed, single, old, unpacked))
    layers = caffe_file.read(tmp_path / "net.caffemodel")
    assert list(layers) == ["fc5"]
    assert [blob.shape for blob in layers["fc5"]] == [(2, 3), (2, 3), (1, 1, 2, 3), (6,)]
    assert all(np.array_equal(blob.ravel(), VALUES) for blob in layers["fc5"])


def test_large_dimensions_take_more_than_one_byte(tmp_path: Path) -> None:
    blob = wire.encode((5, np.zeros(600, "<f4").tobytes()), (7, wire.encode((1, b"\xac\x02\x02"))))
    (tmp_path / "net.caffemodel").write_bytes(model(blob))
    assert caffe_file.read(tmp_path / "net.caffemodel")["fc5"][0].shape == (300, 2)


WHOLE = model(wire.encode((5, VALUES.tobytes()), (7, wire.encode((1, b"\x02\x03")))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no model at all",
        WHOLE[:-30],
        WHOLE[:20],
        model(wire.encode((5, VALUES.tobytes()), (7, wire.encode((1, b"\x07"))))),
        wire.encode((100, 7)),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "net.caffemodel").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"not a whole \.caffemodel"):
        caffe_file.read(tmp_path / "net.caffemodel")
