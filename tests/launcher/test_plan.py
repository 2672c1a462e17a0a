from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from launcher.errors import LauncherError, SpecError
from launcher.plan import Plan, differing_keys, flat, from_json, make_plan, to_json
from launcher.spec import STAGES, KubernetesSpec, RunSpec, StagePolicy


def spec(**changes: Any) -> RunSpec:
    given: dict[str, Any] = {
        "name": "demo",
        "storage": "/st",
        "train": {"train_img_dir": "/faces", "lr": 0.05, "net": "sphereface4a", "amp": True},
        "evaluate": {"datasrc": "/lfw"},
    }
    return RunSpec(**{**given, **changes})


def option(plan: Plan, stage: str, key: str) -> str | None:
    argv = plan.stage(stage).argv
    return argv[argv.index(f"--{key}") + 1] if f"--{key}" in argv else None


def test_a_stage_is_started_as_the_contract_says() -> None:
    train = make_plan(spec()).stage("train")
    assert train.argv == (
        *("python", "-m", "sphereface", "train", "--amp", "true", "--device_target", "CPU", "--lr", "0.05"),
        *("--net", "sphereface4a", "--output", "/st/runs/demo/train", "--train_img_dir", "/faces"),
    )
    assert train.artifacts == ("checkpoints/*.ckpt", "metrics.jsonl")
    assert (train.processes, train.needs) == (1, ())


def test_followers_take_the_checkpoint_and_the_network_of_train() -> None:
    plan = make_plan(spec())
    for stage in ("evaluate", "export"):
        assert plan.stage(stage).needs == ("train",)
        assert option(plan, stage, "ckpt_files") == "/st/runs/demo/train/checkpoints"
        assert option(plan, stage, "net") == "sphereface4a"
        assert option(plan, stage, "lr") is None
    assert plan.stage("evaluate").artifacts == ("lfw.json", "scores.npz")


def test_stages_without_train_use_their_own_checkpoint() -> None:
    own = {"ckpt_files": "/a.ckpt"}
    plan = make_plan(spec(stages=("evaluate", "export"), train={}, evaluate=own, export=own))
    assert [stage.name for stage in plan.stages] == ["evaluate", "export"]
    assert all(stage.needs == () for stage in plan.stages)
    assert option(plan, "export", "ckpt_files") == "/a.ckpt"


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_only_train_takes_all_devices(devices: int) -> None:
    plan = make_plan(spec(devices=devices))
    assert [stage.processes for stage in plan.stages] == [devices, 1, 1]
    assert option(plan, "train", "is_distributed") == ("true" if devices > 1 else None)
    assert option(plan, "evaluate", "is_distributed") is None


def test_the_device_profile_gives_target_and_environment_and_the_spec_wins() -> None:
    plan = make_plan(spec(device="ascend910", env={"A": "1"}))
    assert option(plan, "train", "device_target") == "Ascend"
    assert plan.stage("export").env == {"HCCL_CONNECT_TIMEOUT": "600", "A": "1"}
    changed = make_plan(spec(device="ascend910", env={"HCCL_CONNECT_TIMEOUT": "900"}))
    assert changed.stage("train").env == {"HCCL_CONNECT_TIMEOUT": "900"}


def test_a_device_for_inference_does_not_train() -> None:
    with pytest.raises(SpecError, match="ascend310p is for inference"):
        make_plan(spec(device="ascend310p"))
    judged = make_plan(spec(device="ascend310p", stages=("evaluate",), evaluate={"ckpt_files": "/a.ckpt"}))
    assert option(judged, "evaluate", "device_target") == "Ascend"


def test_export_must_leave_a_file_for_each_format() -> None:
    plan = make_plan(spec(export={"file_format": "MINDIR, ONNX", "file_name": "face"}))
    assert plan.stage("export").artifacts == ("face.mindir", "face.onnx")


def test_a_format_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(SpecError, match="AIR can only be written on Ascend, not on cpu"):
        make_plan(spec(export={"file_format": "AIR"}))


def test_air_is_written_on_ascend() -> None:
    assert (
        make_plan(spec(device="ascend910", export={"file_format": "AIR"})).stage("export").artifacts[0][-4:] == ".air"
    )


def test_a_value_that_begins_with_a_dash_is_joined_to_its_key() -> None:
    assert "--dataset=-x" in make_plan(spec(train={"dataset": "-x"})).stage("train").argv


def test_json_and_back_is_the_same_plan() -> None:
    plan = make_plan(spec(policy={"train": StagePolicy(retries=0)}, env={"A": "ä"}))
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    assert to_json(plan)["schema"] == 2


def test_a_plan_for_a_cluster_carries_what_its_pods_need_of_the_device() -> None:
    plan = make_plan(spec(device="gpu", kubernetes=KubernetesSpec(labels={"a": "b"}, templates={"x.yaml.j2": "text"})))
    assert (plan.profile.resource, plan.profile.tolerations) == ("nvidia.com/gpu", ("nvidia.com/gpu:NoSchedule",))
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    assert plan.spec["kubernetes.labels.a"] == "b"
    assert plan.spec["kubernetes.templates.x.yaml.j2"].startswith("sha256:")


def test_a_device_whose_profile_was_changed_is_told_as_device() -> None:
    ours = make_plan(spec(device="gpu"))
    other = dataclasses.replace(ours.profile, resource="example.com/gpu")
    assert differing_keys(ours, dataclasses.replace(ours, profile=other)) == ("device",)


