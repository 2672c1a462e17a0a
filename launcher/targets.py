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


def manifests(plan: Plan, target: str, stage: str = "") -> list[Object]:
    """The plan's ConfigMap, and the objects of one stage (by default the first) for a target other than `job`.

    Raises UsageError for a stage that the plan has not.
    """
    known = [each.name for each in plan.stages]
    if stage and stage not in known:
        raise UsageError(f"run '{plan.run}' has no stage '{stage}'; it has {', '.join(known)}")
    chosen = plan.stage(stage or known[0])
    return [render.manifests(plan)[0], *_TARGETS[target](plan, chosen)]


def volcano_job(plan: Plan, stage: Stage) -> list[Object]:
    """Its plugin svc gives the pods names (JOB-TASK-INDEX.JOB) and env their number (VC_TASK_INDEX) (volcano)."""
    job = _of(plan, stage, "batch.volcano.sh/v1alpha1", "Job")
    template = _template(plan, stage, service=job["metadata"]["name"])
    job["spec"] = {
        "schedulerName": "volcano",
        "minAvailable": stage.nodes,
        "queue": _queue(plan),
        # What another attempt needs is a number of its own, which Volcano does not give.
        "policies": [{"event": "PodFailed", "action": "AbortJob"}, {"event": "PodEvicted", "action": "AbortJob"}],
        "plugins": {"env": [], "svc": ["--publish-not-ready-addresses=true"]},
        "tasks": [{"name": stage.name, "replicas": stage.nodes, "template": template}],
    }
    return [job]


def ascend_job(plan: Plan, stage: Stage) -> list[Object]:
    """For MindSpore: a Scheduler, which has devices too and is pod 0, and Workers (mind, "Scheduler with chips").

    The operator numbers the pods (MS_NODE_RANK) and gives each a Service of the pod's own name.
    """
    job = _of(plan, stage, "mindxdl.gitee.com/v1", "AscendJob")
    ring = plan.profile.labels.get(ascend.OPERATOR_LABEL)
    own = {"framework": _MINDSPORE, **({ascend.OPERATOR_LABEL: ring} if ring else {})}
    job["metadata"]["labels"] |= own
    template = _template(plan, stage, service="", container=_ASCEND_CONTAINER)

    def replicas(count: int) -> Object:
        return {"replicas": count, "restartPolicy": "Never", "template": copy.deepcopy(template)}

    workers = {"Worker": replicas(stage.nodes - 1)} if stage.nodes > 1 else {}
    job["spec"] = {
        "schedulerName": "volcano",
        "runPolicy": {
            "backoffLimit": 0,
            "schedulingPolicy": {"minAvailable": stage.nodes, "queue": _queue(plan)},
        },
        "successPolicy": "AllWorkers",
        "replicaSpecs": {"Scheduler": replicas(1), **workers},
    }
    return [job]


def train_job(plan: Plan, stage: Stage) -> list[Object]:
    """With the TrainingRuntime that it refers to. Its JobSet makes an Indexed Job, and names of pods below the JobSet's
    own (trainer)."""
    runtime = _of(plan, stage, "trainer.kubeflow.org/v1alpha1", "TrainingRuntime")
    job = _of(plan, stage, "trainer.kubeflow.org/v1alpha1", "TrainJob")
    template = _template(plan, stage, service=job["metadata"]["name"], container="node")
    resources = template["spec"]["containers"][0]["resources"]
    replicated = {
        "name": "node",
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


_TARGETS: Mapping[str, Callable[[Plan, Stage], list[Object]]] = {
    "vcjob": volcano_job,
    "ascendjob": ascend_job,
    "trainjob": train_job,
}
TARGETS = (JOB, *_TARGETS)


def _of(plan: Plan, stage: Stage, api_version: str, kind: str) -> Object:
    """Without a spec; named and labelled as a stage of the run."""
    ours = render.stage_manifests(plan)[stage.name]["metadata"]
    labels = {key: value for key, value in ours["labels"].items() if key != names.LABEL_QUEUE}
    metadata = {**copy.deepcopy(ours), "name": f"{plan.run}-{stage.name}", "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _template(plan: Plan, stage: Stage, *, service: str, container: str = names.CONTAINER) -> Object:
    """Of the pods of our own Job, with the plan mounted, since no runner has made the run folder."""
    template: Object = copy.deepcopy(render.stage_manifests(plan)[stage.name]["spec"]["template"])
    spec = template["spec"]
    spec.pop("subdomain", None)
    (first,) = spec["containers"]
    first["name"] = container
    first["args"] += ["--plan", f"{names.PLAN_MOUNT}/{names.PLAN_KEY}"]
    first["env"] = [each for each in first["env"] if each["name"] != names.ENV_SERVICE]
    if service and stage.nodes > 1:
        first["env"].append({"name": names.ENV_SERVICE, "value": service})
    first["volumeMounts"].append({"name": _PLAN_VOLUME, "mountPath": names.PLAN_MOUNT, "readOnly": True})
    plan_map = {"name": names.object_name(plan.run, names.PLAN)}
    spec["volumes"].append({"name": _PLAN_VOLUME, "configMap": plan_map})
    return template


def _queue(plan: Plan) -> str:
    """Volcano's own default queue is called `default`."""
    return render.kubernetes_of(plan).queue or "default"
