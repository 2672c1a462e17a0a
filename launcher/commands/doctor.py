"""`launcher doctor [SPEC]`: what stands in the way of a run before it is submitted, or what a failed one died of."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from launcher import names, spec_check
from launcher.backends import LogQuery, choice
from launcher.doctor import Finding, Level, error, ok, warning
from launcher.errors import BackendError, SpecError, UsageError
from launcher.failures import log_files, recognise, table
from launcher.failures.recognise import Log
from launcher.spec import RunSpec
from launcher.states import State
from launcher.status import RunStatus
from launcher.terminal import arguments as shared
from launcher.terminal import diagnosis, lookup, output, request
from launcher.terminal.completion import run_names
from launcher.terminal.session import Session, address, choose

EXIT_ERROR = 1
_OF_A_SPEC = tuple(flag for flag in request.KEYS if flag not in ("storage", "namespace"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Look for what stands in the way of a run: of the cluster its rights, quota, devices, storage, image pull\n"
        "secret, Pod Security and clock; of this machine its devices, disk and programs. Takes what 'submit' takes,\n"
        "and judges for that run.\n\n"
        "With --logs or --run it looks into logs for the known failures of Ascend, and says cause, remedy and where\n"
        "that is documented; of a failure that it does not know it shows the lines.\n\n"
        "Exit code 1 where something is an error.",
        "launcher doctor",
        "launcher doctor run.yaml -n lab --devices 8 --device ascend910",
        "launcher doctor -o json",
        "launcher doctor --run demo",
        "launcher doctor --logs ~/ascend/log runs/demo/train/logs/rank_0.log",
        "kubectl logs job/demo-train-1 | launcher doctor --logs -",
    )
    logs = parser.add_argument_group("a failure").add_mutually_exclusive_group()
    logs.add_argument(
        "--logs",
        nargs="+",
        metavar="PATH",
        help="look for failures in these logs, in the logs of a folder, or in stdin (-)",
    )
    run_flag = logs.add_argument(
        "--run", dest="failed", metavar="RUN", help="look for failures in the logs of this run"
    )
    run_flag.completer = run_names  # type: ignore[attr-defined]
    request.add_arguments(parser)
    shared.add_output(parser, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:
    if arguments.logs or arguments.failed:
        return _look_into_logs(arguments, session)
    found = []
    for finding in _findings(arguments):
        found.append(finding)
        if arguments.output is None:
            print(line(finding), flush=True)
    if arguments.output is not None:
        print(output.document({"findings": [vars(finding) for finding in found]}, arguments.output))
    return EXIT_ERROR if any(finding.level is Level.ERROR for finding in found) else 0


def _look_into_logs(arguments: argparse.Namespace, session: Session) -> int:
    if unused := [word for word in ("spec", "set", *_OF_A_SPEC) if getattr(arguments, word)]:
        raise UsageError(f"--logs and --run look into logs and not at a spec; leave out {', '.join(unused)}")
    run = lookup.find(session.backend(arguments), arguments.failed) if arguments.failed else None
    logs = list(_logs_of(run, arguments, session) if run else _logs(arguments.logs))
    found = recognise.diagnose(logs)
    if arguments.output is not None:
        print(output.document(diagnosis.data(found, logs, run), arguments.output))
    else:
        for text in (*([line(_ending(run))] if run else []), *diagnosis.lines(found, logs)):
            print(text)
    bad = diagnosis.failed(found) or (run and run.state is State.FAILED)
    return EXIT_ERROR if bad else 0


def _logs(paths: Sequence[str]) -> Iterator[Log]:
    return log_files.read(paths, sys.stdin.buffer, table.ascend().failures)


def _logs_of(run: RunStatus, arguments: argparse.Namespace, session: Session) -> Iterable[Log]:
    """On this machine the files themselves: they hold what MindSpore's own processes said too."""
    failures = table.ascend().failures
    backend = session.backend(arguments)
    if backend.name == "local":
        return log_files.read_files(log_files.of_run(Path(run.folder)), failures)
    lines = backend.logs(run.run, LogQuery())
    return log_files.read_lines(((diagnosis.log_name(one.stage, one.rank), one.text) for one in lines), failures)


def _ending(run: RunStatus) -> Finding:
    text = f"'{run.run}' is {run.state}" + (f", {run.reason}: {run.message}" if run.reason else "")
    return Finding(Level.ERROR if run.state is State.FAILED else Level.OK, "run", text)


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
