"""The whole chain on a real cluster: train, evaluate, export, each a Job of its own, with nobody outside watching."""

from __future__ import annotations

import json

import pytest

from launcher import marker, names, plan, render
from launcher.states import State
from launcher.status import RunStatus
from runfolder import layout as files
from tests.cluster.runs import RESOURCE, Lab

pytestmark = pytest.mark.cluster

STAGES = ("train", "evaluate", "export")


@pytest.fixture(scope="module")
def eight(lab: Lab) -> RunStatus:
    """Eight devices, so eight ranks in one pod."""
    lab.submit("eight", stages=STAGES, devices=8, train={"per_batch_size": 2}, memory="6Gi")
    return lab.await_end("eight", 580)


@pytest.mark.timeout(600)
def test_a_chain_on_eight_devices(lab: Lab, eight: RunStatus) -> None:
    assert eight.state is State.SUCCEEDED, eight
    assert [(stage.name, stage.state, stage.attempts) for stage in eight.stages] == [
        (name, State.SUCCEEDED, 1) for name in STAGES
    ]
    assert all(stage.node for stage in eight.stages)
    assert eight.stages[0].progress is not None
    assert eight.stages[0].progress.ranks == 8
    assert 0 <= eight.stages[1].metrics["accuracy"] <= 1


def test_each_stage_left_a_marker_of_its_files_and_image(lab: Lab, eight: RunStatus) -> None:
    made_here = lab.plan("eight", stages=STAGES, devices=8, train={"per_batch_size": 2}, memory="6Gi")
    assert made_here.hash == eight.plan_hash
    if lab.namespace.storage is None:
        pytest.skip("the files of another cluster are not seen from here")
    folder = files.run_folder(lab.namespace.storage, "eight")
    for name in STAGES:
        stage = files.stage_folder(folder, name)
        assert marker.marker_fault(stage, made_here.stage(name), made_here.hash, deep=True) is None
        made = marker.read_marker(stage)
        assert made is not None
        assert (made.attempt, made.image) == (1, lab.image)
    kept = json.loads((folder / files.RUN).read_text())
    assert [stage["image"] for stage in kept["stages"]] == [lab.image] * 3


def test_each_stage_was_one_job_that_asked_for_its_devices(lab: Lab, eight: RunStatus) -> None:
    selector = f"{names.LABEL_RUN}=eight,{names.LABEL_ROLE}={names.STAGE}"
    jobs = lab.kubectl.json("-n", str(lab.namespace), "get", "jobs", "-l", selector)["items"]
    asked = {
        job["metadata"]["name"]: job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"][RESOURCE]
        for job in jobs
    }
    assert asked == {"eight-train-1": "8", "eight-evaluate-1": "1", "eight-export-1": "1"}
    assert [job["metadata"]["ownerReferences"][0]["name"] for job in jobs] == ["eight-plan"] * 3
    lab.kubectl("-n", str(lab.namespace), "wait", "--for=condition=complete", "jobs", "-l", selector, "--timeout=60s")
    lab.kubectl("-n", str(lab.namespace), "wait", "--for=condition=complete", "job/eight-runner", "--timeout=60s")


def test_a_runner_that_comes_again_finds_everything_done(lab: Lab, eight: RunStatus) -> None:
    """Also when the Jobs are gone: the markers say it."""
    place = ("-n", str(lab.namespace))
    lab.kubectl(*place, "delete", "jobs", "-l", f"{names.LABEL_RUN}=eight")
    assert lab.status("eight") == eight

    lab.kubectl.apply(runner_of(lab, "eight", "eight-runner"))
    lab.kubectl(*place, "wait", "--for=condition=complete", "job/eight-runner", "--timeout=120s")

    assert lab.status("eight").state is State.SUCCEEDED
    assert lab.kubectl.json(*place, "get", "jobs", "-l", f"{names.LABEL_RUN}=eight,{names.LABEL_STAGE}")["items"] == []


def runner_of(lab: Lab, run: str, name: str) -> dict[str, object]:
    """The runner's Job as it was sent, under that name."""
    kept = lab.kubectl.json("-n", str(lab.namespace), "get", "configmap", names.object_name(run, names.PLAN))
    job = render.runner_job(plan.from_json(json.loads(kept["data"][names.PLAN_KEY])))
    job["metadata"]["name"] = name
    return job


@pytest.mark.timeout(600)
def test_two_runners_at_once_do_each_stage_once(lab: Lab) -> None:
    lab.submit("two", stages=("train", "export"))
    lab.kubectl.apply(runner_of(lab, "two", "two-runner-again"))

    ended = lab.await_end("two", 580)

    assert ended.state is State.SUCCEEDED
    assert [stage.attempts for stage in ended.stages] == [1, 1]
    lab.kubectl("-n", str(lab.namespace), "wait", "--for=condition=complete", "job/two-runner-again", "--timeout=60s")
    for stage in ("train", "export"):
        assert [each["exit_code"] for each in lab.attempts("two", stage)] == [0]
