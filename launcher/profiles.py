"""Device profiles: what each kind of device is called, how it is seen, and what its processes need. Data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import SpecError
from runfolder import strict_yaml

_FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """One kind of device, read from `profiles/NAME.yaml`."""

    name: str
    device_target: str
    """What MindSpore calls it: CPU, GPU or Ascend."""
    device_files: str
    """Glob of the files that its driver makes, one a device; empty = always there, as many as wanted."""
    trains: bool
    """False: made for inference, MindSpore does not train on it."""
    env: Mapping[str, str]
    """Environment of every stage on this device; the spec's own `env` wins."""
    resource: str
    """What a pod asks a cluster for, so many a device (`huawei.com/Ascend910`); empty = nothing."""
    node_selector: Mapping[str, str]
    """Labels of the nodes that have such devices; the spec's own win."""
    tolerations: tuple[str, ...]
    """Taints that such nodes carry, as `kubectl taint` writes them; the spec's own are added."""


def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_profile(name: str) -> Profile:
    """Raises SpecError for a name that no profile has."""
    if name not in names():
        hint = strict_yaml.did_you_mean(name, names())
        raise SpecError(f"device must be one of {', '.join(names())}, not '{name}'{hint}")
    values = strict_yaml.read(_FOLDER / f"{name}.yaml").values
    return Profile(
        name=name,
        device_target=values["device_target"],
        device_files=values.get("device_files", ""),
        trains=values.get("trains", True),
        env=values.get("env", {}),
        resource=values.get("resource", ""),
        node_selector=values.get("node_selector", {}),
        tolerations=tuple(values.get("tolerations", ())),
    )


def missing_devices(profile: Profile, count: int, root: Path = Path("/")) -> str | None:
    """Why this machine cannot give `count` devices of the profile's kind; None where it can."""
    if not profile.device_files:
        return None
    found = len(list(root.glob(profile.device_files.lstrip("/"))))
    if found >= count:
        return None
    have = f"only {found}" if found else "none"
    return (
        f"device {profile.name}: this machine has {have} of the {count} asked for ({profile.device_files}); "
        "use --device cpu, or submit on a machine that has them"
    )
