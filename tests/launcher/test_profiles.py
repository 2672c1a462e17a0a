from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from launcher import ascend, profiles
from launcher.errors import SpecError
from runfolder import strict_yaml
from tests.launcher import hostile

FOLDER = Path(profiles.__file__).parent / "profiles"


def test_every_profile_loads_and_has_only_keys_that_are_read() -> None:
    assert set(profiles.names()) == {"cpu", "gpu", "ascend910", "ascend910b", "ascend910c", "ascend310", "ascend310p"}
    for name in profiles.names():
        profile = profiles.load_profile(name)
        assert profile.device_target in ("CPU", "GPU", "Ascend")
        assert all(isinstance(value, str) for value in profile.env.values())
        keys = strict_yaml.read(FOLDER / f"{name}.yaml").values.keys()
        assert keys <= set(profiles.KEYS)


def test_only_inference_cards_do_not_train() -> None:
    names = [name for name in profiles.names() if not profiles.load_profile(name).trains]
    assert names == ["ascend310", "ascend310p"]


def test_an_unknown_profile_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SpecError, match=r"not 'ascend910d' \(did you mean 'ascend910"):
        profiles.load_profile("ascend910d")


def test_a_profile_name_cannot_leave_its_folder() -> None:
    with pytest.raises(SpecError):
        profiles.load_profile("../profiles/cpu")


def test_any_number_of_cpu_processes_is_there(tmp_path: Path) -> None:
    assert profiles.missing_devices(profiles.load_profile("cpu"), 8, tmp_path) is None


@pytest.mark.parametrize(("device", "file"), [("ascend910", "davinci{}"), ("gpu", "nvidia{}")])
def test_devices_are_counted_by_the_files_of_their_driver(device: str, file: str, tmp_path: Path) -> None:
    profile = profiles.load_profile(device)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "davinci_manager").touch()
    (tmp_path / "dev" / "nvidiactl").touch()
    message = profiles.missing_devices(profile, 1, tmp_path)
    assert message is not None
    assert "has none of the 1" in message
    for number in range(2):
        (tmp_path / "dev" / file.format(number)).touch()
    assert profiles.missing_devices(profile, 2, tmp_path) is None
    assert "only 2 of the 4" in (profiles.missing_devices(profile, 4, tmp_path) or "")


def own(home: Path, text: str, name: str = "fake") -> dict[str, str]:
    """An environment whose user has that profile."""
    folder = home / "launcher" / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)
    return {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(home)}


def test_a_user_may_have_profiles_beside_ours(tmp_path: Path) -> None:
    text = """\
device_target: CPU
resource: huawei.com/Ascend910
env: {OMP_NUM_THREADS: "1"}
node_selector: {accelerator: huawei-Ascend910}
tolerations: ["huawei.com/Ascend910:NoSchedule"]
"""
    environment = own(tmp_path, text)
    assert set(profiles.names(environment)) == {*profiles.names({"HOME": "/nowhere"}), "fake"}
    assert profiles.load_profile("fake", environment) == profiles.Profile(
        name="fake",
        device_target="CPU",
        device_files="",
        trains=True,
        env={"OMP_NUM_THREADS": "1"},
        resource="huawei.com/Ascend910",
        node_selector={"accelerator": "huawei-Ascend910"},
        tolerations=("huawei.com/Ascend910:NoSchedule",),
        image="sphereface:cpu",
    )


