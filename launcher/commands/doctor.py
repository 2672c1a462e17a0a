"""`launcher doctor [SPEC]`: what stands in the way of a run, before it is submitted; creates nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from launcher import names, spec_check
from launcher.backends import choice
from launcher.doctor import Finding, Level, error, ok, warning
from launcher.errors import BackendError, SpecError
from launcher.spec import RunSpec
from launcher.terminal import arguments as shared
from launcher.terminal import output, request
from launcher.terminal.session import Session, address, choose

EXIT_ERROR = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Look for what stands in the way of a run: of the cluster its rights, quota, devices, storage, image pull\n"
        "secret, Pod Security and clock; of this machine its devices, disk and programs. Takes what 'submit' takes,\n"
        "and judges for that run. Exit code 1 where something is an error.",
        "launcher doctor",
        "launcher doctor run.yaml -n lab --devices 8 --device ascend910",
        "launcher doctor -o json",
    )
    request.add_arguments(parser)
    shared.add_output(parser, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    found = []
    for finding in _findings(arguments):
        found.append(finding)
        if arguments.output is None:
            print(line(finding), flush=True)
    if arguments.output is not None:
        print(output.document({"findings": [vars(finding) for finding in found]}, arguments.output))
    return EXIT_ERROR if any(finding.level is Level.ERROR for finding in found) else 0


def line(finding: Finding) -> str:
    advice = f"; {finding.advice}" if finding.advice else ""
    return f"{finding.level:<8} {finding.check:<13} {finding.text}{advice}"


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    chosen = choose(arguments)
    yield ok("backend", f"{chosen.name} ({chosen.why})")
    try:
        resolved, plan = request.resolve(arguments, complete=False)
        yield _spec(resolved.spec, named=arguments.spec is not None or Path(names.SPEC_FILE).exists())
        yield from choice.examine(address(chosen, arguments, Path(resolved.spec.storage)), plan)
    except SpecError as failure:
        yield error("spec", str(failure), "nothing more can be checked until that is mended")
    except BackendError as failure:
        yield error("context", str(failure), "nothing more can be checked until that is mended")


def _spec(spec: RunSpec, *, named: bool) -> Finding:
    """What the stages lack is an error of a spec, and nothing to a call that only asks for the surroundings."""
    try:
        spec_check.check_inputs(spec)
    except SpecError as failure:
        if named:
            return error("spec", str(failure), "submit refuses it as it is")
        return warning("spec", "no run is described, so a common one is judged", "name a spec, as for 'submit'")
    return ok("spec", f"run '{spec.name}': {', '.join(spec.stages)} on {spec.device} x{spec.devices}")
