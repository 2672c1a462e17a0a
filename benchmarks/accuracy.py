"""Accuracy on real faces: sphere4, 10 epochs, judged after each epoch by LFW pairs. `make accuracy DATA=FOLDER`.

FOLDER holds `faces_train/{images,landmark.txt}` and `lfw/{images,lfw_landmark.txt,pairs.txt}`, or the same as
`faces_train.tar` and `lfw.tar`. About 40 minutes a recipe on 2 quiet cores. Everything goes through the `sphereface`
command, so that what is measured is what users run. A second start goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EPOCHS = 10
RESULTS = Path(__file__).parent / "results" / "accuracy.md"

PYTORCH = {1: 74.4, 2: 80.5, 3: 82.7, 4: 85.3, 5: 86.4, 6: 86.5, 7: 87.5, 8: 88.4, 10: 88.3}
"""LFW accuracy (%) of a PyTorch SphereFace with the settings of `reference`, one run, by epoch."""

COMMON = {"net": "sphereface4a", "conv_bias": "true", "max_epoch": str(EPOCHS), "keep_checkpoint_max": "0"}
RECIPES: Mapping[str, Mapping[str, str]] = {
    "reference": {
        "per_batch_size": "64", "lr": "0.05", "warmup_epochs": "1", "weight_decay": "0.0005", "clip_grad_norm": "5",
        "margin": "asoftmax", "lambda_preset": "zoo", "label_smooth": "false",
    },
    "cosface": {
        "per_batch_size": "64", "lr": "0.1", "warmup_epochs": "1", "weight_decay": "0.0005", "clip_grad_norm": "5",
        "margin": "cosface", "margin_s": "30", "margin_m": "0.2", "label_smooth": "false", "color_jitter": "0.2",
    },
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="LFW accuracy by epoch on real faces.")
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"), help="folder of the faces [data]")
    parser.add_argument(
        "--work", type=Path, default=Path("build/accuracy"), help="where runs are kept [build/accuracy]"
    )
    parser.add_argument("--recipes", nargs="+", choices=tuple(RECIPES), default=list(RECIPES))
    arguments = parser.parse_args()
    try:
        train, lfw = (unpacked(arguments.data, arguments.work, name) for name in ("faces_train", "lfw"))
    except FileNotFoundError as error:
        print(f"accuracy: {error}; say where the faces are: make accuracy DATA=FOLDER", file=sys.stderr)
        return 2
    packed = arguments.work / "faces.pack"
    if not packed.exists():
        sphereface("pack", train_data_dir=train / "landmark.txt", train_img_dir=train / "images", output=packed)
    judged = {name: judge_recipe(name, packed, lfw, arguments.work) for name in arguments.recipes}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(report(judged))
    print(RESULTS.read_text())
    return 0


def unpacked(data: Path, work: Path, name: str) -> Path:
    """The folder `name` in `data`, or unpacked from `name.tar` there."""
    for folder in (data / name, work / "data" / name):
        if folder.is_dir():
            return folder
    archive = data / f"{name}.tar"
    if not archive.exists():
        raise FileNotFoundError(f"neither {data / name} nor {archive} exists")
    with tarfile.open(archive) as members:
        members.extractall(work / "data", filter="data")
    return work / "data" / name


def judge_recipe(name: str, packed: Path, lfw: Path, work: Path) -> dict[int, dict[str, Any]]:
    """Trains by one recipe and judges the checkpoint of each epoch; {epoch: lfw.json}."""
    output = work / name
    if not (output / "result.json").exists():
        sphereface("train", train_img_dir=packed, output=output, **COMMON, **RECIPES[name])
    results = {}
    for epoch in range(1, EPOCHS + 1):
        steps = json.loads((output / "result.json").read_text())["metrics"]["steps"] // EPOCHS
        checkpoint = output / "checkpoints" / f"0-{epoch}_{steps}.ckpt"
        folder = output / f"lfw_{epoch}"
        if not (folder / "lfw.json").exists():
            sphereface(
                "evaluate", ckpt_files=checkpoint, output=folder, protocol="zoo",
                datatxt_src=lfw / "lfw_landmark.txt", pairtxt_src=lfw / "pairs.txt", datasrc=lfw / "images",
            )  # fmt: skip
        results[epoch] = json.loads((folder / "lfw.json").read_text())
    return results


def sphereface(verb: str, **keys: object) -> None:
    flags = [word for key, value in keys.items() for word in (f"--{key}", str(value))]
    subprocess.run([sys.executable, "-m", "sphereface", verb, *flags], check=True)


def report(judged: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> str:
    """The table by epoch, and the settings it was reached with."""
    lines = [
        "# LFW accuracy on real faces, sphere4, by epoch",
        "",
        "17,603 training images of 280 identities; 6,000 LFW pairs, protocol `zoo`. "
        f"MindSpore on the CPU ({platform.machine()}).",
        "PyTorch: the reference figures of one run with the settings of `reference` (fold deviation 1.3 to 2.2).",
        "",
        "| epoch | PyTorch % | " + " | ".join(f"{name} %" for name in judged) + " |",
        "|---" * (2 + len(judged)) + "|",
    ]
    for epoch in range(1, EPOCHS + 1):
        cells = [
            f"{by_epoch[epoch]['accuracy'] * 100:.2f} ± {by_epoch[epoch]['std'] * 100:.2f}"
            for by_epoch in judged.values()
        ]
        lines.append(f"| {epoch} | {PYTORCH.get(epoch, '')} | " + " | ".join(cells) + " |")
    lines.append("")
    for name in judged:
        settings = " ".join(f"--{key} {value}" for key, value in {**COMMON, **RECIPES[name]}.items())
        lines.append(f"- `{name}`: `sphereface train {settings}`")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
