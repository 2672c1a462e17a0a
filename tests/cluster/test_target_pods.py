"""The pods of a stage as another operator's job, with what that operator gives them: they meet and train.

No such operator runs here. FakeVolcano and FakeAscendOperator make of a rendered job the pods that its own source and
documentation say: names, numbers, Services, environment.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from launcher import targets
from runfolder import layout as files
from tests.cluster.runs import Lab

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Json = dict[str, Any]


class FakeOperator(Protocol):
    def objects(self, job: Json) -> Iterator[Json]:
        """What it makes of the job."""


class FakeVolcano:
    """Plugins env and svc of a vcjob (Volcano: job plugins `env.go`, `svc.go`)."""

    def objects(self, job: Json) -> Iterator[Json]:
        name = job["metadata"]["name"]
        own = {"volcano.sh/job-name": name}
        assert "--publish-not-ready-addresses=true" in job["spec"]["plugins"]["svc"]
        yield _service(job, name, {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": own})
        for task in job["spec"]["tasks"]:
            for index in range(task["replicas"]):
                pod = _pod(job, f"{name}-{task['name']}-{index}", task["template"], own)
                pod["spec"].setdefault("hostname", pod["metadata"]["name"])
                pod["spec"].setdefault("subdomain", name)
                yield _with_env(pod, VK_TASK_INDEX=index, VC_TASK_INDEX=index)


class FakeAscendOperator:
    """For framework mindspore, where the Scheduler has devices (Ascend Operator: pod.go, env.go, service.go)."""

    def objects(self, job: Json) -> Iterator[Json]:
        name = job["metadata"]["name"]
        assert job["metadata"]["labels"]["framework"] == "mindspore"
        first = {"replica-type": "scheduler", "job-name": name}
        ports = [{"name": "ascendjob-port", "port": 2222}]
        yield _service(job, f"{name}-scheduler-0", {"selector": first, "ports": ports})
        replicas = job["spec"]["replicaSpecs"]
        for kind, before in (("Scheduler", 0), ("Worker", 1)):
            for index in range(replicas.get(kind, {"replicas": 0})["replicas"]):
                own = {"replica-type": kind.lower(), "job-name": name}
                pod = _pod(job, f"{name}-{kind.lower()}-{index}", replicas[kind]["template"], own)
                (container,) = (each for each in pod["spec"]["containers"] if each["name"] == "ascend")
                devices = int(container["resources"]["requests"]["huawei.com/Ascend910"])
                yield _with_env(
                    pod,
                    MS_SCHED_HOST=f"{name}-scheduler-0",
                    MS_SCHED_PORT=2222,
                    MS_LOCAL_WORKER=devices,
                    MS_WORKER_NUM=devices * sum(each["replicas"] for each in replicas.values()),
                    MS_NODE_RANK=before + index,
                    MS_SERVER_NUM=0,
                    MS_ROLE={"Scheduler": "MS_SCHED", "Worker": "MS_WORKER"}[kind],
                )


OPERATORS: dict[str, FakeOperator] = {"vcjob": FakeVolcano(), "ascendjob": FakeAscendOperator()}


@pytest.mark.parametrize("target", OPERATORS)
def test_two_pods_of_another_operator_train_as_one(lab: Lab, target: str) -> None:
    run, place = f"by-{target}", ("-n", str(lab.namespace))
    plan = lab.plan(run, nodes=2, devices=1, memory="3Gi")
    *given, job = targets.manifests(plan, target)
    pods = list(OPERATORS[target].objects(job))
    lab.kubectl.apply(*given, *pods)
    names = [each["metadata"]["name"] for each in pods if each["kind"] == "Pod"]
    try:
        for name in names:
            lab.kubectl(*place, "wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/{name}", "--timeout=170s")
    except AssertionError as error:
        said = [lab.kubectl.run(*place, "logs", name, "--tail=30").stdout for name in names]
        said += [lab.read(f"runs/{run}/train/{what}") for what in ("logs/*.log", "status/attempt_1/pod_*.json")]
        raise AssertionError("\n".join([str(error), *said])) from None
    log = lab.read(f"runs/{run}/train/logs/attempt_1.log")
    assert "[rank 0] " in log
    assert "[rank 1] " in log
    assert "attempt 1 of train is complete" in log
    (attempt,) = lab.attempts(run)
    assert attempt["exit_code"] == 0
    assert f'"plan_hash": "{plan.hash}"' in lab.read(f"runs/{run}/train/{files.SUCCESS}")


def _service(job: Json, name: str, spec: Json) -> Json:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {**_place(job), "name": name}, "spec": spec}


def _pod(job: Json, name: str, template: Json, labels: Json) -> Json:
    made = copy.deepcopy(template)
    metadata = {**_place(job), "name": name, "labels": {**made["metadata"]["labels"], **labels}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": made["spec"]}


def _place(job: Json) -> Json:
    return {"namespace": job["metadata"]["namespace"]}


def _with_env(pod: Json, **values: object) -> Json:
    for container in pod["spec"]["containers"]:
        container["env"] = [*container["env"], *({"name": key, "value": str(one)} for key, one in values.items())]
    return pod
