"""sphereface evaluate: judge a checkpoint on LFW-style pairs."""

from __future__ import annotations

import argparse
import os

from sphereface import config, runtime, stage, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    stage.end_on_sigterm()
    heartbeat = status.Heartbeat(status.folder(os.environ), rank=0)
    heartbeat.beat("start")
    runtime.use_device(settings)
    from sphereface.evaluate import evaluate

    print(evaluate(settings, heartbeat), flush=True)
    return 0
