from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sphereface import align, checkpoint, cli, evaluate, status, verification
from sphereface.model import initial_values

FOLDS, EACH = 3, 4  # pairs.txt: folds, same and different pairs in each


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained sphere4."""
    folder = tmp_path_factory.mktemp("checkpoints")
    weights = initial_values("sphereface4a", conv_bias=False, seed=0)
    checkpoint.save(folder / "0-1_10.ckpt", checkpoint.Checkpoint(weights, {}, {}))
    return folder


def draw_people(root: Path) -> list[str]:
    """FOLDS * EACH people of two images each, LFW's names and lists: patches by person, shaded by image."""
    rng = np.random.default_rng(1)
    names = [f"Person_{i:02d}" for i in range(FOLDS * EACH)]
    lines = []
    for name in names:
        (root / "images" / name).mkdir(parents=True)
        patches = rng.integers(0, 256, (7, 6, 3), np.uint8)
        for i in (1, 2):
            image = cv2.resize(patches, (align.WIDTH + 30, align.HEIGHT + 30))
            image = np.clip(image + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8)
            path = f"{name}/{name}_{i:04d}.png"
            cv2.imwrite(str(root / "images" / path), image)
            points = align.REFERENCE + 15 + rng.normal(0, 1, (5, 2))
            lines.append("\t".join([path, *(f"{value:.1f}" for value in points.ravel())]))
    (root / "landmarks.txt").write_text("\n".join(lines) + "\n")
    return names


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faces")
    names = draw_people(root)
    lines = [f"{FOLDS}\t{EACH}"]
    for fold in range(FOLDS):
        people = names[fold * EACH : (fold + 1) * EACH]
        lines += [f"{name}\t1\t2" for name in people]
        lines += [f"{a}\t1\t{b}\t2" for a, b in zip(people, people[1:] + people[:1], strict=True)]
    (root / "pairs.txt").write_text("\n".join(lines) + "\n")
    return root


def argv(checkpoints: Path, faces: Path, output: Path, **changes: Any) -> list[str]:
    settings: dict[str, Any] = {
        "ckpt_files": checkpoints,
        "datatxt_src": faces / "landmarks.txt",
        "pairtxt_src": faces / "pairs.txt",
        "datasrc": faces / "images",
        "output": output,
        "batch_size": 8,
        **changes,
    }
    return ["evaluate", *(f"--{key}={value}" for key, value in settings.items())]


