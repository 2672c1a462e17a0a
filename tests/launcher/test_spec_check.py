from __future__ import annotations

from typing import Any

import pytest

from launcher.errors import SpecError
from launcher.spec import RunSpec
from launcher.spec_check import check_followers, check_inputs

FACES = {"train_img_dir": "/faces"}
PAIRS = {"datatxt_src": "/l", "pairtxt_src": "/p", "datasrc": "/i"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"train": {}}, "no training data: set train.train_img_dir .*sphereface synth"),
        ({"train": {"train_data_dir": "/list"}}, "train.train_data_dir alone is only the list"),
        ({"train": FACES}, "set evaluate.datatxt_src, evaluate.pairtxt_src, evaluate.datasrc"),
        ({"train": FACES, "evaluate": {**PAIRS, "datasrc": ""}}, r"set evaluate.datasrc \("),
        ({"stages": ("evaluate",), "evaluate": PAIRS}, "evaluate without train before it needs evaluate.ckpt_files"),
        ({"stages": ("export",)}, "export without train before it needs export.ckpt_files"),
    ],
)
def test_a_stage_without_its_data_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_inputs(RunSpec("demo", **spec))


@pytest.mark.parametrize(
    "spec",
    [
        {"train": FACES, "evaluate": PAIRS},
        {"train": FACES, "stages": ("train", "export")},
        {"stages": ("evaluate", "export"), "evaluate": {**PAIRS, "ckpt_files": "/c"}, "export": {"ckpt_files": "/c"}},
    ],
)
def test_a_stage_with_its_data_is_taken(spec: dict[str, Any]) -> None:
    check_inputs(RunSpec("demo", **spec))


@pytest.mark.parametrize(
    ("explicit", "message"),
    [
        ({"evaluate.ckpt_files": "/c"}, "demo.yaml:3: evaluate.ckpt_files cannot be chosen where train runs before"),
        ({"export.net": "sphereface4a"}, "export.net is sphereface4a but train.net is sphereface20a"),
        ({"train.conv_bias": True, "evaluate.conv_bias": False}, "is false but train.conv_bias is true"),
    ],
)
def test_followers_cannot_take_another_network_than_trains(explicit: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_followers(explicit, explicit, dict.fromkeys(explicit, "demo.yaml:3"))


@pytest.mark.parametrize(
    ("explicit", "message"),
    [
        ({"train.lr_scheduler": "exponential"}, "demo.yaml:3: with train.lr_scheduler exponential, train.lr_epochs is"),
        ({"train.margin_m": 2.5}, "demo.yaml:3: with train.margin asoftmax, train.margin_m must be one of 1, 2, 3, 4"),
        ({"train.max_epoch": 2, "train.warmup_epochs": 3.0}, "train.warmup_epochs must be at most train.max_epoch"),
    ],
)
def test_keys_of_train_that_do_not_fit_together_are_refused(explicit: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_followers(explicit, explicit, dict.fromkeys(explicit, "demo.yaml:3"))


def test_followers_may_repeat_what_train_says() -> None:
    same = {"train.net": "sphereface4a", "evaluate.net": "sphereface4a", "export.conv_bias": False}
    check_followers(same, same, dict.fromkeys(same, "demo.yaml:3"))


JUDGED = {"stages": ("train", "export", "infer310"), "train": FACES}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (JUDGED, "set infer310.datatxt_src, infer310.pairtxt_src, infer310.datasrc .* or leave infer310 out of stages"),
        ({"stages": ("infer310",), "infer310": PAIRS}, "infer310 without export before it needs infer310.mindir_path"),
    ],
)
def test_infer310_without_its_data_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check_inputs(RunSpec("demo", **spec))


@pytest.mark.parametrize(
    "spec", [{**JUDGED, "infer310": PAIRS}, {"stages": ("infer310",), "infer310": {**PAIRS, "mindir_path": "/m"}}]
)
def test_infer310_with_its_data_is_taken(spec: dict[str, Any]) -> None:
    check_inputs(RunSpec("demo", **spec))
