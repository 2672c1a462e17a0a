"""The run that a command line asks for: the flags of `submit` and `render`, and what they resolve to."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from launcher import plan, spec_file
from launcher.backends import choice
from launcher.errors import one_line
from launcher.plan import Plan
from launcher.spec import DEFAULT_STAGES, DEVICE_COUNTS, STAGES, Resolved
from launcher.terminal import arguments as shared
from launcher.terminal import output, session
from launcher.terminal.completion import device_names

KEYS = {
    **{flag: flag for flag in ("name", "device", "devices", "nodes", "storage", "stages", "config")},
    **{flag: f"kubernetes.{flag}" for flag in ("namespace", "image", "queue", "templates")},
}
"""The key of a spec that each flag gives."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Values stay text here: a flag and a line of a file are checked by one and the same code."""
    group = parser.add_argument_group("the run")
    group.add_argument(
        "spec", nargs="?", type=Path, metavar="SPEC", help="YAML file of the run [launcher.yaml in this folder, if any]"
    )
    group.add_argument("--name", help="name of the run")
    counts = ", ".join(map(str, DEVICE_COUNTS))
    group.add_argument("--devices", metavar="N", help=f"devices, and so training processes: {counts}")
    group.add_argument("--nodes", metavar="N", help="kubernetes: pods that train together, each with --devices [1]")
    device = group.add_argument("--device", metavar="KIND", help="kind of device: cpu, gpu, ascend910, …")
    device.completer = device_names  # type: ignore[attr-defined]
    stages, usual = ", ".join(STAGES), ",".join(DEFAULT_STAGES)
    group.add_argument("--stages", metavar="LIST", help=f"stages to run, comma-separated, of {stages} [{usual}]")
    group.add_argument("--config", metavar="FILE", help="configuration of sphereface, under the spec's own values")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one value, as in train.lr=0.1; may be repeated"
    )
    group.add_argument(
        "--storage", metavar="DIR", help="folder that holds runs/; kubernetes: where pods see the claim [/storage]"
    )
    group.add_argument("--image", metavar="NAME", help="kubernetes: image of every pod of the run")
    group.add_argument("--queue", metavar="NAME", help="kubernetes: queue whose quota the stages wait for (Kueue)")
    group.add_argument("--templates", metavar="DIR", help="kubernetes: own templates in place of ours (k8s_templates/)")
    shared.add_backend(group)


def resolve(arguments: argparse.Namespace, *, complete: bool = True) -> tuple[Resolved, Plan]:
    """The plan is built once, here; what is printed is what is carried out. `complete` as in `spec_file.resolve`.

    Raises SpecError, and BackendError for a context that is not there.
    """
    where = session.address(session.choose(arguments), arguments, Path.cwd())
    resolved = spec_file.resolve(
        arguments.spec,
        {key: getattr(arguments, flag) for flag, key in KEYS.items()},
        arguments.set,
        folder=Path.cwd(),
        user_config=spec_file.user_config_path(os.environ),
        environment=os.environ,
        place=choice.place(where),
        complete=complete,
    )
    for note in resolved.notes:
        print(f"note: {note}", file=sys.stderr)
    return resolved, plan.make_plan(resolved.spec)


def as_document(made: Plan, resolved: Resolved, form: str) -> str:
    return output.document({"plan": plan.to_json(made), "origins": dict(resolved.origins)}, form)


def as_table(made: Plan, resolved: Resolved) -> str:
    """Each value with the place it came from, then what each stage will run."""
    values = [
        (key, _cell(value), resolved.origins[key])
        for key, value in made.spec.items()
        if not (key.startswith("policy.") and resolved.origins[key] == "default")
    ]
    stages = [(stage.name, str(stage.ranks), " ".join(stage.argv)) for stage in made.stages]
    return "\n".join(
        (
            output.table(("KEY", "VALUE", "FROM"), values),
            "",
            output.table(("STAGE", "PROCESSES", "COMMAND"), stages),
        )
    )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return one_line(",".join(map(str, value)) if isinstance(value, list) else str(value))
