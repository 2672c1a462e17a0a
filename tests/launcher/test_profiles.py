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
        assert keys <= {"device_target", "device_files", "trains", "env", "resource", "node_selector", "tolerations"}


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
