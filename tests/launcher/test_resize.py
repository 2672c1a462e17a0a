from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from launcher.errors import SpecError, UsageError
from launcher.plan import Plan, make_plan
from launcher.resize import Resize, check_state, from_json, resized, to_json
from launcher.spec import KubernetesSpec, RunSpec


def plan(devices: int = 8, nodes: int = 1, train: dict[str, Any] | None = None, **more: Any) -> Plan:
    kubernetes = KubernetesSpec() if nodes > 1 else None
    return make_plan(RunSpec("demo", devices=devices, nodes=nodes, train=train or {}, kubernetes=kubernetes, **more))


def options(made: Plan) -> dict[str, str]:
    """Of train, by name."""
    words = made.stage("train").argv[4:]
    return dict(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize(("devices", "micro"), [(8, "1"), (4, "2"), (2, "4"), (1, "8")])
def test_fewer_ranks_take_more_micro_batches(devices: int, micro: str) -> None:
    made = plan(8)
    other = resized(made, Resize(devices))
    assert (other.devices, other.stage("train").ranks, other.hash) == (devices, devices, made.hash)
    assert options(other)["--accumulate_steps"] == micro
    assert options(other)["--elastic_batch"] == "keep"
    assert ("--is_distributed" in options(other)) is (devices > 1)
    assert other.stage("evaluate") == made.stage("evaluate")


def test_more_ranks_take_fewer_and_keep_what_the_spec_says() -> None:
    made = plan(2, train={"accumulate_steps": 4, "elastic_batch": "scale", "lr": 0.5})
    other = options(resized(made, Resize(8)))
    assert (other["--accumulate_steps"], other["--elastic_batch"], other["--lr"]) == ("1", "scale", "0.5")


def test_the_global_batch_changes_only_when_that_is_asked_for() -> None:
    made = plan(2)
    with pytest.raises(SpecError, match=r"2 ranks, whose global batch 8 cannot keep .* --scale-batch"):
        resized(made, Resize(8))
    other = options(resized(made, Resize(8, scale=True)))
    assert (other["--accumulate_steps"], other["--elastic_batch"]) == ("1", "scale")


def test_pods_may_become_fewer() -> None:
    made = plan(8, nodes=2)
    other = resized(made, Resize(8, nodes=1))
    assert (other.nodes, other.stage("train").ranks, options(other)["--accumulate_steps"]) == (1, 8, "2")
    assert resized(made, Resize(4)).stage("train").ranks == 8
    for nodes in (0, 3):
        with pytest.raises(SpecError, match="nodes must be 1 to 2"):
            resized(made, Resize(8, nodes=nodes))


@pytest.mark.parametrize("devices", [0, 3, 16, -1])
def test_other_numbers_of_devices_are_refused(devices: int) -> None:
    with pytest.raises(SpecError, match="devices must be one of 1, 2, 4, 8"):
        resized(plan(), Resize(devices))


def test_without_train_there_is_nothing_to_change() -> None:
    made = plan(1, stages=("evaluate",), evaluate={"ckpt_files": "x"})
    with pytest.raises(SpecError, match="has no stage train"):
        resized(made, Resize(1))


def test_nothing_asked_is_the_plan_itself() -> None:
    made = plan()
    assert resized(made, None) is made
    same = resized(made, Resize(8))
    assert replace(same, stages=made.stages) == made


def test_it_goes_through_json() -> None:
    for resize in (Resize(4), Resize(1, 2, scale=True)):
        assert from_json(json.loads(json.dumps(to_json(resize)))) == resize
    assert from_json(None) is None
    wrongs: list[Any] = [{}, {"devices": None}, []]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="not a change of devices"):
            from_json(wrong)


def test_only_a_run_that_stands_and_has_still_to_train_takes_other_devices() -> None:
    check_state("demo", goes_on=False, trained=False)
    with pytest.raises(UsageError, match="train of run 'demo' is complete"):
        check_state("demo", goes_on=False, trained=True)
    with pytest.raises(UsageError, match="launcher cancel demo"):
        check_state("demo", goes_on=True, trained=False)
