"""sphereface infer310: judge an exported model on LFW-style pairs in C++, on an Ascend 310 or a CPU."""

from __future__ import annotations

import argparse
import os

from runfolder import layout
from sphereface import config, stage, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_flags(parser, [key for key, field in config.KEYS.items() if layout.INFER310 in field.metadata["stages"]])


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    stage.end_on_sigterm()
    heartbeat = status.Heartbeat(status.folder(os.environ), rank=0)
    heartbeat.beat("start")
    from sphereface.infer310 import infer310

    print(infer310(settings, heartbeat), flush=True)
    return 0
