"""The same LFW accuracy to four digits as Python's on real faces: DATA=folder with lfw, CHECKPOINT=a trained one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from runfolder.programs import FOLDER
from sphereface import cli, export
from tests.ascend310_infer.conftest import Faces, Programs

pytestmark = [
    pytest.mark.infer310,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not {"DATA", "CHECKPOINT"} <= set(os.environ), reason="set DATA (with lfw/images, lists) and CHECKPOINT"
    ),
]


@pytest.fixture(scope="module")
def lfw() -> Faces:
    folder = Path(os.environ["DATA"]) / "lfw"
    return Faces(folder / "images", folder / "lfw_landmark.txt", folder / "pairs.txt")


def test_accuracy_is_pythons_through_both_inputs(
    release: Programs, lfw: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(release.folder))
    given = [f"--ckpt_files={os.environ['CHECKPOINT']}", f"--net={os.environ.get('NET', 'sphereface20a')}"]
    lists = [f"--datatxt_src={lfw.landmarks}", f"--pairtxt_src={lfw.pairs}", f"--datasrc={lfw.images}"]
    assert cli.main(["export", *given, f"--output={tmp_path}", "--format=lite"]) == 0
    assert cli.main(["evaluate", *given, *lists, f"--output={tmp_path / 'python'}"]) == 0
    assert release("preprocess310", *lfw.flags(), f"--output={tmp_path}").returncode == 0
    lines = set()
    for name, source in {"photographs": lfw.flags(), "bins": [f"--input0_path={tmp_path / '00_data'}"]}.items():
        flags = [f"--mindir_path={tmp_path / 'sphereface.lite.mindir'}", "--device=cpu", *source]
        done = release("infer310", *flags, f"--output={tmp_path / name}")
        assert done.returncode == 0, done.stderr
        lines.add(done.stdout)
    ours, theirs = (json.loads((tmp_path / name / "lfw.json").read_text()) for name in ("photographs", "python"))
    assert lines == {f"LFWACC={theirs['accuracy']:.4f} std={theirs['std']:.4f} thd={theirs['threshold']:.4f}\n"}
    assert (ours["checkpoint_sha256"], ours["images"]) == (theirs["checkpoint_sha256"], theirs["images"])
    cosines = np.loadtxt(tmp_path / "photographs" / "scores.csv", delimiter=",", skiprows=1, usecols=4)
    np.testing.assert_allclose(cosines, np.load(tmp_path / "python" / "scores.npz")["scores"], atol=export.TOLERANCE)
