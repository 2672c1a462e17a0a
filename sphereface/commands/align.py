"""`sphereface align`: photographs and their landmarks to a folder per person of aligned 96x112 crops."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sphereface import config as configuration
from sphereface.errors import DataError, StorageError

if TYPE_CHECKING:
    from sphereface.data.bad_images import BadImages
    from sphereface.data.landmark_list import LandmarkList

_KEYS = ("train_img_dir", "data_workers", "max_bad_images")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("list", metavar="LIST", type=Path, help="landmark list, CASIA-style or LFW-style")
    configuration.add_flags(parser, _KEYS)
    parser.add_argument(
        "--output", dest="folder", metavar="DIR", type=Path, required=True, help="folder to write, new or empty"
    )
    parser.add_argument("--format", choices=("png", "jpg"), default="png", help="of the crops [png]")


def run(arguments: argparse.Namespace) -> int:
    from sphereface.data import landmark_list
    from sphereface.data.bad_images import BadImages

    config, folder = configuration.from_arguments(arguments), arguments.folder
    root = Path(config.train_img_dir)
    if not config.train_img_dir or not root.is_dir():
        raise DataError(f"{config.train_img_dir or 'train_img_dir'}: no such folder of images; set --train_img_dir")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: is there already and is not an empty folder; choose another --output")
    listed = landmark_list.read(arguments.list, labelled=None)
    targets = _targets(listed, arguments.format)
    bad = BadImages(len(listed.paths), config.max_bad_images)
    try:
        persons = _write(listed, root, targets, folder, bad, config.data_workers)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror or error}") from None
    for message in bad.messages:
        print(f"skipped {message}", file=sys.stderr)
    print(f"{folder}: {len(targets) - len(bad)} crops of {persons} persons, {len(bad)} skipped")
    return 0


def _write(listed: LandmarkList, root: Path, targets: list[str], folder: Path, bad: BadImages, workers: int) -> int:
    """Writes into a folder beside `folder` that gets its name at the end, so that a half is never taken for all.

    Returns the number of persons.
    """
    from sphereface import align
    from sphereface.data.bad_images import readable

    def encoded(index: int) -> bytes:
        path = root / listed.paths[index]
        image = align.read_image(path)
        try:
            face = align.crop(image, listed.points[index])
        except DataError as error:
            raise DataError(f"{path} ({listed.where(index)}): {error}") from None
        return align.encode(face, Path(targets[index]).suffix)

    folder.parent.mkdir(parents=True, exist_ok=True)
    every = max(1000, len(targets) // 20)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        whole = Path(scratch) / folder.name
        for index, data in readable(len(targets), encoded, bad, workers):
            target = whole / targets[index]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            if (index + 1) % every == 0:
                print(f"{index + 1} of {len(targets)} images, {len(bad)} skipped", file=sys.stderr, flush=True)
        if not whole.exists():
            raise DataError(f"{folder}: not written: none of the {len(targets)} images can be used: {bad.messages[0]}")
        persons = sum(1 for _ in whole.iterdir())
        whole.replace(folder)
    return persons


def _targets(listed: LandmarkList, suffix: str) -> list[str]:
    """Person/file of each image of the list. Raises DataError where two images would get the same name."""
    labels, names = listed.identities()
    targets: list[str] = []
    line_of: dict[str, str] = {}
    for index, (label, path) in enumerate(zip(labels, listed.paths, strict=True)):
        parts = PurePosixPath(path).with_suffix(f".{suffix}").parts
        target = f"{names[label]}/{'_'.join(parts[1:] or parts)}"
        if target in line_of:
            raise DataError(f"{listed.where(index)}: '{path}' would get the same name as {line_of[target]}")
        line_of[target] = listed.where(index)
        targets.append(target)
    return targets
