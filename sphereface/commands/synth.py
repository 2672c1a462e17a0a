"""`sphereface synth`: faces for a machine that has none."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

IDENTITIES = 150
IMAGES = 20
TEST_IDENTITIES = 50
TEST_IMAGES = 10
PICTURES_A_WORKER = 250
"""At least; for fewer, another process costs more time to start than it saves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="new folder to write into, or one to complete")
    parser.add_argument("--identities", type=int, default=IDENTITIES, metavar="N",
                        help="persons in the training set [%(default)s]")  # fmt: skip
    parser.add_argument("--images", type=int, default=IMAGES, metavar="M", help="pictures of each [%(default)s]")
    parser.add_argument("--test-identities", type=int, default=TEST_IDENTITIES, metavar="K",
                        help="other persons, in the pairs [%(default)s]")  # fmt: skip
    parser.add_argument("--test-images", type=int, default=TEST_IMAGES, metavar="T",
                        help="pictures of each of them [%(default)s]")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="S",
                        help="the same seed and numbers give the same files [%(default)s]")  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from sphereface import synthetic

    request = synthetic.Request(
        identities=arguments.identities,
        images=arguments.images,
        test_identities=arguments.test_identities,
        test_images=arguments.test_images,
        seed=arguments.seed,
    )
    folder = Path(arguments.folder)
    workers = max(1, min(len(os.sched_getaffinity(0)), request.pictures // PICTURES_A_WORKER))
    with tqdm(total=request.pictures, unit=" pictures", disable=not sys.stderr.isatty(), leave=False) as bar:
        drawn = synthetic.write(folder, request, lambda done: bar.update(done - bar.n), workers=workers)
    train, test = request.identities * request.images, request.test_identities * request.test_images
    what = f"{train} synthetic faces of {request.identities} persons to train on, {test} of {request.test_identities}"
    print(f"{folder}: {what} others to judge with{'' if drawn else ': already there'}")
    return 0
