"""A batch -> the manifests that kubectl applies, through the templates of `k8s_templates/batch-evaluation`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from launcher import names, render, templates
from launcher.batch import checkpoints
from launcher.errors import SpecError, UsageError
from launcher.plan import Plan
from launcher.spec import StagePolicy
from runfolder import layout

TEMPLATES = "batch-evaluation"
DEFAULT_PARALLELISM = 2

_EACH_INDEX_SETS = ("ckpt_files", "output")
_LIST_FILE = f"{names.PLAN_MOUNT}/{checkpoints.LIST}"


def manifests(plan: Plan, lines: Sequence[str], *, parallelism: int = DEFAULT_PARALLELISM) -> list[dict[str, Any]]:
    """In the order in which they are to be applied. `plan` holds the one stage evaluate, for a cluster; its checkpoint
    gives way to `lines`.

    Raises UsageError for a line that the list cannot hold, SpecError for a plan that is not for a cluster.
    """
    stage = plan.stage(layout.EVALUATE)
    count = len(lines)
    text = "".join(f"{_line(line)}\n" for line in lines)
    if len(text.encode()) > render.MAX_CONFIG_MAP:
        raise SpecError(
            f"the list of {count} checkpoints is longer than the {render.MAX_CONFIG_MAP >> 10} KiB that a "
            "ConfigMap holds; make several batches of it"
        )
    judge, summary = plan.run, names.object_name(plan.run, names.SUMMARY)
    listed = names.object_name(plan.run, names.CHECKPOINTS)
    place = [f"--name={plan.run}", f"--storage={plan.spec['storage']}", f"--list={_LIST_FILE}"]
    words = [*place, *_policy(stage.policy), "--", *_options(stage.argv[4:])]
    labels = {**plan.profile.labels, **render.kubernetes_of(plan).labels}
    each = render.stage_pod_values(plan, stage) | {
        "labels": labels | names.batch_labels(plan.run, names.JUDGE),
        "completions": count,
        "parallelism": min(parallelism, count),
        "retries": stage.policy.retries,
        "args": [render.verbatim(word) for word in words],
        "list": listed,
    }
    waiting = render.pod_values(plan) | {"args": [render.verbatim(word) for word in place], "list": listed}
    return [
        _fill(plan, f"{TEMPLATES}/checkpoints", names.CHECKPOINTS, listed, {"checkpoints": text}),
        _fill(plan, "service-account", names.SUMMARY, summary),
        _fill(plan, f"{TEMPLATES}/role", names.SUMMARY, summary, {"judge": judge}),
        _fill(plan, "role-binding", names.SUMMARY, summary),
        render.queued(plan, _fill(plan, f"{TEMPLATES}/judge", names.JUDGE, judge, each)),
        _fill(plan, f"{TEMPLATES}/summary", names.SUMMARY, summary, waiting),
    ]


def _fill(plan: Plan, template: str, role: str, name: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    kubernetes = render.kubernetes_of(plan)
    given = {
        "name": name,
        "namespace": kubernetes.namespace,
        "labels": {**kubernetes.labels, **names.batch_labels(plan.run, role)},
        "annotations": dict(kubernetes.annotations),
    }
    return templates.fill(template, given | (values or {}))


def _line(checkpoint: str) -> str:
    if checkpoints.read_list(checkpoint) != (checkpoint,):
        raise UsageError(f"{checkpoint!r} is no checkpoint's name: it must be one line that does not begin with '#'")
    return checkpoint


def _policy(policy: StagePolicy) -> Iterator[str]:
    """Flags of the judge, for what is not as usual."""
    for key in ("deadline_s", "heartbeat_s", "stall_s"):
        value = getattr(policy, key)
        if value != getattr(StagePolicy, key):
            yield f"--{key.removesuffix('_s')}={value:g}"


def _options(argv: Sequence[str]) -> Iterator[str]:
    """`--key=value` a line, which is easier to edit by hand than two words."""
    words = iter(argv)
    for word in words:
        option = word if "=" in word else f"{word}={next(words)}"
        if option[2:].partition("=")[0] not in _EACH_INDEX_SETS:
            yield option
