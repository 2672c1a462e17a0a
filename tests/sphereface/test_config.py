from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from sphereface import config as configuration
from sphereface.config import KEYS, Config
from sphereface.errors import ConfigError

PUBLISHED: dict[str, Any] = {
    "device_target": "Ascend", "net": "sphereface20a", "dataset": "CASIA-WebFace", "is_distributed": 1, "rank": 0,
    "group_size": 1, "label_smooth": 1, "smooth_factor": 0.15, "train_data_dir": "/data/sphereface/casia_landmark.txt",
    "train_img_dir": "/data/sphereface/CASIA-WebFace/", "train_pretrained": "", "image_size": "112, 96",
    "num_classes": 10574, "lr": 0.15, "lr_scheduler": "cosine_annealing", "eta_min": 0, "T_max": 20, "max_epoch": 20,
    "per_batch_size": 32, "warmup_epochs": 0, "weight_decay": 0.0005, "momentum": 0.9, "ckpt_interval": 10000,
    "save_ckpt_path": "./", "is_save_on_master": 1, "ckpt_files": "/data/sphereface/Sphereface/scripts/device0/",
    "datatxt_src": "/data/sphereface/lfw_landmark.txt", "pairtxt_src": "/data/sphereface/pairs.txt",
    "datasrc": "/data/sphereface/lfw/", "device_id": 7, "batch_size": 32,
}  # fmt: skip
"""The configuration table of the published README, value by value."""


def test_every_published_key_works_in_yaml_and_as_a_flag(tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "sphereface_config.yaml"
    path.write_text(yaml.safe_dump(PUBLISHED))
    from_file = configuration.resolve(path)
    parser = argparse.ArgumentParser()
    configuration.add_flags(parser)
    words = [word for key, value in PUBLISHED.items() for word in (f"--{key}", str(value))]
    assert configuration.from_arguments(parser.parse_args(words)) == from_file
    for key, value in PUBLISHED.items():
        assert getattr(from_file, key) == value
    assert from_file.given == set(PUBLISHED)


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("lr: 0.05\nmomentum: '0.8'\n")
    config = configuration.resolve(path, {"lr": "0.1"})
    assert (config.lr, config.momentum, config.max_epoch) == (0.1, 0.8, Config().max_epoch)
    assert config.given == {"lr", "momentum"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr_shceduler: x\n", "a.yaml:1: unknown key 'lr_shceduler' (did you mean 'lr_scheduler'?)"),
        ("momentum: 0.9\nlr: fast\n", "a.yaml:2: lr must be a number, not 'fast'"),
        ("lr: true\n", "a.yaml:1: lr must be a number, not True"),
        ("lr: 0\n", "a.yaml:1: lr must be above 0, not 0.0"),
        ("lr: .inf\n", "a.yaml:1: lr must be a finite number, not inf"),
        ("max_epoch: 1.5\n", "a.yaml:1: max_epoch must be a whole number, not 1.5"),
        ("max_epoch: 0\n", "a.yaml:1: max_epoch must be at least 1, not 0"),
        ("momentum: 1.5\n", "a.yaml:1: momentum must be at most 0.9999, not 1.5"),
        ("net: sphereface21a\n", "did you mean 'sphereface20a'?"),
        ("label_smooth: maybe\n", "label_smooth must be true or false (or 1, 0), not 'maybe'"),
        ("train_data_dir: {a: 1}\n", "train_data_dir must be text"),
        ("image_size: 96, 112\n", "image_size must be '112, 96'"),
        ("file_format: ONYX\n", "file_format must be among MINDIR, LITE, ONNX, AIR, not 'ONYX' (did you mean 'ONNX'?)"),
        ("file_format: ','\n", "file_format is empty"),
        ("seed: 1\nlr_scheduler: exponential\n", "a.yaml:2: with lr_scheduler exponential, lr_epochs is needed"),
        ("lr_epochs: '9,3'\n", "lr_epochs must ascend"),
        ("lr_epochs: 'x'\n", "lr_epochs must be numbers"),
        ("freeze: '1,7'\n", "a.yaml:1: freeze must be among 1, 2, 3, 4, fc5, not '7'"),
        ("margin_m: 2.5\n", "a.yaml:1: with margin asoftmax, margin_m must be one of 1, 2, 3, 4, not '2.5'"),
        (
            "margin: sphereface_r_v1\nmargin_m: 0.9\n",
            "a.yaml:2: with margin sphereface_r_v1, margin_m must be at least 1",
        ),
        ("margin: arcface\nmargin_m: 2\n", "with margin arcface, margin_m must be at most 1.5708, not 2.0"),
        ("margin_s: 30\n", "with margin asoftmax, margin_s must be left out: the length of the embedding"),
        ("new_head: true\n", "a.yaml:1: with new_head true, train_pretrained is needed"),
        ("warmup_epochs: 21\n", "a.yaml:1: warmup_epochs must be at most max_epoch, which is 20, not 21.0"),
        ("lr: 1\nlr: 2\n", "key 'lr' is given twice"),
        ("- lr\n", "must be a mapping"),
    ],
)
def test_bad_values_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        configuration.resolve(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read the configuration"):
        configuration.resolve(tmp_path / "none.yaml")


def test_lists_in_yaml_stand_for_their_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("image_size: [112, 96]\nfile_format: [MINDIR, ONNX]\nlr_epochs: [10, 16]\n")
    config = configuration.resolve(path)
    assert config.formats == ("MINDIR", "ONNX")
    assert config.lr_steps == (10.0, 16.0)


def test_every_key_says_what_it_is_and_its_default_is_allowed() -> None:
    for key, field in KEYS.items():
        assert field.metadata["help"]
        assert configuration.convert(key, field.default, "") == field.default
    assert "given" not in KEYS
    assert len(KEYS) == len(dataclasses.fields(Config)) - 1


def test_the_published_run_is_shipped() -> None:
    shipped = configuration.resolve(Path(__file__).parents[2] / "configs" / "casia_sphere20a.yaml")
    for key in ("net", "lr", "max_epoch", "T_max", "smooth_factor", "weight_decay", "momentum"):
        assert getattr(shipped, key) == PUBLISHED[key]