@pytest.fixture(scope="module")
def evaluated(checkpoints: Path, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("zoo") / "run" / "evaluate"
    assert cli.main(argv(checkpoints, faces, output)) == 0
    return output


def test_the_line_goes_to_stdout_and_progress_to_stderr(
    checkpoints: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv(checkpoints, faces, tmp_path)) == 0
    out, err = capsys.readouterr()
    lfw = json.loads((tmp_path / "lfw.json").read_text())
    assert out == f"LFWACC={lfw['accuracy']:.4f} std={lfw['std']:.4f} thd={lfw['threshold']:.4f}\n"
    assert "\n24 of 24 images, " in "\n" + err


def test_a_second_time_gives_the_same_bytes(checkpoints: Path, faces: Path, evaluated: Path, tmp_path: Path) -> None:
    assert cli.main(argv(checkpoints, faces, tmp_path)) == 0
    names = sorted(path.name for path in evaluated.iterdir())
    assert names == ["lfw.json", "result.json", "roc.png", "scores.npz"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (evaluated / name).read_bytes(), name


def test_lfw_json_says_what_was_judged(checkpoints: Path, evaluated: Path) -> None:
    lfw = json.loads((evaluated / "lfw.json").read_text())
    assert lfw["schema"] == 1
    assert (lfw["protocol"], lfw["score"], lfw["same_if"]) == ("zoo", "cosine", "above threshold")
    assert (lfw["pairs"], lfw["same_pairs"], lfw["images"]) == (24, 12, 24)
    assert (lfw["net"], lfw["embedding_size"]) == ("sphereface4a", 512)
    assert lfw["checkpoint"] == "0-1_10.ckpt"
    assert lfw["checkpoint_sha256"] == hashlib.sha256((checkpoints / "0-1_10.ckpt").read_bytes()).hexdigest()
    assert [fold["fold"] for fold in lfw["folds"]] == [1, 2, 3]
    assert lfw["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in lfw["folds"]]))
    assert lfw["threshold"] == pytest.approx(np.mean([fold["threshold"] for fold in lfw["folds"]]))
    interval = lfw["confidence_interval"]
    assert interval["low"] < lfw["accuracy"] < interval["high"]
    assert list(lfw["tar_at_far"]) == list(lfw["threshold_at_far"]) == ["0.1", "0.01", "0.001", "0.0001"]


def test_the_scores_give_the_result_again(evaluated: Path) -> None:
    lfw = json.loads((evaluated / "lfw.json").read_text())
    with np.load(evaluated / "scores.npz") as kept:
        scores, same, fold, left, images = (kept[key] for key in ("scores", "same", "fold", "left", "images"))
    rule = verification.PROTOCOLS["zoo"]
    for number, told in enumerate(lfw["folds"]):
        training = fold != number
        best = verification.best_threshold(rule, scores[training], same[training])
        assert best == told["threshold"]
        assert np.mean((scores[~training] > best) == same[~training]) == told["accuracy"]
    accepted = scores > lfw["threshold_at_far"]["0.1"]
    assert accepted[same].mean() == lfw["tar_at_far"]["0.1"]
    assert accepted[~same].mean() <= 0.1
    assert images[left[0]] == "Person_00/Person_00_0001.png"


def test_the_result_names_every_file(evaluated: Path) -> None:
    result = json.loads((evaluated / "result.json").read_text())
    assert (result["schema"], result["stage"]) == (1, "evaluate")
    assert all((evaluated / name).is_file() for name in result["files"])
    assert result["metrics"]["line"].startswith("LFWACC=")


@pytest.mark.parametrize("protocol", ["paper", "insightface"])
def test_the_other_protocols(checkpoints: Path, faces: Path, tmp_path: Path, protocol: str) -> None:
    assert cli.main(argv(checkpoints, faces, tmp_path, protocol=protocol)) == 0
    lfw = json.loads((tmp_path / "lfw.json").read_text())
    distance = protocol == "insightface"
    assert (lfw["protocol"], lfw["score"] == "squared distance") == (protocol, distance)
    assert 0.5 < lfw["accuracy"] <= 1
    with np.load(tmp_path / "scores.npz") as kept:
        scores, same = kept["scores"], kept["same"]
    assert (scores[same].mean() < scores[~same].mean()) == distance


def test_heartbeats_say_how_far_it_is(
    checkpoints: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPHEREFACE_STATUS_DIR", str(tmp_path / "status"))
    assert cli.main(argv(checkpoints, faces, tmp_path)) == 0
    beat = json.loads((tmp_path / "status" / "rank_0.heartbeat").read_text())
    assert (beat["phase"], beat["steps"]) == ("evaluate", 24)


def test_progress_is_told_every_few_seconds_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter([0.0, 2.0, 6.0, 8.0, 10.0])
    progress = evaluate.Progress(status.Heartbeat(None, 0), 40, clock=lambda: next(now))
    for done in (10, 20, 30, 40):
        progress(done)
    assert capsys.readouterr().err == "20 of 40 images, 3.3 images/s\n40 of 40 images, 4.0 images/s\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ckpt_files": ""}, "ckpt_files is not set"),
        ({"ckpt_files": "/none"}, "/none: no such file or folder"),
        ({"net": "sphereface20a"}, "holds sphereface4a, but net is sphereface20a"),
        ({"datatxt_src": ""}, "datatxt_src is not set"),
        ({"datatxt_src": "/none.txt"}, "/none.txt: no such landmark list"),
        ({"pairtxt_src": "/none.txt"}, "/none.txt: no such pairs file"),
        ({"datasrc": "/none"}, "/none: no such folder of images"),
        ({"protocol": "zoos"}, "protocol must be one of zoo, paper, insightface, not 'zoos' (did you mean 'zoo'?)"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    checkpoints: Path,
    faces: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    words: str,
) -> None:
    assert cli.main(argv(checkpoints, faces, tmp_path / "out", **changes)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
    assert not (tmp_path / "out").exists()


def test_a_truncated_checkpoint_is_refused(
    checkpoints: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (checkpoints / "0-1_10.ckpt").read_bytes()
    (tmp_path / "0-1_10.ckpt").write_bytes(data[: len(data) // 2])
    assert cli.main(argv(tmp_path / "0-1_10.ckpt", faces, tmp_path / "out")) == 2
    assert "not a whole checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_image_that_is_none_ends_it_and_no_result_stays(
    checkpoints: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(faces, tmp_path / "faces")
    broken = tmp_path / "faces" / "images" / "Person_03" / "Person_03_0002.png"
    broken.write_text("no image")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("{}")  # of an earlier run
    assert cli.main(argv(checkpoints, tmp_path / "faces", tmp_path / "out")) == 2
    assert str(broken) in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
