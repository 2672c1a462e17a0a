"""`launcher submit [SPEC]`: starts a run, or says how the run of that name stands."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from launcher import lite_programs, spec_file
from launcher.backends import Address, Backend
from launcher.backends.choice import Choice
from launcher.errors import NotFound, SpecError
from launcher.plan import Plan
from launcher.terminal import arguments as shared
from launcher.terminal import attend, request
from launcher.terminal.session import Session, address, choose


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Start a run: train, then evaluate, then export. It goes on without this terminal.\n"
        "The stage infer310 (inference in C++) follows where --stages names it.\n"
        "The same name with the same plan is left as it is; with another plan it is refused (exit 6).",
        "launcher submit --name demo --devices 2 --set train.lr=0.05 --follow",
        "launcher submit run.yaml --dry-run",
        "launcher submit run.yaml --wait -o json",
    )
    request.add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="print the plan and where each value came from")
    shared.add_following(parser)
    shared.add_output(parser, "json", "yaml", "name")


def run(arguments: argparse.Namespace, session: Session) -> int:
    resolved, plan = request.resolve(arguments)
    chosen = choose(arguments)
    if not chosen.asked:
        print(f"Using the {chosen.name} backend: {chosen.why}.", file=sys.stderr)
    if arguments.dry_run:
        if missing := _missing(plan):
            raise SpecError("\n".join(missing))
        if arguments.output in ("json", "yaml"):
            print(request.as_document(plan, resolved, arguments.output))
        else:
            print(f"run/{plan.run}" if arguments.output == "name" else f"run/{plan.run} created (dry run)")
            if arguments.output is None:
                print(f"\n{request.as_table(plan, resolved)}")
        return 0
    backend = session.open_backend(_address(chosen, arguments, plan))
    missing = _missing(plan)
    if missing and not _exists(backend, plan.run):
        raise SpecError("\n".join(missing))
    return attend.attend(backend, backend.submit(plan), arguments, session)


def _address(chosen: Choice, arguments: argparse.Namespace, plan: Plan) -> Address:
    """Where the plan itself says: its namespace may be a spec's."""
    where = address(chosen, arguments, Path(plan.spec["storage"]))
    return replace(where, namespace=plan.kubernetes.namespace) if plan.kubernetes else where


def _exists(backend: Backend, run: str) -> bool:
    try:
        return bool(backend.observe(run))
    except NotFound:
        return False


def _missing(plan: Plan) -> list[str]:
    """What this machine lacks for the run, one line each."""
    return [*spec_file.missing_inputs(plan), *lite_programs.missing(plan, os.environ)]
