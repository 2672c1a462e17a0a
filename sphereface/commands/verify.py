"""sphereface verify: say whether two images show the same person."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from sphereface import config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A.JPG", help="first image")
    parser.add_argument("b", metavar="B.JPG", help="second image")
    for side in ("a", "b"):
        parser.add_argument(
            f"--landmarks-{side}", metavar="X1,Y1,…,X5,Y5",
            help=f"of image {side.upper()}, in pixels: left eye, right eye, nose, left and right mouth corner",
        )  # fmt: skip
    parser.add_argument("--aligned", action="store_true", help="images without landmarks are aligned 96x112 crops")
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--threshold", type=float, metavar="COSINE", help="call them the same above this similarity")
    origin.add_argument("--lfw", metavar="LFW.JSON", help="take the threshold from this evaluation (protocol zoo)")
    parser.add_argument(
        "--far", type=float, metavar="RATE", help="with --lfw: the threshold for this false accept rate"
    )
    parser.add_argument("-o", dest="form", choices=("text", "json"), default="text", help="form of the answer [text]")
    config.add_flags(parser, ("ckpt_files", "net", "conv_bias", "device_target", "device_id"))


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    from sphereface import checkpoint, runtime, stage, verify

    faces = []
    for path, text, flag in (
        (Path(arguments.a), arguments.landmarks_a, "--landmarks-a"),
        (Path(arguments.b), arguments.landmarks_b, "--landmarks-b"),
    ):
        landmarks = None if text is None else verify.parse_landmarks(text, flag)
        faces.append(verify.face(path, landmarks, aligned=arguments.aligned, flag=flag))
    runtime.use_device(settings)
    source = stage.find_source(settings)
    lfw = Path(arguments.lfw) if arguments.lfw else None
    threshold = verify.choose_threshold(arguments.threshold, lfw, arguments.far, source.sha256)
    network, _ = checkpoint.load_network(source.path, settings)
    answer = verify.compare(network, (faces[0], faces[1]), threshold)
    if arguments.form == "json":
        images = {"images": [arguments.a, arguments.b]}
        print(json.dumps({"schema": stage.SCHEMA, **answer.as_json(), **images, **source.as_json()}, indent=2))
    else:
        print(answer.as_text())
    return 0
