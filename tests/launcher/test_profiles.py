from __future__ import annotations

from pathlib import Path

import pytest

from launcher import profiles
from launcher.errors import SpecError
from runfolder import strict_yaml

FOLDER = Path(profiles.__file__).parent / "profiles"


def test_every_profile_loads_and_has_only_keys_that_are_read() -> None:
    assert set(profiles.names()) == {"cpu", "gpu", "ascend910", "ascend910b", "ascend910c", "ascend310p"}
    for name in profiles.names():
        profile = profiles.load_profile(name)
        assert profile.device_target in ("CPU", "GPU", "Ascend")
        assert all(isinstance(value, str) for value in profile.env.values())
        keys = strict_yaml.read(FOLDER / f"{name}.yaml").values.keys()
        assert keys <= set(profiles.KEYS)


def test_only_the_inference_card_does_not_train() -> None:
    assert [name for name in profiles.names() if not profiles.load_profile(name).trains] == ["ascend310p"]


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
        ("env: {A-B: x}\n", "fake.yaml:1: env has a name that no environment variable has: 'A-B'"),
        ("node_selector: {a b: c}\n", "fake.yaml:1: node_selector has a key that Kubernetes does not take"),
        ("tolerations: a\n", "fake.yaml:1: tolerations must be a list of texts"),
        ("tolerations: [a=b]\n", "fake.yaml:1: tolerations must be key=value:EFFECT"),
        ("a: 1\na: 2\n", "fake.yaml:2: key 'a' is given twice"),
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
