"""sphereface export: write a checkpoint as MINDIR, LITE, ONNX or AIR."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from runfolder import layout
from sphereface import config, lfw_file, modelarts, runtime, stage, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_flags(parser)
    parser.add_argument(
        "--format", dest="file_format", type=str.upper, default=argparse.SUPPRESS, metavar="STR",
        help="file_format, in small letters too: lite",
    )  # fmt: skip
    parser.add_argument(
        "--lfw", metavar="LFW.JSON", help="evaluation of this checkpoint; puts thresholds in export.json"
    )


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    stage.end_on_sigterm()
    heartbeat = status.Heartbeat(status.folder(os.environ), rank=0)
    heartbeat.beat("start")
    lfw = lfw_file.read(Path(arguments.lfw)) if arguments.lfw else None
    with modelarts.at_hand(settings, layout.EXPORT) as local:
        runtime.use_device(local)
        from sphereface.export import export

        for path in export(local, heartbeat, lfw):
            print(path, flush=True)
    return 0
