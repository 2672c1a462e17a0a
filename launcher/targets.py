"""A stage as the job of another operator, from the same plan: Volcano, Ascend Operator, Kubeflow Trainer. Pure.

The pods are those of our own stage Job and run the same first process; only what holds them is another kind. There is
no runner beside them: each pod finds the plan mounted and makes the run folder (`launcher.pod --plan`), one stage at a
time, and status, chain and retries by reason are not to be had. Sources, by the names used below:

    volcano   Volcano: docs "VolcanoJob", "Job plugins" (svc, env), API batch/v1alpha1
    mind      MindCluster: "AscendJob" (API), "YAML Parameters (acjob)", Ascend Operator: environment variables, source
    trainer   Kubeflow Trainer: API trainer/v1alpha1, its built-in runtimes; JobSet: network
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from launcher import ascend, names, render
from launcher.errors import UsageError
from launcher.plan import Plan, Stage

JOB = "job"
Object = dict[str, Any]

_PLAN_VOLUME = "plan"
_ASCEND_CONTAINER = "ascend"
"""What Ascend Operator and the device plugin's webhook look for (mind: "do not modify")."""
_MINDSPORE = "mindspore"
_TRAINER = "node"
"""Container, and replicated Job, that a TrainJob's `trainer` is about (trainer)."""
_MAX_POD_NAME = 63
"""JobSet refuses a name that makes a pod's longer than a label may be (trainer)."""


def manifests(plan: Plan, target: str, stage: str = "", attempt: int = 1) -> list[Object]:
    """The plan's ConfigMap, and the objects of one stage (by default the first) for a target other than `job`.

    `attempt`: 1, 2, …; the pods take a number only once, so a stage that failed needs the next one. Raises UsageError
    for a stage that the plan has not, and for what the operator would refuse or could not number.
    """
    known = [each.name for each in plan.stages]
    if stage and stage not in known:
        raise UsageError(f"run '{plan.run}' has no stage '{stage}'; it has {', '.join(known)}")
    if attempt < 1:
        raise UsageError(f"attempt must be 1, 2, …, not {attempt}")
    chosen = plan.stage(stage or known[0])
    ours = render.with_attempt(render.stage_manifests(plan)[chosen.name], attempt)
    ours["metadata"]["name"] = _name(plan, target, chosen)
    plan_map = render.manifests(plan)[0]
    plan_map["metadata"]["annotations"][names.ANNOTATION_TARGET] = f"{target}/{ours['metadata']['name']}"
    return [plan_map, *_TARGETS[target](plan, chosen, ours)]


def volcano_job(plan: Plan, stage: Stage, ours: Object) -> list[Object]:
    """Its plugin svc gives the pods names (JOB-TASK-INDEX.JOB) and env their number (VC_TASK_INDEX) (volcano)."""
    job = _of(ours, "batch.volcano.sh/v1alpha1", "Job")
    template = _template(plan, stage, ours, names.CONTAINER)
    job["spec"] = {
        "schedulerName": "volcano",
        "minAvailable": stage.nodes,
        "queue": _queue(plan),
        # Another attempt needs a number of its own, which Volcano does not give.
        "policies": [{"event": "PodFailed", "action": "AbortJob"}, {"event": "PodEvicted", "action": "AbortJob"}],
        "plugins": {"env": [], "svc": ["--publish-not-ready-addresses=true"]},
        "tasks": [{"name": stage.name, "replicas": stage.nodes, "template": template}],
    }
    return [job]


def ascend_job(plan: Plan, stage: Stage, ours: Object) -> list[Object]:
    """For MindSpore: a Scheduler, which has devices too and is pod 0, and Workers (mind).

    The operator numbers the pods (MS_NODE_RANK). Its own Service, of the Scheduler, passes on one port and not that of
    msrun: pod 0 is found by our headless one.
    """
    profile = plan.profile_of(stage)
    if not profile.resource.startswith(ascend.RESOURCE_PREFIX):
        raise UsageError(
            f"Ascend Operator numbers only pods that ask for {ascend.RESOURCE_PREFIX}…, and device '{profile.name}' "
            f"asks for {profile.resource or 'nothing'}; use another --target or --device"
        )
    job = _of(ours, "mindxdl.gitee.com/v1", "AscendJob")
    ring = profile.labels.get(ascend.OPERATOR_LABEL)
    job["metadata"]["labels"] |= {"framework": _MINDSPORE, **({ascend.OPERATOR_LABEL: ring} if ring else {})}
    template = _template(plan, stage, ours, _ASCEND_CONTAINER, own_service=True)

    def replicas(count: int, **pod: str) -> Object:
        spec = {**copy.deepcopy(template["spec"]), **pod}
        return {"replicas": count, "restartPolicy": "Never", "template": {**copy.deepcopy(template), "spec": spec}}

    several = stage.nodes > 1
    first = {"hostname": f"{job['metadata']['name']}-scheduler-0"} if several else {}  # DNS knows only a name set here
    workers = {"Worker": replicas(stage.nodes - 1)} if several else {}
    job["spec"] = {
        "schedulerName": "volcano",
        "runPolicy": {
            "backoffLimit": 0,
            "schedulingPolicy": {"minAvailable": stage.nodes, "queue": _queue(plan)},
        },
        "successPolicy": "AllWorkers",
        "replicaSpecs": {"Scheduler": replicas(1, **first), **workers},
    }
    services = [each for each in render.manifests(plan) if each["kind"] == "Service"] if several else []
    return [*services, job]


