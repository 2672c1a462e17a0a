"""Plan -> the manifests of a run, through the templates of `k8s_templates`. Pure.

What comes out is what is sent: `launcher render` prints it, `launcher submit` creates it, `kubectl apply` takes it.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launcher import ascend, names, templates
from launcher import plan as plans
from launcher.errors import SpecError
from launcher.kubernetes_values import toleration
from launcher.plan import Plan, Stage
from launcher.profiles import RANK_TABLE, Profile
from launcher.spec import DRIVER_OF_HOST, KubernetesSpec

MAX_CONFIG_MAP = 1 << 20
"""Bytes of data that the API server takes in one."""

BACKSTOP_S = 120
"""How much longer than its own deadline and its start may take a stage's Job is left alone."""

_NODE_GONE_S = 60
"""After so long on a node that does not answer, a pod is given up and another one can start."""


def manifests(plan: Plan) -> list[dict[str, Any]]:
    """All that a run is made of, in the order in which it is created: the plan first, the runner's Job last.

    Raises SpecError for a plan that is not for a cluster, is too large, or has templates that do not give what they
    stand for.
    """
    runner = names.object_name(plan.run, names.RUNNER)
    others = {name: names.object_name(plan.run, name) for name in (names.PLAN, names.STATUS)}
    return [
        _plan_config_map(plan),
        _object(plan, "service-account", names.RUNNER, runner),
        _object(plan, "role", names.RUNNER, runner, {"runner": runner, "queue": kubernetes_of(plan).queue, **others}),
        _object(plan, "role-binding", names.RUNNER, runner),
        _status(plan),
        *([_service(plan)] if plan.nodes > 1 else []),
        runner_job(plan),
    ]


def stage_manifests(plan: Plan) -> dict[str, dict[str, Any]]:
    """The Job of each stage's first attempt, by the stage's name, in order. Raises as `manifests` does."""
    return {stage.name: _stage_job(plan, stage) for stage in plan.stages}


