"""`launcher evaluate CHECKPOINT…`: prints the manifests of a batch evaluation for kubectl, and creates nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from launcher.batch import checkpoints, manifests
from launcher.errors import UsageError
from launcher.terminal import arguments as shared
from launcher.terminal import output, request
from launcher.terminal.completion import context_names, device_names
from launcher.terminal.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print a batch evaluation for kubectl: a Job that judges each checkpoint in an index of its own, so that a\n"
        "bad one fails alone, and a Job NAME-summary that ranks them. Checkpoints are paths on the cluster's storage.",
        "launcher evaluate --name june runs/*/train/checkpoints/0-20_1300.ckpt -n lab | kubectl apply -f -",
        "kubectl wait --for=condition=complete job/june-summary && kubectl logs job/june-summary",
        "launcher evaluate --name june --list checkpoints.txt --parallelism 8 --device ascend910",
    )
    parser.add_argument("checkpoint", nargs="*", metavar="CHECKPOINT", help="path on the storage, or relative to it")
    parser.add_argument("--list", type=Path, metavar="FILE", help="file of this machine with one checkpoint a line")
    parser.add_argument("--name", required=True, help="name of the batch, and of its Job")
    parser.add_argument("--spec", type=Path, metavar="FILE", help="YAML file of a run, of which this is the evaluation")
    parser.add_argument("--parallelism", type=int, default=manifests.DEFAULT_PARALLELISM, metavar="N",
                        help="checkpoints that are judged at once [%(default)s]")  # fmt: skip
    device = parser.add_argument("--device", metavar="KIND", help="kind of device: cpu, gpu, ascend910, …")
    device.completer = device_names  # type: ignore[attr-defined]
    parser.add_argument("--config", metavar="FILE", help="configuration of sphereface, under the spec's own values")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="one value, as in evaluate.batch_size=64; may be repeated")  # fmt: skip
    parser.add_argument("--storage", metavar="DIR", help="where pods see the claim [/storage]")
    parser.add_argument("--image", metavar="NAME", help="image of every pod")
    parser.add_argument("--queue", metavar="NAME", help="queue whose quota the Job that judges waits for (Kueue)")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="namespace [the context's]")
    context = parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig [current]")
    context.completer = context_names  # type: ignore[attr-defined]
    parser.set_defaults(backend="kubernetes", stages="evaluate", devices=None, nodes=None, templates=None)
    shared.add_output(parser, "json", "yaml")


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    lines = _checkpoints(arguments)
    if arguments.parallelism < 1:
        raise UsageError(f"--parallelism must be at least 1, not {arguments.parallelism}")
    # A run has one checkpoint; the list takes its place below.
    arguments.set = [*arguments.set, f"evaluate.ckpt_files={lines[0]}"]
    _, plan = request.resolve(arguments)
    made = manifests.manifests(plan, lines, parallelism=arguments.parallelism)
    print(output.manifests(made, arguments.output or "yaml"))
    return 0


def _checkpoints(arguments: argparse.Namespace) -> tuple[str, ...]:
    lines = tuple(arguments.checkpoint)
    if arguments.list is not None:
        lines += checkpoints.load_list(arguments.list)
    if not lines:
        raise UsageError("no checkpoint is named; give their paths on the storage, or a --list of them")
    return lines
