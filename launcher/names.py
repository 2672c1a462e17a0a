"""Every name, label and address that the launcher gives. (Names inside a run folder: `runfolder.layout`.)"""

from __future__ import annotations

import re

MAX_RUN_NAME = 40
"""A Kubernetes label holds 63 characters; a stage's pod adds `-evaluate-99-9-xxxxx`."""

SPEC_FILE = "launcher.yaml"

BACKENDS = ("kubernetes", "local")

ENV_STORAGE = "LAUNCHER_STORAGE"
ENV_BACKEND = "LAUNCHER_BACKEND"
ENV_RUN = "LAUNCHER_RUN"
ENV_FOLDER = "LAUNCHER_FOLDER"
"""Run and run folder: set for every process of a run's stages, so that what is left of one can be found."""
ENV_STAGE = "LAUNCHER_STAGE"
ENV_ATTEMPT = "LAUNCHER_ATTEMPT"

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def is_run_name(name: str) -> bool:
    """A DNS label (RFC 1123) that is short enough to begin the names of the run's pods."""
    return len(name) <= MAX_RUN_NAME and _DNS_LABEL.fullmatch(name) is not None
