"""sphereface evaluate: judge a checkpoint on LFW-style pairs."""

from __future__ import annotations

import argparse
import os

from runfolder import layout
from sphereface import config, modelarts, runtime, stage, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    stage.end_on_sigterm()
    heartbeat = status.Heartbeat(status.folder(os.environ), rank=0)
    heartbeat.beat("start")
    with modelarts.at_hand(settings, layout.EVALUATE) as local:
        runtime.use_device(local)
        from sphereface.evaluate import evaluate

        print(evaluate(local, heartbeat), flush=True)
    return 0
