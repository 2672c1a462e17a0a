from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from runfolder.programs import FOLDER
from sphereface import checkpoint, cli
from sphereface.model import initial_values

ROOT = Path(__file__).parents[2]
LEAKS = ROOT / "ascend310_infer" / "tests" / "lsan.supp"


@dataclass(frozen=True)
class Faces:
    """Photographs of synthetic persons in LFW's form."""

    images: Path
    landmarks: Path
    pairs: Path

    def flags(self) -> list[str]:
        return [f"--image_path={self.images}", f"--landmarks={self.landmarks}", f"--pairs={self.pairs}"]


@dataclass(frozen=True)
class Programs:
    """The C++ programs of one build."""

    folder: Path

    def __call__(self, name: str, *words: object) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "LSAN_OPTIONS": f"suppressions={LEAKS}:print_suppressions=0"}
        command = [str(self.folder / f"sphereface_{name}"), *map(str, words)]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session", params=["release", "sanitize"])
def programs(request: pytest.FixtureRequest) -> Programs:
    return Programs(ROOT / "build" / "infer310" / request.param)


@pytest.fixture(scope="session")
def release() -> Programs:
    return Programs(ROOT / "build" / "infer310" / "release")


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    root = tmp_path_factory.mktemp("faces")
    few = ["--identities=2", "--images=2", "--test-identities=20", "--test-images=2"]
    assert cli.main(["synth", str(root), *few]) == 0
    test = root / "test"
    return Faces(test / "images", test / "landmark.txt", test / "pairs.txt")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained sphere4."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoints"), "sphereface4a", conv_bias=False)


def save_checkpoint(folder: Path, net: str, *, conv_bias: bool) -> Path:
    weights = initial_values(net, conv_bias, seed=0)
    rng = np.random.default_rng(0)
    for name, value in weights.items():
        if name.endswith((".bias", ".w")):
            weights[name] = (value + 0.2 * rng.normal(size=value.shape)).astype(np.float32)
    checkpoint.save(folder / "0-1_10.ckpt", checkpoint.Checkpoint(weights, {}, {}))
    return folder


@pytest.fixture(scope="session")
def exported(checkpoints: Path, release: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the checkpoint as a direct MINDIR and for MindSpore Lite."""
    output = tmp_path_factory.mktemp("run") / "export"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(release.folder))
        words = [f"--ckpt_files={checkpoints}", f"--output={output}", "--format=mindir,lite"]
        assert cli.main(["export", *words]) == 0
    return output


@pytest.fixture(scope="session")
def model(exported: Path) -> Path:
    return exported / "sphereface.lite.mindir"


@pytest.fixture(scope="session")
def bins(faces: Faces, release: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("zoo") / "preprocess_result"
    done = release("preprocess310", *faces.flags(), f"--output={output}")
    assert (done.returncode, done.stderr) == (0, "")
    return output / "00_data"
