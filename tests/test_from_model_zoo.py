"""docs/from-model-zoo.md names every published key, and every command in it is one that the parsers take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from sphereface.config import KEYS

PAGE = (Path(__file__).parents[1] / "docs" / "from-model-zoo.md").read_text()
PUBLISHED = [
    "device_target",
    "net",
    "dataset",
    "is_distributed",
    "rank",
    "group_size",
    "label_smooth",
    "smooth_factor",
    "train_data_dir",
    "train_img_dir",
    "train_pretrained",
    "image_size",
    "num_classes",
    "lr",
    "lr_scheduler",
    "eta_min",
    "T_max",
    "max_epoch",
    "per_batch_size",
    "warmup_epochs",
    "weight_decay",
    "momentum",
    "ckpt_interval",
    "save_ckpt_path",
    "is_save_on_master",
    "ckpt_files",
    "datatxt_src",
    "pairtxt_src",
    "datasrc",
    "device_id",
    "batch_size",
]
COMMANDS = sorted(set(re.findall(r"`((?:sphereface|launcher) \w+ [^`]*--[^`]+)`", PAGE)))


@pytest.mark.parametrize("key", PUBLISHED)
def test_each_published_key_has_its_row_and_exists(key: str) -> None:
    assert f"\n| `{key}` |" in PAGE
    assert key in KEYS


def test_the_keys_of_modelarts_are_told() -> None:
    for key in ("enable_modelarts", "data_url", "train_url", "checkpoint_url", "cache_path"):
        assert f"`{key}`" in PAGE
        assert key in KEYS


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_of_the_page_are_flags_of_the_commands(command: str) -> None:
    import argparse
    import importlib

    program, verb, *words = shlex.split(command.replace("…", "configs/casia_sphere20a.yaml"))
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(f"{program}.commands.{verb}").add_arguments(parser)
    parser.parse_args(words)
