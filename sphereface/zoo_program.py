"""The model zoo's programs: what `train.py`, `eval.py` and `export.py` add to the verbs that they stand for.

A configuration without being told (a user's own `sphereface_config.yaml` beside the program, else the published run's),
checkpoints in the output folder itself, and a device that the environment may choose.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sphereface import cli, config
from sphereface.errors import ConfigError

DEVICE_VARIABLE = "SPHEREFACE_DEVICE_TARGET"
"""CPU, GPU or Ascend: outweighs whatever a script or a file asks for, so that all of them run where there is only a
CPU."""
OWN_CONFIG = "sphereface_config.yaml"
PUBLISHED_CONFIG = "configs/casia_sphere20a.yaml"


def main(verb: str, root: Path, argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Runs `verb` as the program in the folder `root`; returns its exit code."""
    return cli.main([verb, *arguments(verb, root, sys.argv[1:] if argv is None else argv, environ)])


def arguments(verb: str, root: Path, argv: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The verb's own command line, for that of the program."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    config.add_flags(parser)
    given, _ = parser.parse_known_args(argv)
    words = list(argv)
    if given.config is None:
        given.config = str(root / OWN_CONFIG if (root / OWN_CONFIG).exists() else root / PUBLISHED_CONFIG)
        words.append(f"--config={given.config}")
    if environ.get(DEVICE_VARIABLE):
        words.append(f"--device_target={environ[DEVICE_VARIABLE]}")
    if verb == "train" and "save_ckpt_path" not in vars(given):
        with suppress(ConfigError):  # the verb tells of it
            settings = config.from_arguments(given)
            if not settings.enable_modelarts:  # which has its own output folder
                words.append(f"--save_ckpt_path={Path(settings.output) / settings.save_ckpt_path}")
    return words
