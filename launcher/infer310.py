"""The stage infer310: on which device it runs, and which data it takes over. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher.profiles import Profile, load_profile
from launcher.spec import RunSpec

DEVICES = ("cpu", "ascend310", "ascend310p")
"""What MindSpore Lite computes on; each is the name of a device profile too."""
ON_CPU = "--set infer310.infer_device=cpu"
SHARED = ("datatxt_src", "pairtxt_src", "datasrc")
"""Keys of evaluate that it takes over where it says nothing itself: both judge the same pairs."""


def device(spec: RunSpec, profile: Profile) -> str:
    """Of `infer310.infer_device`, which follows from the run's own device (its `profile`) where it is not given."""
    follows = "ascend310" if profile.device_target == "Ascend" else "cpu"
    return str(spec.infer310.get("infer_device", profile.name if profile.name in DEVICES else follows))


def profile_of(spec: RunSpec, profile: Profile) -> Profile:
    """Of its device: the run's own (`profile`) where that is the one. Raises SpecError for a profile that is wrong."""
    wanted = device(spec, profile)
    if wanted == profile.name or (wanted == "cpu" and profile.device_target == "CPU"):
        return profile
    return load_profile(wanted)


def taken_over(values: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by dotted key, and their origins, that infer310 has from evaluate."""
    keys = {f"infer310.{key}": f"evaluate.{key}" for key in SHARED}
    taken = {own: other for own, other in keys.items() if own not in values and other in values}
    return (
        {own: values[other] for own, other in taken.items()},
        {own: origins[other] for own, other in taken.items() if other in origins},
    )
