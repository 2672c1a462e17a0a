"""`launcher wait RUN`: returns when the run has ended, with its exit code."""

from __future__ import annotations

import argparse

from launcher.terminal import arguments as shared
from launcher.terminal import follow, lookup, output
from launcher.terminal.progress_display import Silent
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Wait until a run has ended, however it ends.\n\n"
        "Exit code: 0 the run succeeded, 1 it failed or was cancelled, 5 the time was up.",
        "launcher wait demo",
        "launcher wait demo --timeout 10m",
    )
    shared.add_run(parser)
    shared.add_duration(parser, "--timeout", "give up after 30s, 10m, 1h30m; 0 looks once [no limit]")
    shared.add_output(parser, "json", "yaml", "name")
    shared.add_place(parser)


def run(arguments: argparse.Namespace, session: Session) -> int:
    backend = session.backend(arguments)
    lookup.find(backend, arguments.run)
    status = follow.until_end(backend, arguments.run, session, Silent(), arguments.timeout)
    if arguments.output in ("json", "yaml"):
        print(output.document(output.run_data(status), arguments.output))
    elif arguments.output == "name":
        print(f"run/{status.run}")
    else:
        print(f"run/{status.run} {status.state}")
    follow.check_succeeded(backend, status)
    return 0
