"""sphereface train: train a network from a list, a folder of faces, or a packed file."""

from __future__ import annotations

import argparse
import os

from runfolder import layout
from sphereface import config, journal, modelarts, runtime, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    config.add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = config.from_arguments(arguments)
    stop = runtime.StopRequest()
    stop.install()
    journal.log_to_stdout()
    rank = int(os.environ.get("RANK_ID") or settings.rank)
    heartbeat = status.Heartbeat(status.folder(os.environ), rank)
    heartbeat.beat("start")
    with modelarts.at_hand(settings, layout.TRAIN) as local:
        ranks = runtime.start(local)
        from sphereface.train import train

        exit_code = train(local, ranks, heartbeat, stop)
    if exit_code == 0 and runtime.await_all(ranks):
        heartbeat.done()
    return exit_code
