from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher import spec_place
from launcher.errors import SpecError
from launcher.profiles import Profile
from launcher.spec import KubernetesSpec


def paths(**values: Any) -> dict[str, Any]:
    given = {key.replace("__", "."): value for key, value in values.items()}
    return spec_place.pod_paths(given, dict.fromkeys(given, "run.yaml:3"))


def test_relative_paths_are_relative_to_the_storage_as_pods_see_it() -> None:
    found = paths(storage="/data/", train__train_img_dir="faces", evaluate__datasrc="/opt/lfw", train__lr=0.1)
    assert found == {
        "storage": "/data",
        "train.train_img_dir": "/data/faces",
        "evaluate.datasrc": "/opt/lfw",
        "train.lr": 0.1,
    }
    assert paths(train__train_img_dir="a/../b/./c", train__train_pretrained="")["train.train_img_dir"] == "/storage/b/c"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"storage": ".."}, "storage must be an absolute path on a cluster, .* as /storage, not '..'"),
        ({"storage": "~/x"}, "storage must be an absolute path"),
        ({"storage": "/"}, "storage cannot be /, where pods have /etc/launcher"),
        ({"storage": "//"}, "storage cannot be /,"),
        ({"storage": "/tmp"}, "storage cannot be /tmp"),
        ({"storage": "/etc"}, "storage cannot be /etc, where pods have /etc/launcher"),
        ({"storage": "/a/../dev/shm/x"}, "storage cannot be /dev/shm/x"),
        ({"storage": "/proc/self"}, "storage cannot be /proc/self, where pods have /proc"),
        ({"storage": "/a:b"}, "storage cannot hold ':'"),
        ({"train__train_img_dir": "../faces"}, r"train.train_img_dir: ../faces leads out of the claim; .* at /storage"),
        ({"train__train_img_dir": "~/faces"}, "train.train_img_dir: pods have no ~/faces"),
    ],
)
def test_paths_that_pods_cannot_have_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        paths(**values)
    assert str(caught.value).startswith("run.yaml:3: ")
    assert "\n" not in str(caught.value)


def test_the_section_of_another_backend_is_passed_over_with_a_note() -> None:
    values = {"name": "a", "kubernetes.image": "i", "kubernetes.cpu": "1"}
    kept, notes = spec_place.pass_over(values, {**dict.fromkeys(values, "run.yaml:2"), "kubernetes.cpu": "flag --set"})
    assert kept == {"name": "a"}
    assert notes == ("passed over section kubernetes (run.yaml, flag --set): this run is for this machine",)
    assert spec_place.pass_over({"name": "a"}, {}) == ({"name": "a"}, ())


def test_shared_memory_is_a_part_of_memory() -> None:
    origins = {"kubernetes.memory": "run.yaml:9"}
    spec_place.check_cluster(KubernetesSpec(memory="2Gi", shm="2048Mi"), origins)
    with pytest.raises(SpecError, match=r"run.yaml:9: kubernetes.shm \(2Gi\) is a part of kubernetes.memory \(1Gi\)"):
        spec_place.check_cluster(KubernetesSpec(memory="1Gi"), origins)


def test_all_annotations_together_are_limited() -> None:
    with pytest.raises(SpecError, match="more than 250000 bytes together"):
        spec_place.check_cluster(KubernetesSpec(annotations={"a": "x" * 130_000, "b": "x" * 130_000}), {})


def test_own_templates_are_read_by_file_name(tmp_path: Path) -> None:
    (tmp_path / "stage.yaml.j2").write_text("a: ä\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("of no use here")
    assert spec_place.read_templates(tmp_path, "run.yaml:3") == {"stage.yaml.j2": "a: ä\n"}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "stge.yaml.j2",
            b"",
            r"has no use for stge.yaml.j2 \(did you mean 'stage.yaml.j2'\?\); there are cleaner.yaml.j2,",
        ),
        ("stage.yaml", b"", "has no use for stage.yaml"),
        ("README.md", b"", "has none of cleaner.yaml.j2"),
        ("stage.yaml.j2", b"\xff", "has a template that is not UTF-8"),
        ("stage.yaml.j2", b"x" * (257 << 10), "more than 256 KiB together"),
    ],
)
def test_a_folder_that_holds_no_templates_of_ours_is_refused(
    file: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SpecError, match=message) as caught:
        spec_place.read_templates(tmp_path, "run.yaml:3")
    assert str(caught.value).startswith("run.yaml:3: kubernetes.templates: ")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"flag --templates: kubernetes.templates: cannot read .*/gone: No such file"):
        spec_place.read_templates(tmp_path / "gone", "flag --templates")


def profile(*mounts: str) -> Profile:
    return Profile("mine", "Ascend", mounts=mounts)


def test_the_driver_of_a_node_is_looked_for_only_where_it_is_asked_for() -> None:
    origins = {"kubernetes.driver": "run.yaml:4"}
    spec_place.check_driver(KubernetesSpec(), [profile()], "/storage", origins)
    host = KubernetesSpec(driver="host")
    spec_place.check_driver(host, [profile(), profile("/usr/local/dcmi/", "/storages")], "/storage", origins)
    with pytest.raises(SpecError, match=r"run.yaml:4: kubernetes.driver is host, but device mine has no paths"):
        spec_place.check_driver(host, [profile()], "/storage", origins)


@pytest.mark.parametrize("mount", ["/storage", "/storage/x/", "/data/"])
def test_a_driver_does_not_lie_over_the_storage(mount: str) -> None:
    storage = "/data/faces" if mount == "/data/" else "/storage"
    with pytest.raises(SpecError, match="of the node would lie over the storage"):
        spec_place.check_driver(KubernetesSpec(driver="host"), [profile(mount)], storage, {})
