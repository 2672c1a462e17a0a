"""`launcher render [SPEC]`: prints what `submit` would carry out or send, and creates nothing."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from launcher import targets
from launcher.errors import UsageError
from launcher.names import STAGES_KEY
from launcher.plan import Plan
from launcher.spec import STAGES
from launcher.terminal import arguments as shared
from launcher.terminal import output, request
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print what 'submit' would create: on a cluster the manifests of the run, which kubectl takes as they are;\n"
        "on this machine the plan, every stage with its command, environment and artifacts.",
        "launcher render run.yaml --backend kubernetes | kubectl apply -f -",
        "launcher render run.yaml --stage train",
        "launcher render --name demo --devices 8 -o json",
        "launcher render run.yaml --nodes 2 --target vcjob --queue team-a",
        "launcher render run.yaml --nodes 2 --target vcjob --attempt 2",
    )
    request.add_arguments(parser)
    parser.add_argument("--stage", choices=STAGES, help="kubernetes: the Job that the runner makes for this stage")
    parser.add_argument(
        "--target", choices=targets.TARGETS, default=targets.JOB,
        help="kubernetes: one stage as the job of Volcano, Ascend Operator or Kubeflow Trainer, without a runner [job]",
    )  # fmt: skip
    parser.add_argument(
        "--attempt", type=int, metavar="N",
        help="with another --target: which attempt of the stage; the next number after one that failed [1]",
    )  # fmt: skip
    shared.add_output(parser, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    if arguments.attempt is not None and arguments.target == targets.JOB:
        raise UsageError("--attempt needs another --target (vcjob, …): our own Jobs are numbered by the runner")
    resolved, plan = request.resolve(arguments)
    form = arguments.output or "yaml"
    if plan.kubernetes is None:
        if arguments.stage or arguments.target != targets.JOB:
            flag = "--stage" if arguments.stage else "--target"
            raise UsageError(f"{flag} prints a Job, and this run is for this machine; add --backend kubernetes")
        print(request.as_document(plan, resolved, form))
        return 0
    from launcher import render

    if arguments.target != targets.JOB:
        attempt = 1 if arguments.attempt is None else arguments.attempt
        print(output.manifests(targets.manifests(plan, arguments.target, arguments.stage or "", attempt), form))
        return 0
    objects = render.manifests(plan)
    jobs = json.loads(objects[0]["data"][STAGES_KEY])
    if arguments.stage and arguments.stage not in jobs:
        raise UsageError(f"run '{plan.run}' has no stage '{arguments.stage}'; it has {', '.join(jobs)}")
    head = _pod_security(plan, [*objects, *jobs.values()])
    if arguments.stage:
        objects = [jobs[arguments.stage]]
    # JSON has no comments.
    print(*head, sep="\n", file=sys.stdout if form == "yaml" else sys.stderr)
    print(output.manifests(objects, form))
    return 0


def _pod_security(plan: Plan, objects: list[dict[str, Any]]) -> list[str]:
    """Comments that say which Pod Security level the run's pods meet, and why not a stricter one."""
    from launcher import podsecurity

    verdict = podsecurity.strictest_of_all(objects)
    where = f"namespace {plan.kubernetes.namespace}" if plan.kubernetes else ""
    lines = [f"# Pod Security: {verdict.level} ({where} may enforce it)"]
    return lines + [f"#   not {finding.level}: {finding.text}" for finding in verdict.findings]
