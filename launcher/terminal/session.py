"""What one call of the command touches of the world outside: a backend, the clock, and waiting."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import spec_file
from launcher.backends import Address, Backend, choice
from launcher.backends.choice import Choice


@dataclass(frozen=True)
class Session:
    """Tests put a backend of their own and a clock that jumps in here."""

    open_backend: Callable[[Address], Backend] = choice.open_backend
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def backend(self, arguments: argparse.Namespace) -> Backend:
        """The backend of a verb that names runs (its flags are those of `arguments.add_place`)."""
        chosen = choose(arguments)
        if chosen.name == "local":
            return self.open_backend(address(chosen, arguments, _storage_of(arguments)))
        where = address(chosen, arguments, Path())
        return self.open_backend(replace(where, namespace=where.namespace or _namespace_of_files()))


def choose(arguments: argparse.Namespace) -> Choice:
    """Raises UsageError for flags that contradict each other."""
    return choice.choose(
        arguments.backend, os.environ, Path.home(), namespace=arguments.namespace, context=arguments.context
    )


def address(chosen: Choice, arguments: argparse.Namespace, storage: Path) -> Address:
    return Address(chosen.name, storage, arguments.context or "", arguments.namespace or "")


def _namespace_of_files() -> str:
    return spec_file.resolve_namespace(folder=Path.cwd(), user_config=spec_file.user_config_path(os.environ))


def _storage_of(arguments: argparse.Namespace) -> Path:
    """Where a verb that names runs looks for them on this machine."""
    storage, _ = spec_file.resolve_storage(
        arguments.storage,
        folder=Path.cwd(),
        user_config=spec_file.user_config_path(os.environ),
        environment=os.environ,
    )
    return storage
