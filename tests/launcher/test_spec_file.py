from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher.backends import Place
from launcher.errors import SpecError, UsageError
from launcher.plan import differing_keys, flat, make_plan
from launcher.spec import KubernetesSpec, Resolved, StagePolicy
from launcher.spec_file import missing_inputs, resolve, resolve_namespace, resolve_storage, user_config_path

DATA = """\
train: {train_img_dir: faces, lr: 0.05}
evaluate:
  datatxt_src: lfw/list.txt
  pairtxt_src: lfw/pairs.txt
  datasrc: ~/lfw
"""

Resolve = Callable[..., Resolved]


@pytest.fixture
def resolved(tmp_path: Path) -> Resolve:
    def run(spec: str | None = None, *sets: str, environment: dict[str, str] | None = None, **flags: Any) -> Resolved:
        return resolve(
            Path(spec) if spec else None,
            flags,
            sets,
            folder=tmp_path,
            user_config=tmp_path / "home" / "launcher.yaml",
            environment={"HOME": "/home/me", **(environment or {})},
        )

    return run


def write(path: Path, text: str = DATA) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_defaults_and_where_each_value_came_from(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml")
    found = resolved("demo.yaml")
    spec = found.spec
    assert (spec.name, spec.device, spec.devices, spec.storage) == ("demo", "cpu", 1, str(tmp_path))
    assert spec.stages == ("train", "evaluate", "export")
    assert spec.policy["export"] == StagePolicy()
    assert spec.train == {"train_img_dir": str(tmp_path / "faces"), "lr": 0.05}
    assert spec.evaluate["datasrc"] == "/home/me/lfw"
    assert found.origins["name"] == "file name demo.yaml"
    assert found.origins["device"] == "default"
    assert found.origins["train.lr"] == "demo.yaml:1"
    assert found.origins["evaluate.pairtxt_src"] == "demo.yaml:4"
    assert found.origins.keys() == flat(spec).keys()
    assert found.notes == ()


def test_each_layer_wins_over_the_one_before(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "base.yaml", "lr: 0.1\nmomentum: 0.1\nmax_epoch: 1\nseed: 1\n")
    write(tmp_path / "home" / "launcher.yaml", "config: ../base.yaml\nstorage: s\ntrain: {momentum: 0.2, seed: 2}\n")
    write(tmp_path / "demo.yaml", DATA + "device: gpu\ndevices: 2\n")
    found = resolved("demo.yaml", "train.lr=0.7", "devices=4", "train.lr=0.8", devices="8", device=None)
    values, origins = flat(found.spec), found.origins
    shown = {key: (values[key], origins[key]) for key in values}
    assert shown["train.max_epoch"] == (1, "base.yaml:3")
    assert shown["train.momentum"] == (0.2, "home/launcher.yaml:3")
    assert shown["train.seed"] == (2, "home/launcher.yaml:3")
    assert shown["device"] == ("gpu", "demo.yaml:6")
    assert shown["train.lr"] == (0.8, "flag --set train.lr")
    assert shown["devices"] == (8, "flag --devices")
    assert shown["storage"] == (str(tmp_path / "home" / "s"), "home/launcher.yaml:2")


def test_the_folders_own_file_is_taken_only_where_none_is_named(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "launcher.yaml", DATA + "devices: 2\n")
    write(tmp_path / "demo.yaml")
    assert (resolved().spec.name, resolved().spec.devices) == ("sphereface", 2)
    assert resolved().origins["name"] == "default"
    assert resolved("demo.yaml").spec.devices == 1


@pytest.mark.parametrize(
    ("file", "name"), [("My_Run.v2.yaml", "my-run-v2"), ("sub/launcher.yaml", "sphereface"), ("sub/a.yml", "a")]
)
def test_a_run_is_called_after_its_file(file: str, name: str, tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / file)
    assert resolved(file).spec.name == name


def test_a_file_whose_name_makes_no_run_name_asks_for_one(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "___.yaml")
    with pytest.raises(SpecError, match="give one with name: or --name"):
        resolved("___.yaml")
    assert resolved("___.yaml", name="x").spec.name == "x"


def test_paths_are_relative_to_the_file_or_for_flags_to_the_folder(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "sub" / "demo.yaml", DATA + "storage: st\nconfig: ../c/base.yaml\n")
    write(tmp_path / "c" / "base.yaml", "train_pretrained: p.ckpt\ntrain_data_dir: ''\n")
    spec = resolved("sub/demo.yaml", "train.train_img_dir=../x").spec
    assert spec.storage == str(tmp_path / "sub" / "st")
    assert spec.evaluate["pairtxt_src"] == str(tmp_path / "sub" / "lfw" / "pairs.txt")
    assert spec.train["train_pretrained"] == str(tmp_path / "c" / "p.ckpt")
    assert spec.train["train_data_dir"] == ""
    assert spec.train["train_img_dir"] == str(tmp_path.parent / "x")
    assert resolved("sub/demo.yaml", storage="y").spec.storage == str(tmp_path / "y")
    assert resolved("sub/demo.yaml", storage="/y").spec.storage == "/y"
    assert resolved("sub/demo.yaml", environment={"LAUNCHER_STORAGE": "/env"}).spec.storage == "/env"


def test_a_published_configuration_spreads_to_the_stages_that_read_it(tmp_path: Path, resolved: Resolve) -> None:
    write(
        tmp_path / "zoo.yaml",
        "net: sphereface20a\nis_distributed: 1\ndevice_target: Ascend\nsave_ckpt_path: ./x\nckpt_files: old.ckpt\n"
        "lr: 0.15\nbatch_size: 8\nfile_format: ONNX\n",
    )
    write(tmp_path / "demo.yaml")
    found = resolved("demo.yaml", "train.net=sphereface4a", config="zoo.yaml")
    assert found.spec.train["lr"] == 0.05
    assert found.spec.train["net"] == "sphereface4a"
    assert found.spec.evaluate["batch_size"] == 8
    assert found.origins["export.file_format"] == "zoo.yaml:8"
    assert "ckpt_files" not in found.spec.evaluate
    assert "net" not in found.spec.evaluate
    (note,) = found.notes
    assert note == "zoo.yaml: passed over what the launcher sets itself: is_distributed, device_target, save_ckpt_path"
    export = make_plan(found.spec).stage("export").argv
    assert export[export.index("--net") + 1] == "sphereface4a"


def test_our_own_published_configuration_resolves(tmp_path: Path, resolved: Resolve) -> None:
    published = Path(__file__).parents[2] / "configs" / "casia_sphere20a.yaml"
    write(tmp_path / "demo.yaml")
    spec = resolved("demo.yaml", config=str(published), devices="8").spec
    assert spec.train["net"] == "sphereface20a"
    assert make_plan(spec).stage("train").processes == 8


def test_a_published_checkpoint_is_judged_where_nothing_is_trained(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "zoo.yaml", "ckpt_files: old.ckpt\n")
    write(tmp_path / "demo.yaml")
    spec = resolved("demo.yaml", config="zoo.yaml", stages="evaluate,export").spec
    assert spec.evaluate["ckpt_files"] == spec.export["ckpt_files"] == str(tmp_path / "old.ckpt")
    assert spec.train == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "demo.yaml: must be a mapping of keys to values, not a list"),
        ("just text\n", "demo.yaml: must be a mapping of keys to values, not a single value"),
        ("name: a\nname: b\n", "demo.yaml:2: key 'name' is given twice"),
        ("train:\n  lr: 1\n  lr: 2\n", "demo.yaml:3: key 'train.lr' is given twice"),
        ("a: [\n", "demo.yaml:.*: not valid YAML"),
        ("devices: 3\n", "demo.yaml:1: devices must be one of 1, 2, 4, 8, not '3'"),
        ("train:\n  lrr: 1\n", r"demo.yaml:2: unknown key 'train.lrr' \(did you mean 'lr'\?\)"),
        ("train: fast\n", "demo.yaml:1: train must be a mapping of keys to values, not 'fast'"),
        ("policy: {train: 3}\n", "demo.yaml:1: policy.train must be a mapping"),
        ("policy:\n  trian: {retries: 1}\n", r"demo.yaml:2: unknown key 'policy.trian.retries' \(did you mean 'train'"),
        ("train.lr: 1\n", "demo.yaml:1: key 'train.lr' must be written as a section: 'train:'"),
        ("train: {output: x}\n", "demo.yaml:1: train.output is set by the launcher"),
        ("env:\n  MY_TOKEN: x\n", "demo.yaml:2: env.MY_TOKEN looks like a secret"),
        ("1: x\n", "demo.yaml:1: unknown key '1'"),
        ("train: {lr: {a: 1}}\n", "demo.yaml:1: train.lr must be a number"),
        ("config: none.yaml\n", r"none.yaml: cannot read the configuration \(demo.yaml:1\): No such file"),
        ("config: demo.yaml\nname: a\n", "demo.yaml:1: unknown key 'config'"),
        ("x: &x [1,1,1,1,1,1,1,1,1,1]\ny: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x,*x]\n"
         "z: &z [*y,*y,*y,*y,*y,*y,*y,*y,*y,*y]\nw: [*z,*z,*z,*z,*z,*z,*z,*z,*z,*z]\n", "more than 10000 values"),
    ],
)  # fmt: skip
def test_bad_files_are_one_line_with_the_place(text: str, message: str, tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml", text)
    with pytest.raises(SpecError, match=message) as caught:
        resolved("demo.yaml")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("sets", "flags", "message"),
    [
        (("train.lr",), {}, r"flag --set train.lr: must be KEY=VALUE"),
        (("=1",), {}, "must be KEY=VALUE"),
        (("train.lr=x",), {}, "flag --set train.lr: train.lr must be a number, not 'x'"),
        ((), {"devices": "3"}, "flag --devices: devices must be one of"),
        ((), {"device": "npu"}, "flag --device: device must be one of"),
        ((), {"name": "A b"}, "flag --name: name must be"),
        ((), {"config": "gone.yaml"}, r"gone.yaml: cannot read the configuration \(flag --config\)"),
        (("evaluate.net=sphereface4a",), {}, "flag --set evaluate.net: evaluate.net is sphereface4a but train.net"),
        (("evaluate.datasrc=",), {}, "nothing to evaluate on: set evaluate.datasrc"),
        (("train.train_img_dir=",), {}, "no training data"),
        (("stages=evaluate",), {}, "no checkpoint"),
    ],
)
def test_bad_flags_are_one_line_with_the_flag(
    sets: tuple[str, ...], flags: dict[str, str], message: str, tmp_path: Path, resolved: Resolve
) -> None:
    write(tmp_path / "demo.yaml")
    with pytest.raises(SpecError, match=message) as caught:
        resolved("demo.yaml", *sets, **flags)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == UsageError.exit_code == 2