def test_what_a_profile_says_of_pods_is_covered_by_the_hash() -> None:
    value = to_json(make_plan(spec(device="gpu", kubernetes=KubernetesSpec())))
    changes: list[dict[str, Any]] = [{"resource": "a/b"}, {"tolerations": []}, {"node_selector": {"a": "b"}}]
    for changed in changes:
        with pytest.raises(LauncherError, match="its hash does not fit"):
            from_json({**value, "profile": value["profile"] | changed})


def test_the_order_of_keys_does_not_make_another_plan() -> None:
    train = spec().train
    assert make_plan(spec(train=dict(reversed(list(train.items()))))).hash == make_plan(spec()).hash


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"devices": 2}, ("devices",)),
        ({"storage": "/other"}, ("storage",)),
        ({"export": {"file_name": "x"}}, ("export.file_name",)),
        ({"train": {}}, ("train.amp", "train.lr", "train.net", "train.train_img_dir")),
        ({"env": {"A": "1"}}, ("env.A",)),
        ({"policy": {"train": StagePolicy(retries=9)}}, ("policy.train.retries",)),
        ({"stages": ("train", "export")}, ("stages",)),
        ({"stages": ("train",), "policy": {"train": StagePolicy(retries=9)}}, ("policy.train.retries", "stages")),
    ],
)
def test_any_change_is_another_plan_and_named_by_its_key(changes: dict[str, Any], keys: tuple[str, ...]) -> None:
    ours, theirs = make_plan(spec()), make_plan(spec(**changes))
    assert ours.hash != theirs.hash
    assert differing_keys(ours, theirs) == keys
    assert differing_keys(theirs, ours) == keys
    assert differing_keys(ours, ours) == ()


def test_keys_of_stages_that_do_not_run_are_no_part_of_the_plan() -> None:
    values = flat(spec(stages=("train",)))
    assert not [key for key in values if key.startswith(("evaluate.", "policy.evaluate."))]
    assert values["policy.train.retries"] == 2


def test_a_plan_that_was_edited_is_refused() -> None:
    value = to_json(make_plan(spec()))
    with pytest.raises(LauncherError, match="its hash does not fit"):
        from_json({**value, "devices": 8})


@pytest.mark.parametrize("broken", [{}, {"schema": 1}, {"schema": 2, "run": "x"}, {"stages": [{}]}, {"stages": 3}])
def test_a_plan_that_is_not_whole_is_refused(broken: dict[str, Any]) -> None:
    value = {**to_json(make_plan(spec())), **broken} if "stages" in broken else broken
    with pytest.raises(LauncherError, match=r"schema|not complete"):
        from_json(value)


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_plan(spec()).run = "other"  # type: ignore[misc]


@pytest.mark.parametrize("stages", [("train",), ("export",)])
def test_devices_that_the_board_does_not_let_work_together_are_refused_for_train(stages: tuple[str, ...]) -> None:
    spec = RunSpec("demo", device="ascend910", devices=3, stages=stages, export={"ckpt_files": "/c"})
    if stages == ("export",):
        assert make_plan(spec).stages[0].processes == 1
        return
    with pytest.raises(SpecError, match=r"devices is 3, but of Ascend 910A .* 1, 2, 4, 8 .* inside one ring, or all 8"):
        make_plan(spec)


INFER = {"stages": STAGES, "infer310": {"datasrc": "/lfw", "batch_size": 8}}


def test_infer310_takes_the_model_that_export_writes_and_is_one_process() -> None:
    plan = make_plan(spec(**INFER, devices=8))
    stage = plan.stage("infer310")
    assert stage.argv == (
        *("python", "-m", "sphereface", "infer310", "--batch_size", "8", "--datasrc", "/lfw", "--infer_device", "cpu"),
        *("--mindir_path", "/st/runs/demo/export/sphereface.lite.mindir", "--output", "/st/runs/demo/infer310"),
    )
    assert (stage.needs, stage.processes, stage.nodes) == (("export",), 1, 1)
    assert stage.artifacts == ("lfw.json", "embeddings.npy")
    assert option(plan, "export", "file_format") == "MINDIR,LITE"
    assert plan.stage("export").artifacts == ("sphereface.mindir", "sphereface.lite.mindir")
    assert option(make_plan(spec()), "export", "file_format") is None


def test_infer310_alone_takes_the_model_that_it_is_given() -> None:
    plan = make_plan(spec(stages=("infer310",), infer310={"mindir_path": "/m", "infer_device": "cpu"}))
    assert (plan.stage("infer310").needs, option(plan, "infer310", "mindir_path")) == ((), "/m")


def test_a_stage_on_another_device_than_the_run_carries_its_profile() -> None:
    plan = make_plan(spec(**INFER, device="ascend910", devices=8))
    stage = plan.stage("infer310")
    assert plan.profile_of(stage).resource == "huawei.com/Ascend310"
    assert plan.profile_of(plan.stage("export")) == plan.profile
    assert [profile.name for profile in plan.own_profiles] == ["ascend310"]
    assert option(plan, "infer310", "infer_device") == "ascend310"
    assert "HCCL_CONNECT_TIMEOUT" not in stage.env
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    other = dataclasses.replace(plan, stages=make_plan(spec(**INFER)).stages)
    assert differing_keys(plan, other) == ("device",)


def test_a_plan_without_such_a_stage_is_what_it_was_before_there_were_any() -> None:
    assert all("profile" not in stage for stage in to_json(make_plan(spec(**INFER)))["stages"])
