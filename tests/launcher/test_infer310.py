from __future__ import annotations

from typing import Any

import pytest

from launcher import infer310
from launcher.profiles import Profile, load_profile
from launcher.spec import RunSpec
from launcher.spec_keys import stage_schema


def test_its_devices_are_sphereface_s_and_each_has_a_profile() -> None:
    schema = stage_schema()
    assert list(infer310.DEVICES) == schema["infer_device"]["choices"]
    assert [load_profile(name).name for name in infer310.DEVICES] == list(infer310.DEVICES)
    for key in infer310.SHARED:
        assert schema[key]["stages"] == ["evaluate", "infer310"]


@pytest.mark.parametrize(
    ("run", "given", "device", "profile"),
    [
        ("cpu", {}, "cpu", "cpu"),
        ("gpu", {}, "cpu", "cpu"),
        ("ascend910", {}, "ascend310", "ascend310"),
        ("ascend310p", {}, "ascend310p", "ascend310p"),
        ("ascend910b", {"infer_device": "ascend310p"}, "ascend310p", "ascend310p"),
        ("ascend910", {"infer_device": "cpu"}, "cpu", "cpu"),
        ("cpu", {"infer_device": "ascend310"}, "ascend310", "ascend310"),
    ],
)
def test_the_device_follows_from_the_runs_where_it_is_not_given(
    run: str, given: dict[str, Any], device: str, profile: str
) -> None:
    spec = RunSpec("demo", device=run, infer310=given)
    assert infer310.device(spec, load_profile(run)) == device
    assert infer310.profile_of(spec, load_profile(run)) == load_profile(profile)


def test_processors_of_a_profile_of_ones_own_stay_what_they_are() -> None:
    own = Profile("farm", "CPU", node_selector={"disk": "ssd"})
    assert infer310.profile_of(RunSpec("demo"), own) == own


def test_pairs_are_those_of_evaluate_but_for_what_infer310_says_itself() -> None:
    values = {
        "evaluate.datasrc": "/i",
        "evaluate.pairtxt_src": "/p",
        "evaluate.batch_size": 8,
        "infer310.datasrc": "/o",
    }
    taken, origins = infer310.taken_over(values, {"evaluate.pairtxt_src": "demo.yaml:3"})
    assert taken == {"infer310.pairtxt_src": "/p"}
    assert origins == {"infer310.pairtxt_src": "demo.yaml:3"}
