from __future__ import annotations

from pathlib import Path

import pytest

from sphereface import zoo_program
from sphereface.zoo_program import arguments

ROOT = Path(__file__).parents[2]


def test_without_a_configuration_it_is_the_published_run() -> None:
    published = ROOT / zoo_program.PUBLISHED_CONFIG
    assert published.exists()
    assert arguments("evaluate", ROOT, [], {}) == [f"--config={published}"]


def test_a_file_of_ones_own_beside_the_program_goes_first_and_a_named_one_before_it(tmp_path: Path) -> None:
    own = tmp_path / "sphereface_config.yaml"
    own.write_text("lr: 0.1\n")
    assert arguments("evaluate", tmp_path, [], {}) == [f"--config={own}"]
    named = ["--config_path", "other.yaml"]
    assert arguments("evaluate", tmp_path, named, {}) == named


def test_the_environment_chooses_the_device_over_any_flag() -> None:
    words = arguments("export", ROOT, ["--device_target=Ascend"], {"SPHEREFACE_DEVICE_TARGET": "CPU"})
    assert words[-1] == "--device_target=CPU"


@pytest.mark.parametrize(
    ("text", "argv", "folder"),
    [
        ("lr: 0.1\n", [], "."),
        ("save_ckpt_path: ./\n", ["--output=device0"], "device0"),
        ("save_ckpt_path: ckpt\n", ["--output=device0"], "device0/ckpt"),
        ("save_ckpt_path: /data/ckpt\n", ["--output=device0"], "/data/ckpt"),
    ],
)
def test_checkpoints_lie_in_the_output_folder_as_published(
    tmp_path: Path, text: str, argv: list[str], folder: str
) -> None:
    (tmp_path / "sphereface_config.yaml").write_text(text)
    assert arguments("train", tmp_path, argv, {})[-1] == f"--save_ckpt_path={folder}"


def test_a_flag_for_the_checkpoints_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "sphereface_config.yaml").write_text("lr: 0.1\n")
    argv = ["--output=device0", "--save_ckpt_path=here"]
    assert arguments("train", tmp_path, argv, {})[:2] == argv
    assert len(arguments("train", tmp_path, argv, {})) == 3


def test_a_wrong_key_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sphereface_config.yaml").write_text("learning_rate: 0.1\n")
    assert zoo_program.main("train", tmp_path, [], {}) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sphereface: error: {tmp_path}/sphereface_config.yaml:1: unknown key 'learning_rate'")
    assert len(error.splitlines()) == 1
