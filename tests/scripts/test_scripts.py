"""The model zoo's scripts and programs, each by its published command line, on a CPU and a handful of drawn faces.

They run in a folder that holds them, a user's own `sphereface_config.yaml`, and nothing else of this repository: what
they do is done by the installed packages.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sphereface import checkpoint, synthetic

ROOT = Path(__file__).parents[2]
PROGRAMS = ("train.py", "eval.py", "export.py")
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("run_*.sh"))
DEADLINE = 240.0
LOG_LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:INFO:epoch\[0\], iter\[\d+\], loss:\d+\.\d+, mean_fps:\d+\.\d\d imgs/sec$",
    re.MULTILINE,
)
RESULT_LINE = re.compile(r"^LFWACC=\d\.\d{4} std=\d\.\d{4} thd=-?\d\.\d{4}$", re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs and scripts, with faces and a configuration that trains on them in a second."""
    folder = tmp_path_factory.mktemp("zoo")
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=lambda _, names: set(names) - shipped())
    for name in PROGRAMS:
        shutil.copy2(ROOT / name, folder / name)
    synthetic.write(folder / "faces", synthetic.Request(4, 4, test_identities=20, test_images=2, seed=0))
    values = {
        "device_target": "Ascend", "net": "sphereface4a", "lr": 0.01, "max_epoch": 1, "per_batch_size": 2,
        "train_data_dir": "faces/train/landmark.txt", "train_img_dir": "faces/train/images",
        "datatxt_src": "faces/test/landmark.txt", "pairtxt_src": "faces/test/pairs.txt",
        "datasrc": "faces/test/images", "save_ckpt_path": "./", "ckpt_files": "scripts/train_Ascend",
    }  # fmt: skip
    (folder / "sphereface_config.yaml").write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """The checkpoint of `run_train_standalone_Ascend.sh 3`."""
    ended = call(folder, "scripts/run_train_standalone_Ascend.sh 3")
    assert "scripts/train_Ascend/train.log" in ended.stdout
    log = folder / "scripts/train_Ascend/train.log"
    wait_for(log, lambda text: "finished: 1 epochs" in text)
    assert LOG_LINE.search(log.read_text())
    return folder / "scripts/train_Ascend/0-1_8.ckpt"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A rank table, version 1.0, of two devices of one server."""
    devices = [{"device_id": str(n), "device_ip": f"192.168.1.{n}", "rank_id": str(n)} for n in range(2)]
    server = {"server_id": "127.0.0.1", "device": devices}
    path = tmp_path / "hccl_2p_01_127.0.0.1.json"
    path.write_text(json.dumps({"version": "1.0", "server_count": "1", "server_list": [server], "status": "completed"}))
    return path


def shipped() -> set[str]:
    """Names of the files in `scripts`, without what running them there leaves behind."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "scripts"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return {Path(name).name for name in listed.split()}