def test_a_users_own_profile_wins_over_ours_of_that_name(tmp_path: Path) -> None:
    environment = own(tmp_path, "device_target: GPU\nresource: example.com/gpu\n", "gpu")
    assert profiles.load_profile("gpu", environment).resource == "example.com/gpu"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device_target: CPU\nresorce: x\n", r"fake.yaml:2: unknown key 'resorce' \(did you mean 'resource'\?\)"),
        ("device_target: TPU\n", "fake.yaml:1: device_target must be one of CPU, GPU, Ascend, not 'TPU'"),
        ("resource: a/b\n", "fake.yaml: device_target is missing; it is one of CPU, GPU, Ascend"),
        ("", "fake.yaml: device_target is missing"),
        ("resource: gpu\n", "fake.yaml:1: resource must be a device's resource, as huawei.com/Ascend910, not 'gpu'"),
        ("trains: maybe\n", "fake.yaml:1: trains must be true or false"),
        ("env: {A: 1}\n", "fake.yaml:1: env must be a mapping of texts to texts; put numbers in quotes"),
        ("env: {A-B: x}\n", "fake.yaml:1: env has A-B, which is not a name for an environment variable"),
        (
            "env: {MY_TOKEN: x}\n",
            "fake.yaml:1: env has MY_TOKEN, which looks like a secret, and a plan is kept as plain",
        ),
        ("env: {RANK_ID: x}\n", "fake.yaml:1: env has RANK_ID, which is set by the launcher itself"),
        ('env: {A: "\\0"}\n', "fake.yaml:1: env has A, which has a NUL"),
        ("device_files: dev/x\n", r"fake.yaml:1: device_files must be an absolute path .* not 'dev/x'"),
        ("device_files: /\n", "fake.yaml:1: device_files must be an absolute path"),
        ("device_files: /**/x\n", "fake.yaml:1: device_files must be an absolute path"),
        ("device_files: /dev/../x\n", "fake.yaml:1: device_files must be an absolute path"),
        ("node_selector: {a b: c}\n", "fake.yaml:1: node_selector has a key that Kubernetes does not take"),
        ("tolerations: a\n", "fake.yaml:1: tolerations must be a list of texts"),
        ("tolerations: [a=b]\n", "fake.yaml:1: tolerations must be key=value:EFFECT"),
        ("a: 1\na: 2\n", "fake.yaml:2: key 'a' is given twice"),
        ('"a\\nb": 1\n', r"fake.yaml:1: unknown key 'a\\nb'"),
        ("labels: {a: b c}\n", "fake.yaml:1: labels must be letters, digits"),
        (
            "labels: {launcher.seed/run: x}\n",
            "fake.yaml:1: labels has launcher.seed/run, which the launcher or Kubernetes",
        ),
        ("labels: {job-name: x}\n", "fake.yaml:1: labels has job-name, which"),
        ("labels: {kueue.x-k8s.io/queue-name: x}\n", "fake.yaml:1: labels has kueue.x-k8s.io/queue-name, which"),
        ("shm: lots\n", "fake.yaml:1: shm must be a quantity as 500m, 2, 8Gi, not 'lots'"),
        ("mounts: /usr\n", "fake.yaml:1: mounts must be a list of absolute paths"),
        ("mounts: [usr]\n", "fake.yaml:1: mounts must be a list of absolute paths"),
        ("mounts: [/]\n", "fake.yaml:1: mounts must be a list of absolute paths"),
        ("mounts: [/a/../b]\n", "fake.yaml:1: mounts must be a list of absolute paths"),
        ("mounts: [/a//b]\n", "fake.yaml:1: mounts must be a list of absolute paths"),
        ("mounts: [/dev/davinci0]\n", "fake.yaml:1: mounts has /dev/davinci0, and a container has a /dev of its own"),
        ("mounts: [/a, /a/]\n", "fake.yaml:1: mounts has /a twice"),
        ("board: ascend910z\n", "fake.yaml:1: board must be one of ascend910, ascend910b, ascend910c, ascend950"),
        ("start: srun\n", "fake.yaml:1: start must be one of msrun, rank-table, mpirun, not 'srun'"),
        ("exit_codes: [1]\n", "fake.yaml:1: exit_codes must be a mapping of exit codes to reasons"),
        ("exit_codes: {256: Killed}\n", "fake.yaml:1: exit_codes has '256', which is no exit code of a failure"),
        ("exit_codes: {0: Killed}\n", "fake.yaml:1: exit_codes has '0', which is no exit code of a failure"),
        ("exit_codes: {9: Kiled}\n", r"gives exit code 9 the reason 'Kiled', which is none \(did you mean 'Killed'"),
    ],
)
def test_a_profile_that_is_wrong_is_one_line_with_the_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        profiles.load_profile("fake", own(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_files_whose_names_are_no_devices_are_passed_over(tmp_path: Path) -> None:
    environment = own(tmp_path, "device_target: CPU\n", "Not a device")
    assert profiles.names(environment) == profiles.names({"HOME": "/nowhere"})


def test_each_kind_of_device_has_an_image_of_ours(tmp_path: Path) -> None:
    images = {name: profiles.load_profile(name).image for name in ("cpu", "gpu", "ascend910", "ascend310p")}
    assert images == {
        "cpu": "sphereface:cpu",
        "gpu": "sphereface:gpu",
        "ascend910": "sphereface:ascend",
        "ascend310p": "sphereface:ascend",
    }


def written(folder: Path, text: str, name: str = "fake.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_check_finds_everything_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "device_target: TPU\nresorce: a/b\nshm: lots\nmounts: [x]\n", "Fake.yaml")
    profile, findings = profiles.check(path)
    assert profile is None
    assert [finding.where for finding in findings] == [*(f"{path}:{line}" for line in (1, 2, 3, 4)), str(path)]
    assert all(finding.is_error and "\n" not in finding.text for finding in findings)
    assert findings[-1].text.startswith("'Fake' is no name of a device")


def test_each_entry_of_a_mapping_or_list_is_checked(tmp_path: Path) -> None:
    path = written(tmp_path, "device_target: CPU\nenv:\n  A-B: x\n  C: y\n  D: 1\nmounts: [a, /b, /tmp/c]\nlabels: x\n")
    findings = profiles.check(path)[1]
    assert [finding.where.removeprefix(f"{path}:") for finding in findings] == ["3", "5", "6", "6", "7"]
    assert findings[3].text == "mounts has /tmp/c, and a container has a /tmp of its own"


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    (finding,) = profiles.check(Path("/dev/zero"))[1]
    assert "larger than 1 MiB" in finding.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start: rank-table\n", "start is rank-table, which MindSpore takes on Ascend only, but device_target is CPU"),
        ("start: mpirun\n", "start is mpirun, which MindSpore takes on GPU and Ascend only, but device_target is CPU"),
        ("board: ascend910\n", "board is ascend910, a board of Ascend, but device_target is CPU"),
        ("tolerations: [a]\n", "has tolerations, but no resource, so that pods ask for no device"),
        ("node_selector: {a: b}\n", "has node_selector, but no resource, so that pods ask for no device"),
    ],
)
def test_what_reads_well_and_means_nothing_is_no_error(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, f"device_target: CPU\n{text}")
    profile, findings = profiles.check(path)
    assert profile is not None
    assert findings == (profiles.Finding(f"{path}:2", said, is_error=False),)


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "\x00", None])
def test_a_file_that_is_none_is_one_line(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "fake.yaml" if text is None else written(tmp_path, text)
    profile, (finding,) = profiles.check(path)
    assert profile is None
    assert re.fullmatch(rf"{re.escape(str(path))}(:\d+)?", finding.where)
    assert re.match("must be a mapping|not valid YAML|cannot read the profile: No such", finding.text)
    assert finding.text.isprintable()


@pytest.mark.parametrize("name", profiles.names({"HOME": "/nowhere"}))
def test_ours_are_without_findings_and_survive_being_written(name: str, tmp_path: Path) -> None:
    profile, findings = profiles.check(FOLDER / f"{name}.yaml")
    assert findings == ()
    assert profile is not None
    path = written(tmp_path, json.dumps(profiles.as_document(profile)), f"{name}.yaml")
    assert profiles.check(path) == (profile, ())


def test_no_profile_of_ours_needs_a_label_of_a_node() -> None:
    """A cluster that lacks it could never start a pod."""
    assert [name for name in profiles.names() if profiles.load_profile(name).node_selector] == []


@pytest.mark.parametrize("name", [name for name in profiles.names() if name.startswith("ascend")])
def test_ascend_has_its_label_and_its_driver(name: str) -> None:
    profile = profiles.load_profile(name)
    assert profile.labels.keys() == {ascend.OPERATOR_LABEL}
    assert "/usr/local/Ascend/driver/" in profile.mounts
    assert (ascend.HCCN_CONF in profile.mounts) == bool(profile.board) == profile.trains


@pytest.mark.parametrize(
    ("device", "good", "bad", "said"),
    [
        (
            "ascend910",
            (1, 2, 4, 8),
            3,
            "1, 2, 4, 8 devices of a server can work together: up to 4 inside one ring, or all",
        ),
        ("ascend910", (8,), 16, r"Ascend 910A \(Atlas training\) 1, 2, 4, 8 devices of a server can work together"),
        ("ascend910b", (3, 16), 17, r"a server of Ascend 910B \(Atlas A2\) has 16 devices"),
        ("ascend910c", (2, 16), 32, "has 16 devices"),
    ],
)
def test_devices_that_cannot_work_together(device: str, good: tuple[int, ...], bad: int, said: str) -> None:
    profile = profiles.load_profile(device)
    assert [profiles.wrong_count(profile, count) for count in good] == [None] * len(good)
    assert re.search(said, profiles.wrong_count(profile, bad) or "")


def test_nothing_is_known_of_boards_that_are_not_named() -> None:
    assert profiles.wrong_count(profiles.load_profile("gpu"), 3) is None


def odd(source: random.Random, depth: int = 2) -> Any:
    """Any value that YAML can hold."""
    kind = source.randrange(8 if depth else 5)
    if kind >= 5:
        pairs = [(hostile.text(source, longest=3), odd(source, depth - 1)) for _ in range(source.randrange(4))]
        return dict(pairs) if kind == 5 else [value for _, value in pairs]
    plain = (hostile.text(source, longest=4), source.randrange(-9, 400), source.random(), None, source.random() < 0.5)
    return plain[kind]


@pytest.mark.parametrize("part", range(4))
def test_whatever_a_file_holds_each_finding_is_one_line_with_its_place(part: int, tmp_path: Path) -> None:
    path = tmp_path / "fake.yaml"
    refused = 0
    for case in range(part, 1_000, 4):
        source = random.Random(case)  # noqa: S311
        keys = [*source.sample(profiles.KEYS, 3), hostile.text(source, longest=3)]
        path.write_text(json.dumps({"device_target": "CPU"} | {key: odd(source) for key in keys}), encoding="utf-8")
        profile, findings = profiles.check(path)
        refused += profile is None
        for finding in findings:
            assert re.fullmatch(rf"{re.escape(str(path))}(:\d+)?", finding.where), case
            assert finding.text.isprintable(), case
            assert len(finding.text) < 1_000, case
        if profile is not None:
            path.write_text(json.dumps(profiles.as_document(profile)), encoding="utf-8")
            assert profiles.check(path)[0] == profile, case
    assert refused > 200