def train_job(plan: Plan, stage: Stage, ours: Object) -> list[Object]:
    """With the TrainingRuntime that it refers to. Its JobSet makes an Indexed Job, and names of pods below the JobSet's
    own (trainer)."""
    runtime = _of(ours, "trainer.kubeflow.org/v1alpha1", "TrainingRuntime")
    job = _of(ours, "trainer.kubeflow.org/v1alpha1", "TrainJob")
    template = _template(plan, stage, ours, _TRAINER)
    resources = template["spec"]["containers"][0].get("resources", {})
    replicated = {
        "name": _TRAINER,
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"backoffLimit": 0, "template": template},
        },
    }
    runtime["spec"] = {
        "mlPolicy": {"numNodes": stage.nodes},
        "template": {
            "spec": {
                "failurePolicy": {"maxRestarts": 0},
                "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
                "replicatedJobs": [replicated],
            }
        },
    }
    job["spec"] = {
        "runtimeRef": {"kind": "TrainingRuntime", "name": runtime["metadata"]["name"]},
        "trainer": {"numNodes": stage.nodes, "resourcesPerNode": resources},
    }
    render.queued(plan, job)
    return [runtime, job]


_TARGETS: Mapping[str, Callable[[Plan, Stage, Object], list[Object]]] = {
    "vcjob": volcano_job,
    "ascendjob": ascend_job,
    "trainjob": train_job,
}
TARGETS = (JOB, *_TARGETS)


def _name(plan: Plan, target: str, stage: Stage) -> str:
    """Of the job. Raises UsageError for one that the operator or the API server would refuse."""
    name = f"{plan.run}-{stage.name}"
    if not name[0].isalpha():  # each of them names a Service after it; the CRD of a TrainJob says so itself
        raise UsageError(f"--target {target} needs a name that begins with a letter, not '{plan.run}'; give --name")
    longest = f"{name}-{_TRAINER}-0-{stage.nodes - 1}-xxxxx"
    if target == "trainjob" and len(longest) > _MAX_POD_NAME:
        most = _MAX_POD_NAME - len(longest) + len(plan.run)
        raise UsageError(
            f"run '{plan.run}' has {len(plan.run)} characters, and the pods of a TrainJob for {stage.name} leave room "
            f"for {most}; give a shorter --name"
        )
    return name


def _of(ours: Object, api_version: str, kind: str) -> Object:
    """Without a spec; named and labelled as our own Job of the stage."""
    labels = {key: value for key, value in ours["metadata"]["labels"].items() if key != names.LABEL_QUEUE}
    return {"apiVersion": api_version, "kind": kind, "metadata": {**copy.deepcopy(ours["metadata"]), "labels": labels}}


def _template(plan: Plan, stage: Stage, ours: Object, container: str, *, own_service: bool = False) -> Object:
    """Of the pods of our own Job, with the plan mounted, since no runner has made the run folder.

    `own_service`: they find each other by our headless Service, and not by one that is named as the job is.
    """
    template: Object = copy.deepcopy(ours["spec"]["template"])
    spec = template["spec"]
    first = spec["containers"][0]
    first["name"] = container
    first["args"] = [*first.get("args", []), "--plan", f"{names.PLAN_MOUNT}/{names.PLAN_KEY}"]
    if stage.nodes > 1 and not own_service:
        spec.pop("subdomain", None)
        others = [each for each in first.get("env", []) if each["name"] != names.ENV_SERVICE]
        first["env"] = [*others, {"name": names.ENV_SERVICE, "value": ours["metadata"]["name"]}]
    mount = {"name": _PLAN_VOLUME, "mountPath": names.PLAN_MOUNT, "readOnly": True}
    first["volumeMounts"] = [*first.get("volumeMounts", []), mount]
    plan_map = {"name": names.object_name(plan.run, names.PLAN)}
    spec["volumes"] = [*spec.get("volumes", []), {"name": _PLAN_VOLUME, "configMap": plan_map}]
    return template


def _queue(plan: Plan) -> str:
    """Volcano's own default queue is called `default`."""
    return render.kubernetes_of(plan).queue or "default"