def test_a_named_spec_that_is_not_there_or_is_no_file(tmp_path: Path, resolved: Resolve) -> None:
    with pytest.raises(SpecError, match=r"^gone.yaml: cannot read the spec file: No such file"):
        resolved("gone.yaml")
    with pytest.raises(SpecError, match="cannot read the spec file: Is a directory"):
        resolved(str(tmp_path))


def test_a_value_may_hold_an_equals_sign_and_an_empty_section_is_nothing(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml", DATA + "env:\npolicy:\n  train:\n")
    assert resolved("demo.yaml", "env.FLAGS=a=b").spec.env == {"FLAGS": "a=b"}


def test_values_of_stages_that_do_not_run_are_dropped(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml", DATA + "policy: {evaluate: {retries: 9}}\n")
    spec = resolved("demo.yaml", stages="train").spec
    assert spec.evaluate == {}
    assert spec.policy.keys() == {"train"}


def test_storage_alone_is_found_even_where_the_rest_of_a_file_is_wrong(tmp_path: Path) -> None:
    write(tmp_path / "launcher.yaml", "storage: st\nnonsense: 1\n")
    given: dict[str, Any] = {"folder": tmp_path, "user_config": tmp_path / "none.yaml"}
    assert resolve_storage(None, environment={}, **given) == (tmp_path / "st", "launcher.yaml:1")
    in_environment = {"LAUNCHER_STORAGE": "/env"}
    assert resolve_storage(None, environment=in_environment, **given) == (Path("/env"), "LAUNCHER_STORAGE")
    assert resolve_storage("x", environment=in_environment, **given) == (tmp_path / "x", "flag --storage")
    (tmp_path / "launcher.yaml").unlink()
    assert resolve_storage(None, environment={}, **given) == (tmp_path, "default")


def test_the_users_config_follows_xdg() -> None:
    assert user_config_path({"HOME": "/h"}) == Path("/h/.config/launcher/launcher.yaml")
    assert user_config_path({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == Path("/x/launcher/launcher.yaml")


def test_inputs_that_are_not_there_are_named_by_their_keys(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml")
    (tmp_path / "faces").mkdir()
    missing = missing_inputs(make_plan(resolved("demo.yaml").spec))
    assert missing == [
        f"evaluate.datatxt_src: {tmp_path}/lfw/list.txt does not exist",
        f"evaluate.pairtxt_src: {tmp_path}/lfw/pairs.txt does not exist",
        "evaluate.datasrc: /home/me/lfw does not exist",
    ]


def test_namespace_for_verbs_that_name_runs(tmp_path: Path) -> None:
    given = {"folder": tmp_path, "user_config": tmp_path / "user.yaml"}
    assert resolve_namespace(**given) == ""
    (tmp_path / "user.yaml").write_text("kubernetes: {namespace: mine}\n")
    assert resolve_namespace(**given) == "mine"
    (tmp_path / "launcher.yaml").write_text("train: {lr: 1}\nkubernetes: {namespace: lab, cpu: 2}\n")
    assert resolve_namespace(**given) == "lab"


CLUSTER = Place(
    "kubernetes",
    defaults={"kubernetes.namespace": ("team-a", "context site"), "storage": ("/storage", "default of the backend")},
    base=Path("/storage"),
    here=False,
    sections=("kubernetes",),
)


def for_cluster(folder: Path, spec: str | None = "demo.yaml", *sets: str, **flags: Any) -> Resolved:
    return resolve(
        Path(spec) if spec else None,
        {key.replace("__", "."): value for key, value in flags.items()},
        sets,
        folder=folder,
        user_config=folder / "home" / "launcher.yaml",
        environment={"HOME": "/home/me", "LAUNCHER_STORAGE": "/of/this/machine"},
        place=CLUSTER,
    )


SECTION = """\
kubernetes:
  image: registry/sphereface:1
  memory: 4096Mi
  node_selector: {kubernetes.io/arch: arm64}
  tolerations: ["gpu=yes:NoSchedule"]
  labels:
"""


def test_a_run_for_a_cluster_has_its_section_and_paths_as_pods_see_them(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "demo.yaml", DATA.replace("~/lfw", "lfw/images") + SECTION)
    found = for_cluster(tmp_path, "sub/demo.yaml", "kubernetes.labels.a.b/c=d", kubernetes__image="other:2")
    made = found.spec.kubernetes
    assert made == KubernetesSpec(
        namespace="team-a",
        image="other:2",
        memory="4Gi",
        node_selector={"kubernetes.io/arch": "arm64"},
        tolerations=("gpu=yes:NoSchedule",),
        labels={"a.b/c": "d"},
    )
    assert found.spec.storage == "/storage"
    assert found.spec.train["train_img_dir"] == "/storage/faces"
    shown = {key: found.origins[key] for key in found.origins if key.startswith("kubernetes.") or key == "storage"}
    assert shown["kubernetes.namespace"] == "context site"
    assert shown["kubernetes.image"] == "flag --image"
    assert shown["kubernetes.memory"] == "sub/demo.yaml:8"
    assert shown["kubernetes.node_selector.kubernetes.io/arch"] == "sub/demo.yaml:9"
    assert shown["kubernetes.labels.a.b/c"] == "flag --set kubernetes.labels.a.b/c"
    assert shown["kubernetes.cpu"] == "default"
    assert shown["storage"] == "default of the backend"
    assert found.origins.keys() == flat(found.spec).keys()
    assert missing_inputs(make_plan(found.spec)) == []


def test_without_an_image_it_is_that_of_the_device(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "demo.yaml", DATA.replace("~/lfw", "lfw/images"))
    made = for_cluster(tmp_path, "sub/demo.yaml", device="ascend910").spec.kubernetes
    assert made is not None
    assert made.image == "sphereface:ascend"


def test_without_a_size_of_shared_memory_it_is_that_of_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "config" / "launcher" / "profiles" / "mine.yaml", "device_target: GPU\nshm: 4096Mi\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    write(tmp_path / "sub" / "demo.yaml", DATA.replace("~/lfw", "lfw/images"))
    found = for_cluster(tmp_path, "sub/demo.yaml", device="mine")
    assert found.spec.kubernetes is not None
    assert found.spec.kubernetes.shm == "4Gi"
    assert found.origins["kubernetes.shm"] == found.origins["kubernetes.image"] == "profile mine"
    given = for_cluster(tmp_path, "sub/demo.yaml", "kubernetes.shm=1Gi", device="mine")
    assert given.spec.kubernetes is not None
    assert given.spec.kubernetes.shm == "1Gi"
    with pytest.raises(SpecError, match=r"profile mine: kubernetes.shm \(4Gi\) is a part of kubernetes.memory \(1Gi\)"):
        for_cluster(tmp_path, "sub/demo.yaml", "kubernetes.memory=1Gi", device="mine")


def test_a_driver_that_no_profile_names_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", DATA.replace("~/lfw", "lfw") + "kubernetes:\n  driver: host\n")
    with pytest.raises(SpecError, match=r"demo.yaml:7: kubernetes.driver is host, but device cpu has no paths"):
        for_cluster(tmp_path)
    made = for_cluster(tmp_path, device="ascend910").spec.kubernetes
    assert made is not None
    assert made.driver == "host"


def test_every_path_follows_the_storage_of_the_spec(tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", DATA.replace("~/lfw", "lfw") + "storage: /data\nconfig: zoo.yaml\n")
    write(tmp_path / "zoo.yaml", "train_pretrained: old.ckpt\n")
    spec = for_cluster(tmp_path).spec
    assert (spec.storage, spec.train["train_pretrained"]) == ("/data", "/data/old.ckpt")
    assert for_cluster(tmp_path, storage="/x").spec.evaluate["datasrc"] == "/x/lfw"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kubernetes:\n  imgae: x\n", r"demo.yaml:7: unknown key 'kubernetes.imgae' \(did you mean 'image'"),
        ("kubernetes:\n  labels: {a: 1}\n", "demo.yaml:7: kubernetes.labels.a must be text, not 1"),
        ("kubernetes:\n  labels: x\n", "demo.yaml:7: kubernetes.labels must be a mapping"),
        ("kubernetes: x\n", "demo.yaml:6: kubernetes must be a mapping"),
        ("kubernetes:\n  shm: 9Gi\n", r"demo.yaml:7: kubernetes.shm \(9Gi\) is a part of kubernetes.memory \(8Gi\)"),
        ("kubernetes:\n  templates: gone\n", "demo.yaml:7: kubernetes.templates: cannot read .*gone: No such file"),
        ("storage: ..\n", "demo.yaml:6: storage must be an absolute path on a cluster"),
        ("", r"demo.yaml:5: evaluate.datasrc: pods have no ~/lfw; they see the claim at /storage"),
    ],
)
def test_bad_sections_are_one_line_with_the_place(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", (DATA if not text else DATA.replace("~/lfw", "lfw")) + text)
    with pytest.raises(SpecError, match=message) as caught:
        for_cluster(tmp_path)
    assert "\n" not in str(caught.value)


def test_own_templates_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", DATA.replace("~/lfw", "lfw") + "kubernetes: {templates: mine}\n")
    write(tmp_path / "mine" / "status.yaml.j2", "a: 1\n")
    found = for_cluster(tmp_path)
    assert found.spec.kubernetes is not None
    assert found.spec.kubernetes.templates == {"status.yaml.j2": "a: 1\n"}
    assert found.origins["kubernetes.templates.status.yaml.j2"] == "demo.yaml:6"
    first = make_plan(found.spec)
    write(tmp_path / "mine" / "status.yaml.j2", "a: 2\n")
    second = make_plan(for_cluster(tmp_path).spec)
    assert differing_keys(first, second) == ("kubernetes.templates.status.yaml.j2",)


def test_the_section_is_passed_over_on_this_machine_but_its_keys_are_checked(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml", DATA + SECTION)
    found = resolved("demo.yaml")
    assert found.spec.kubernetes is None
    assert found.notes == ("passed over section kubernetes (demo.yaml): this run is for this machine",)
    assert not [key for key in found.origins if key.startswith("kubernetes")]
    with pytest.raises(SpecError, match=r"unknown key 'kubernetes.x'"):
        resolved("demo.yaml", "kubernetes.x=1")


WITH_INFER = "train,evaluate,export,infer310"


def test_infer310_judges_the_pairs_of_evaluate(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml", DATA + "infer310: {datasrc: other}\n")
    found = resolved("demo.yaml", stages=WITH_INFER)
    assert found.spec.infer310 == {
        "datatxt_src": str(tmp_path / "lfw" / "list.txt"),
        "pairtxt_src": str(tmp_path / "lfw" / "pairs.txt"),
        "datasrc": str(tmp_path / "other"),
    }
    assert found.origins["infer310.pairtxt_src"] == "demo.yaml:4"
    assert found.origins["infer310.datasrc"] == "demo.yaml:6"
    assert "infer310.datasrc" not in resolved("demo.yaml").origins
    alone = resolved("demo.yaml", "infer310.mindir_path=a.lite.mindir", stages="infer310")
    assert alone.spec.infer310["pairtxt_src"] == str(tmp_path / "lfw" / "pairs.txt")
    assert f"infer310.mindir_path: {tmp_path}/a.lite.mindir does not exist" in missing_inputs(make_plan(alone.spec))


def test_with_export_before_it_infer310_takes_no_other_model(tmp_path: Path, resolved: Resolve) -> None:
    write(tmp_path / "demo.yaml")
    write(tmp_path / "zoo.yaml", "mindir_path: old.mindir\n")
    with pytest.raises(
        SpecError, match=r"flag --set infer310.mindir_path: infer310.mindir_path cannot be chosen where"
    ):
        resolved("demo.yaml", "infer310.mindir_path=x", stages=WITH_INFER)
    assert "mindir_path" not in resolved("demo.yaml", config="zoo.yaml", stages=WITH_INFER).spec.infer310


def test_an_image_of_ours_without_the_programs_of_infer310_is_not_taken_for_granted(tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", DATA.replace("~/lfw", "lfw"))
    made = for_cluster(tmp_path, stages=WITH_INFER).spec.kubernetes
    assert made is not None
    assert made.image == "sphereface:infer310"
    with pytest.raises(SpecError, match=r"profile ascend910: kubernetes.image is sphereface:ascend, which lacks the C"):
        for_cluster(tmp_path, stages=WITH_INFER, device="ascend910")
    named = for_cluster(tmp_path, stages=WITH_INFER, device="ascend910", kubernetes__image="team/own:1").spec.kubernetes
    assert named is not None
    assert named.image == "team/own:1"


def test_the_driver_of_a_node_may_be_wanted_by_infer310_alone(tmp_path: Path) -> None:
    write(tmp_path / "demo.yaml", DATA.replace("~/lfw", "lfw") + "kubernetes: {driver: host}\n")
    given = "infer310.infer_device=ascend310"
    made = for_cluster(tmp_path, "demo.yaml", given, stages=WITH_INFER).spec.kubernetes
    assert made is not None
    assert made.driver == "host"
