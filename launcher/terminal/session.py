"""What one call of the command touches of the world outside: a backend, the clock, and waiting."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launcher import spec_file
from launcher.backends import Backend, choice


@dataclass(frozen=True)
class Session:
    """Tests put a backend of their own and a clock that jumps in here."""

    open_backend: Callable[[str, Path], Backend] = choice.open_backend
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def backend(self, arguments: argparse.Namespace) -> Backend:
        """The backend of a verb that names runs (flags `--storage`, `--backend`)."""
        chosen = choice.choose(arguments.backend, os.environ, Path.home())
        return self.open_backend(chosen.name, storage_of(arguments))


def storage_of(arguments: argparse.Namespace) -> Path:
    """Where a verb that names runs looks for them."""
    storage, _ = spec_file.resolve_storage(
        arguments.storage,
        folder=Path.cwd(),
        user_config=spec_file.user_config_path(os.environ),
        environment=os.environ,
    )
    return storage