def with_attempt(job: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    """A stage's Job for another attempt: only its name and the label attempt (of Job and pod) are others."""
    other = copy.deepcopy(dict(job))
    labels = other["metadata"]["labels"]
    other["metadata"]["name"] = names.stage_job(labels[names.LABEL_RUN], labels[names.LABEL_STAGE], attempt)
    for metadata in (other["metadata"], other["spec"]["template"]["metadata"]):
        metadata["labels"][names.LABEL_ATTEMPT] = str(attempt)
    return other


def runner_job(plan: Plan) -> dict[str, Any]:
    name = names.object_name(plan.run, names.RUNNER)
    values = {"service_account": name, "plan": names.object_name(plan.run, names.PLAN)}
    return _object(plan, "runner", names.RUNNER, name, values | pod_values(plan))


def cleaner_job(plan: Plan) -> dict[str, Any]:
    """Removes the run folder, if it is this plan's."""
    values = {"folder": verbatim(plan.folder), "plan_hash": plan.hash}
    return _object(
        plan, "cleaner", names.CLEANER, names.object_name(plan.run, names.CLEANER), values | pod_values(plan)
    )


def reader_pod(plan: Plan, suffix: str, argv: Sequence[str]) -> dict[str, Any]:
    """Carries out `argv` with the storage mounted read-only; `suffix` makes its name its own."""
    name = f"{names.object_name(plan.run, names.READER)}-{suffix}"
    values = {"argv": [verbatim(word) for word in argv]}
    return _object(plan, "reader", names.READER, name, values | pod_values(plan))


def kubernetes_of(plan: Plan) -> KubernetesSpec:
    """Raises SpecError for a plan that is not for a cluster."""
    if plan.kubernetes is None:
        raise SpecError(f"run '{plan.run}' is planned for this machine, not for a cluster; use --backend kubernetes")
    return plan.kubernetes


def pod_values(plan: Plan) -> dict[str, Any]:
    """What all pods of a run have of its spec."""
    kubernetes = kubernetes_of(plan)
    return {
        "image": kubernetes.image,
        "image_pull_policy": kubernetes.image_pull_policy,
        "image_pull_secret": kubernetes.image_pull_secret,
        "priority_class": kubernetes.priority_class,
        "node_selector": kubernetes.node_selector,
        "tolerations": _tolerations(*kubernetes.tolerations),
        "user": kubernetes.user,
        "claim": kubernetes.claim,
        "storage": plan.spec["storage"],
        "cpu": kubernetes.cpu,
        "memory": kubernetes.memory,
        "shm": kubernetes.shm,
    }


def stage_pod_values(plan: Plan, stage: Stage) -> dict[str, Any]:
    """What the pods of a stage have beside that: devices, where these are, and the stage's environment."""
    kubernetes, profile = kubernetes_of(plan), plan.profile_of(stage)
    return pod_values(plan) | {
        "env": {name: verbatim(value) for name, value in {"HOME": "/tmp", **stage.env}.items()},  # noqa: S108
        "resource": profile.resource,
        "devices": str(stage.processes),
        "node_selector": {**profile.node_selector, **kubernetes.node_selector},
        "tolerations": _tolerations(*profile.tolerations, *kubernetes.tolerations),
        "driver": list(_driver(profile)) if kubernetes.driver == DRIVER_OF_HOST else [],
    }


def queued(plan: Plan, job: dict[str, Any]) -> dict[str, Any]:
    """The Job, waiting in the plan's queue, if it names one: Kueue reads the Job's label and suspends it."""
    if queue := kubernetes_of(plan).queue:
        job["metadata"]["labels"][names.LABEL_QUEUE] = queue
    return job


def verbatim(text: str) -> str:
    """`text` for a pod's env, command or args, where Kubernetes replaces `$(NAME)` and reads `$$` as `$`."""
    return text.replace("$", "$$")


def _plan_config_map(plan: Plan) -> dict[str, Any]:
    data = {"plan_json": _indented(plans.to_json(plan)), "stages_json": _indented(stage_manifests(plan))}
    size = sum(len(text) for text in data.values())
    if size > MAX_CONFIG_MAP:
        raise SpecError(
            f"the plan has {size >> 10} KiB, and a cluster takes {MAX_CONFIG_MAP >> 10} KiB; "
            "shorten env, templates or lists of checkpoints"
        )
    return _object(plan, "plan", names.PLAN, names.object_name(plan.run, names.PLAN), data)


def _status(plan: Plan) -> dict[str, Any]:
    facts = {
        names.ANNOTATION_DEVICE: plan.device,
        names.ANNOTATION_DEVICES: str(plan.devices),
        names.ANNOTATION_NODES: str(plan.nodes),
        names.ANNOTATION_STAGES: ",".join(stage.name for stage in plan.stages),
        names.ANNOTATION_FOLDER: plan.folder,
    }
    name = names.object_name(plan.run, names.STATUS)
    return _object(plan, "status", names.STATUS, name, {"annotations": _annotations(plan) | facts})


def _service(plan: Plan) -> dict[str, Any]:
    selector = {names.LABEL_RUN: plan.run, names.LABEL_ROLE: names.STAGE}
    return _object(plan, "service", names.PODS, names.object_name(plan.run, names.PODS), {"selector": selector})


def _stage_job(plan: Plan, stage: Stage) -> dict[str, Any]:
    kubernetes = kubernetes_of(plan)
    deadline = stage.policy.deadline_s
    values = stage_pod_values(plan, stage) | {
        "labels": {
            **plan.profile_of(stage).labels,
            **kubernetes.labels,
            **names.labels(plan.run, names.STAGE, stage.name, 1),
        },
        "folder": verbatim(plan.folder),
        "stage": stage.name,
        "nodes": stage.nodes,
        "allocation": _allocation(plan, stage),
        "service": names.object_name(plan.run, names.PODS) if stage.nodes > 1 else "",
        "active_deadline_s": math.ceil(deadline + kubernetes.start_deadline_s + BACKSTOP_S) if deadline else None,
    }
    return queued(plan, _object(plan, "stage", names.STAGE, names.stage_job(plan.run, stage.name, 1), values))


def _driver(profile: Profile) -> Iterator[dict[str, str]]:
    """Volumes of the node's driver, with their kind: without it an empty folder is made of what a node lacks."""
    for index, path in enumerate(profile.mounts):
        kind = "Directory" if path.endswith("/") else "File"
        yield {"name": f"driver-{index}", "path": path.rstrip("/"), "type": kind}


def _allocation(plan: Plan, stage: Stage) -> dict[str, str] | None:
    """How a pod that makes a rank table sees what the device plugin gave it."""
    if plan.profile.start != RANK_TABLE or stage.ranks == 1:
        return None
    field = f"metadata.annotations['{ascend.POD_ANNOTATION}']"
    return {"folder": ascend.ANNOTATION_FOLDER, "item": ascend.ANNOTATION_ITEM, "field": field}


def _tolerations(*taints: str) -> list[dict[str, Any]]:
    gone = [
        {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute"}
        | {"tolerationSeconds": _NODE_GONE_S}
        for state in ("not-ready", "unreachable")
    ]
    return [toleration(taint) for taint in dict.fromkeys(taints)] + gone


def _object(plan: Plan, template: str, role: str, name: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The filled template, checked to be the object that it stands for."""
    kubernetes = kubernetes_of(plan)
    given = {
        "name": name,
        "namespace": kubernetes.namespace,
        "labels": {**kubernetes.labels, **names.labels(plan.run, role)},
        "annotations": _annotations(plan),
        **(values or {}),
    }
    made = templates.fill(template, given, kubernetes.templates)
    try:
        _check(made, template, given)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise SpecError(f"template {template}{templates.SUFFIX}: has no {error}") from None
    return made


_KINDS: Mapping[str, tuple[str, str]] = {
    "plan": ("v1", "ConfigMap"),
    "service-account": ("v1", "ServiceAccount"),
    "role": ("rbac.authorization.k8s.io/v1", "Role"),
    "role-binding": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "status": ("v1", "ConfigMap"),
    "service": ("v1", "Service"),
    "runner": ("batch/v1", "Job"),
    "stage": ("batch/v1", "Job"),
    "cleaner": ("batch/v1", "Job"),
    "reader": ("v1", "Pod"),
}


def _check(made: Mapping[str, Any], template: str, given: Mapping[str, Any]) -> None:
    """By these every other part of the launcher finds the objects of a run. Raises SpecError."""
    api_version, kind = _KINDS[template]
    metadata = made["metadata"]
    wanted = {
        "apiVersion": (made["apiVersion"], api_version),
        "kind": (made["kind"], kind),
        "metadata.name": (metadata["name"], given["name"]),
        "metadata.namespace": (metadata["namespace"], given["namespace"]),
    }
    labelled = {"metadata": metadata}
    if kind == "Job":
        labelled["spec.template.metadata"] = made["spec"]["template"]["metadata"]
    for where, holder in labelled.items():
        for key, value in given["labels"].items():
            wanted[f"{where}.labels.{key}"] = (holder["labels"].get(key), value)
    for key, value in given["annotations"].items():
        wanted[f"metadata.annotations.{key}"] = (metadata["annotations"].get(key), value)
    if kind in ("Job", "Pod"):
        pod = made["spec"]["template"]["spec"] if kind == "Job" else made["spec"]
        wanted["the first container's name"] = (pod["containers"][0]["name"], names.CONTAINER)
        wanted["restartPolicy"] = (pod["restartPolicy"], "Never")
    for what, (found, value) in wanted.items():
        if found != value:
            raise SpecError(f"template {template}{templates.SUFFIX}: {what} must be {value!r}, not {found!r}")


def _annotations(plan: Plan) -> dict[str, str]:
    return {**kubernetes_of(plan).annotations, names.ANNOTATION_PLAN_HASH: plan.hash}


def _indented(value: Any) -> str:
    """JSON for people to read in the ConfigMap; ASCII, so that its length is its size."""
    return json.dumps(value, indent=1)
