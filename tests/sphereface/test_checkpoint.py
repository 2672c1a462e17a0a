from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sphereface import checkpoint
from sphereface.checkpoint import Checkpoint
from sphereface.config import resolve
from sphereface.errors import CheckpointError


def small(step: int = 3) -> Checkpoint:
    generator = np.random.default_rng(step)
    weights = {
        "conv1_1.weight": generator.standard_normal((2, 3, 3, 3), np.float32),
        "relu1_1.w": np.full(2, 0.25, np.float32),
        "fc5.weight": generator.standard_normal((4, 5), np.float32),
        "fc5.bias": np.zeros(4, np.float32),
        "fc6.weight": generator.standard_normal((4, 3), np.float32),
    }
    return Checkpoint(weights, {name: value * 2 for name, value in weights.items()}, {"net": "tiny", "step": step})


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        assert value.dtype == other[name].dtype
        np.testing.assert_array_equal(value, other[name], name)


def test_reads_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "0-1_3.ckpt"
    checkpoint.save(path, small())
    read = checkpoint.read(path)
    assert_equal(read.weights, small().weights)
    assert_equal(read.moments, small().moments)
    assert read.meta == {"schema": 1, "net": "tiny", "step": 3}
    assert [entry.name for entry in path.parent.iterdir()] == ["0-1_3.ckpt"]


def test_mindspore_reads_our_file_with_its_checksum(tmp_path: Path) -> None:
    import mindspore as ms

    checkpoint.save(tmp_path / "0-1_3.ckpt", small())
    parameters = ms.load_checkpoint(str(tmp_path / "0-1_3.ckpt"), crc_check=True)
    np.testing.assert_array_equal(parameters["fc6.weight"].asnumpy(), small().weights["fc6.weight"])
    np.testing.assert_array_equal(parameters["moments.fc5.bias"].asnumpy(), small().moments["fc5.bias"])


def test_a_full_disk_leaves_the_old_file_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "0-1_3.ckpt"
    checkpoint.save(path, small())

    def full(_name: str, _value: object) -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "_messages", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/0-1_3\.ckpt'"):
        checkpoint.save(path, small(4))
    assert checkpoint.read(path).meta["step"] == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["0-1_3.ckpt"]


def test_large_tensors_are_sliced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SLICE", 24)
    checkpoint.save(tmp_path / "0-1_3.ckpt", small())
    assert_equal(checkpoint.read(tmp_path / "0-1_3.ckpt").weights, small().weights)


def test_a_file_of_the_zoo_is_read_under_bare_names(tmp_path: Path) -> None:
    import mindspore as ms

    weights = small().weights
    zoo = {f"network.{name}": value for name, value in weights.items()}
    zoo |= {f"moments.network.{name}": value * 2 for name, value in weights.items()}
    zoo |= {"criterion.it": np.ones(1, np.float32), "learning_rate": np.ones(5, np.float32)}
    zoo |= {"global_step": np.ones(1, np.int32)}
    entries = [{"name": name, "data": ms.Tensor(value)} for name, value in zoo.items()]
    ms.save_checkpoint(entries, str(tmp_path / "zoo.ckpt"))
    read = checkpoint.read(tmp_path / "zoo.ckpt")
    assert_equal(read.weights, weights)
    assert_equal(read.moments, small().moments)
    assert read.meta == {}


def test_a_file_cut_short_at_any_byte_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.ckpt"
    one = {"fc5.weight": np.ones((1, 1), np.float32)}
    checkpoint.save(whole, Checkpoint(one, one, {"step": 3}))
    data = whole.read_bytes()
    assert_equal(checkpoint.read(whole).weights, one)
    cut = tmp_path / "cut.ckpt"
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="cut short"):
            checkpoint.read(cut)


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "0-1_3.ckpt"
    checkpoint.save(path, small())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", b"\x89PNG\r\n\x1a\n", b"\0" * 1000])
def test_another_kind_of_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"other\.ckpt: not a") as caught:
        checkpoint.read(path)
    assert "\n" not in str(caught.value)


def test_newest_passes_over_what_cannot_be_read_and_names_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for epoch, steps in ((1, 9), (2, 3), (2, 10)):
        checkpoint.save(tmp_path / checkpoint.file_name(0, epoch, steps), small())
    assert checkpoint.newest(tmp_path).name == "0-2_10.ckpt"
    (tmp_path / "0-2_10.ckpt").write_bytes(b"half")
    with caplog.at_level(logging.WARNING, "sphereface"):
        assert checkpoint.newest(tmp_path).name == "0-2_3.ckpt"
    assert "0-2_10.ckpt" in caplog.text


def test_newest_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint in it"):
        checkpoint.newest(tmp_path)
    with pytest.raises(CheckpointError, match="no such file or folder"):
        checkpoint.newest(tmp_path / "absent")
    (tmp_path / "0-1_1.ckpt").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="none of its 1 checkpoints can be read"):
        checkpoint.newest(tmp_path)


def test_prune_keeps_the_newest_of_its_own_rank(tmp_path: Path) -> None:
    for name in ("0-1_9.ckpt", "0-1_10.ckpt", "0-2_1.ckpt", "1-1_9.ckpt", "notes.txt"):
        (tmp_path / name).touch()
    checkpoint.prune(tmp_path, 0, 0)
    assert len(list(tmp_path.iterdir())) == 5
    checkpoint.prune(tmp_path, 0, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"0-1_10.ckpt", "0-2_1.ckpt", "1-1_9.ckpt", "notes.txt"}


def test_sweep_takes_away_half_written_files_only(tmp_path: Path) -> None:
    for name in (".0-1_9.abc123.ckpt", ".1-1_9.abc123.ckpt", "0-1_8.ckpt"):
        (tmp_path / name).touch()
    checkpoint.sweep(tmp_path, 0)
    assert {path.name for path in tmp_path.iterdir()} == {".1-1_9.abc123.ckpt", "0-1_8.ckpt"}


def test_the_network_is_read_off_the_shapes(tmp_path: Path) -> None:
    from sphereface.model import initial_values

    values = initial_values("sphereface4a", True, 5)
    path = tmp_path / "0-1_1.ckpt"
    checkpoint.save(path, Checkpoint({**values, "fc6.weight": np.zeros((512, 7), np.float32)}, {}, {}))
    assert checkpoint.architecture(checkpoint.read(path)) == ("sphereface4a", True, 7)
    network, read = checkpoint.load_network(tmp_path)
    assert (network.net, network.conv_bias, read.path) == ("sphereface4a", True, path)
    assert_equal({parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}, values)
    with pytest.raises(CheckpointError, match="holds sphereface4a, but net is sphereface20a"):
        checkpoint.load_network(path, resolve(None, {"net": "sphereface20a"}))
    with pytest.raises(CheckpointError, match="convolutions have a bias, but conv_bias is false"):
        checkpoint.load_network(path, resolve(None, {"conv_bias": False}))


def test_a_network_with_a_part_missing_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "0-1_1.ckpt", small())
    with pytest.raises(CheckpointError, match=r"0-1_1\.ckpt: no SphereFace network"):
        checkpoint.load_network(tmp_path)
