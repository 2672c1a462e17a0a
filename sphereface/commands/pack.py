"""`sphereface pack`: aligns every training image once and keeps the crops in one file, mapped by training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sphereface import config as configuration
from sphereface.errors import DataError, StorageError

if TYPE_CHECKING:
    from sphereface.align import Image
    from sphereface.data.bad_images import BadImages
    from sphereface.data.faces import FaceSet

_KEYS = ("train_data_dir", "train_img_dir", "num_classes", "drop_lfw_overlap", "data_workers", "max_bad_images")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    configuration.add_flags(parser, _KEYS)
    parser.add_argument(
        "--output", dest="packed_file", metavar="FILE", type=Path, required=True, help="packed file to write"
    )


def run(arguments: argparse.Namespace) -> int:
    from sphereface.data import faces, packed
    from sphereface.data.bad_images import BadImages

    config, file = configuration.from_arguments(arguments), arguments.packed_file
    if file.exists() and not (file.is_file() and packed.is_packed(file)):
        raise DataError(f"{file}: is there already and is not a packed file; choose another --output")
    training = faces.open_training(config)
    bad = BadImages(len(training), config.max_bad_images)
    try:
        count, names = packed.write(file, _labelled(training, bad, config.data_workers), training.names)
    except OSError as error:
        raise StorageError(f"{file}: cannot be written: {error.strerror or error}") from None
    for message in bad.messages:
        print(f"skipped {message}", file=sys.stderr)
    print(f"{file}: {count} images of {len(names)} persons, {file.stat().st_size / 1e6:.1f} MB, {len(bad)} skipped")
    if len(names) < training.num_classes:
        missing = sorted(set(training.names) - set(names))
        print(f"persons without a usable image, left out: {', '.join(missing)}", file=sys.stderr)
    return 0


def _labelled(training: FaceSet, bad: BadImages, workers: int) -> Iterator[tuple[Image, int]]:
    from sphereface.data.bad_images import readable

    every = max(1000, len(training) // 20)
    for index, canvas in readable(len(training), training.crop, bad, workers):
        yield canvas, int(training.labels[index])
        if (index + 1) % every == 0:
            print(f"{index + 1} of {len(training)} images, {len(bad)} skipped", file=sys.stderr, flush=True)