def call(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SPHEREFACE_DEVICE_TARGET": "CPU", **environ}
    words = line if line.startswith("python ") else f"bash {line}"
    return subprocess.run(
        ["bash", "-c", words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def wait_for(log: Path, condition: Callable[[str], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition(text := log.read_text() if log.exists() else ""):
        assert "error" not in text, text
        assert time.monotonic() < end, text
        time.sleep(0.1)


def test_standalone_evaluation_and_export(folder: Path, trained: Path) -> None:
    """The two evaluations side by side; the path has a space in it, as the published one has."""
    spaced = trained.with_name("6000 9923.ckpt")
    shutil.copy(trained, spaced)
    for target in ("Ascend", "GPU"):
        ended = call(folder, f'scripts/run_eval_standalone_{target}.sh 0 "{spaced}"')
        assert f"scripts/eval_{target}/eval.log" in ended.stdout, ended.stderr
    exported = call(folder, "python export.py --file_format MINDIR")
    assert exported.returncode == 0, exported.stderr
    assert (folder / "sphereface.mindir").stat().st_size > 1 << 20
    for target in ("Ascend", "GPU"):
        wait_for(folder / f"scripts/eval_{target}/eval.log", lambda text: RESULT_LINE.search(text) is not None)
        judged = folder / f"scripts/eval_{target}/lfw.json"
        assert json.loads(judged.read_text())["checkpoint"] == "6000 9923.ckpt"


def test_eval_program_judges_what_the_configuration_names(folder: Path, trained: Path) -> None:
    ended = call(folder, "python eval.py > eval.log 2>&1")
    assert ended.returncode == 0
    assert RESULT_LINE.search((folder / "eval.log").read_text())


def test_standalone_training_on_a_gpu_from_a_pretrained_checkpoint(folder: Path, trained: Path) -> None:
    ended = call(folder, f"scripts/run_train_standalone_GPU.sh 3 {trained}")
    log = folder / "scripts/train_GPU/train.log"
    assert str(log) in ended.stdout, ended.stderr
    wait_for(log, lambda text: "finished: 1 epochs" in text)
    assert f"starting from the weights of {trained}" in log.read_text()
    assert LOG_LINE.search(log.read_text())


def test_train_program_leaves_its_checkpoint_in_the_current_folder(folder: Path, tmp_path: Path) -> None:
    ended = call(folder, f"python train.py --output={tmp_path} > {tmp_path}/train.log 2>&1")
    assert ended.returncode == 0
    assert LOG_LINE.search((tmp_path / "train.log").read_text())
    assert checkpoint.listed(tmp_path) == [tmp_path / "0-1_8.ckpt"]


def test_distributed_training_by_a_rank_table(folder: Path, table: Path) -> None:
    ended = call(folder, f"scripts/run_distribute_train.sh {table}")
    assert "scripts/device[0-1]/output.log" in ended.stdout, ended.stderr
    log = folder / "scripts/device0/output.log"
    wait_for(log, lambda text: "finished: 1 epochs, 4 steps" in text)
    assert LOG_LINE.search(log.read_text())
    assert "4 steps of 2 x 2 images" in (folder / "scripts/device1/output.log").read_text()
    assert checkpoint.listed(folder / "scripts/device0") == [folder / "scripts/device0/0-1_4.ckpt"]


def test_distributed_training_on_eight_gpus(folder: Path) -> None:
    ended = call(folder, "scripts/run_distribute_train_GPU.sh 8 0,1,2,3,4,5,6,7")
    log = folder / "scripts/GPU_distributed/output.log"
    assert str(log) in ended.stdout, ended.stderr
    wait_for(log, lambda text: "finished: 1 epochs, 1 steps" in text)
    assert LOG_LINE.search(log.read_text())
    assert "steps of 8 x 2 images" in log.read_text()


@pytest.mark.parametrize(
    "line",
    [
        "scripts/run_train_standalone_Ascend.sh",
        "scripts/run_train_standalone_GPU.sh GPU",
        "scripts/run_eval_standalone_Ascend.sh 0",
        "scripts/run_eval_standalone_GPU.sh",
        "scripts/run_distribute_train.sh nowhere.json",
        "scripts/run_distribute_train_GPU.sh",
    ],
)
def test_missing_arguments_are_one_line_of_usage(folder: Path, line: str) -> None:
    ended = call(folder, line)
    assert ended.returncode == 2
    assert re.fullmatch(rf"Usage: bash {line.split()[0]} .+\n", ended.stderr)
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("scripts/run_train_standalone_GPU.sh 0 none.ckpt", "none.ckpt: no such checkpoint"),
        ("scripts/run_eval_standalone_Ascend.sh 0 none.ckpt", "none.ckpt: no such checkpoint"),
        ("scripts/run_distribute_train.sh sphereface_config.yaml", "not a rank table of one server"),
        ("scripts/run_distribute_train_GPU.sh 2 0,1,2", "names 3 devices, DEVICE_NUM is 2"),
        ("scripts/run_distribute_train_GPU.sh 1 0", "use scripts/run_train_standalone_GPU.sh"),
    ],
)
def test_what_cannot_be_started_is_said_at_once_in_one_line(folder: Path, line: str, words: str) -> None:
    ended = call(folder, line)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_every_script_is_called_here() -> None:
    text = Path(__file__).read_text()
    for name in SCRIPTS:
        pattern = re.sub("Ascend|GPU", "(Ascend|GPU|{target})", name)
        assert re.search(pattern, text), name
    assert len(SCRIPTS) == 6 or "run_infer_310.sh" in SCRIPTS


def test_shell_is_clean() -> None:
    ended = subprocess.run(
        ["shellcheck", "-x", *(f"scripts/{name}" for name in (*SCRIPTS, "zoo.sh"))],
        cwd=ROOT, env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
