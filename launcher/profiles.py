"""Device profiles: what each kind of device is called, how it is seen, and what its processes need. Data, not code.

Ours are in `launcher/profiles/`; a user's own are in `profiles/` of the user's folder and win over ours of that name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from launcher import ascend, states
from launcher import kubernetes_values as syntax
from launcher.errors import SpecError
from launcher.names import user_folder
from runfolder import strict_yaml, typed

_OURS = Path(__file__).parent / "profiles"

DEVICE_TARGETS = ("CPU", "GPU", "Ascend")
MSRUN, RANK_TABLE, MPIRUN = "msrun", "rank-table", "mpirun"
STARTS = (MSRUN, RANK_TABLE, MPIRUN)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PATH = re.compile(r"/[A-Za-z0-9._/-]*[A-Za-z0-9._-]")
_LAST_EXIT_CODE = 255


@dataclass(frozen=True)
class Profile:
    """One kind of device, read from `profiles/NAME.yaml`, whose keys are these fields but for the name."""

    name: str
    device_target: str
    """What MindSpore calls it: CPU, GPU or Ascend."""
    device_files: str = ""
    """Glob of the files that its driver makes, one a device; empty = always there, as many as wanted."""
    trains: bool = True
    """False: made for inference, MindSpore does not train on it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of every stage on this device; the spec's own `env` wins."""
    resource: str = ""
    """What a pod asks a cluster for, so many a device (`huawei.com/Ascend910`); empty = nothing."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes that have such devices; the spec's own win."""
    tolerations: tuple[str, ...] = ()
    """Taints that such nodes carry, as `kubectl taint` writes them; the spec's own are added."""
    image: str = ""
    """Image for such devices where the spec names none; by default ours for the target (`docker/`)."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels that schedulers and operators of such devices want on the pods of a stage."""
    shm: str = ""
    """Size of a pod's /dev/shm where the spec names none; empty = the spec's own default."""
    mounts: tuple[str, ...] = ()
    """Paths of the driver on its nodes, for `kubernetes.driver: host`; usually a container runtime brings them."""
    board: str = ""
    """Key of `ascend.BOARDS`: which devices of a server may work together; empty = no such rule."""
    start: str = MSRUN
    """What starts several ranks: `msrun`, a `rank-table` (one process a rank), or `mpirun`."""
    exit_codes: Mapping[str, str] = field(default_factory=dict)
    """What an exit code of the stage's program means on such devices, as a word of `states.REASONS`."""


KEYS = tuple(field.name for field in fields(Profile) if field.name != "name")


def names(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    return tuple(sorted(_files(environment)))


def load_profile(name: str, environment: Mapping[str, str] = os.environ) -> Profile:
    """Raises SpecError for a name that no profile has, and with `file:line` for a profile that is wrong."""
    files = _files(environment)
    if name not in files:
        hint = strict_yaml.did_you_mean(name, files)
        raise SpecError(f"device must be one of {', '.join(sorted(files))}, not '{name}'{hint}")
    try:
        document = strict_yaml.read(files[name])
    except strict_yaml.StrictYamlError as error:
        raise SpecError(str(error)) from None
    except OSError as error:
        raise SpecError(f"{files[name]}: cannot read the profile: {error.strerror}") from None
    return _profile(name, document)


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


def _files(environment: Mapping[str, str]) -> dict[str, Path]:
    folders = (_OURS, user_folder(environment) / "profiles")
    return {path.stem: path for folder in folders for path in folder.glob("*.yaml") if _NAME.fullmatch(path.stem)}


def _profile(name: str, document: strict_yaml.Document) -> Profile:
    values: dict[str, Any] = {}
    for key, raw in document.values.items():
        if key not in KEYS:
            hint = strict_yaml.did_you_mean(str(key), KEYS)
            raise SpecError(f"{document.where(str(key))}: unknown key '{key}'{hint}; a profile has {', '.join(KEYS)}")
        try:
            values[key] = _READERS[key](raw)
        except ValueError as error:
            raise SpecError(f"{document.where(key)}: {key} {error}") from None
    if "device_target" not in values:
        raise SpecError(f"{document.name}: device_target is missing; it is one of {', '.join(DEVICE_TARGETS)}")
    image = f"sphereface:{values['device_target'].lower()}"
    return Profile(name, **{"image": image, **values})


def _text(raw: Any) -> str:
    return str(typed.value(raw, {"type": "str"}))


def _texts(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(part, str) for item in raw.items() for part in item):
        raise ValueError("must be a mapping of texts to texts; put numbers in quotes")
    return raw


def _env(raw: Any) -> dict[str, str]:
    for name in _texts(raw):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"has a name that no environment variable has: '{name}'")
    return _texts(raw)


def _selector(raw: Any) -> dict[str, str]:
    for key, text in _texts(raw).items():
        syntax.label_key(key)
        syntax.label_value(text)
    return _texts(raw)


def _tolerations(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(taint, str) for taint in raw):
        raise ValueError('must be a list of texts, as in ["gpu=yes:NoSchedule"]')
    for taint in raw:
        syntax.toleration(taint)
    return tuple(raw)


def _mounts(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(path, str) and _PATH.fullmatch(path) for path in raw):
        raise ValueError('must be a list of absolute paths, as in ["/usr/local/Ascend/driver"]')
    return tuple(raw)


def _exit_codes(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict):
        raise ValueError('must be a mapping of exit codes to reasons, as in {"137": OOMKilled}')
    codes = {str(code): word for code, word in raw.items()}
    for code, word in codes.items():
        if not code.isdecimal() or not 1 <= int(code) <= _LAST_EXIT_CODE:
            raise ValueError(f"has '{code}', which is no exit code of a failure (1 to {_LAST_EXIT_CODE}, in quotes)")
        if word not in states.REASONS:
            hint = strict_yaml.did_you_mean(str(word), states.REASONS)
            raise ValueError(f"gives exit code {code} the reason '{word}', which is none{hint}")
    return codes


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "device_target": lambda raw: typed.value(raw, {"type": "str", "choices": DEVICE_TARGETS}),
    "device_files": _text,
    "trains": lambda raw: typed.value(raw, {"type": "bool"}),
    "env": _env,
    "resource": lambda raw: syntax.resource_name(_text(raw)) if raw else "",
    "node_selector": _selector,
    "tolerations": _tolerations,
    "image": lambda raw: syntax.image(_text(raw)),
    "labels": _selector,
    "shm": lambda raw: syntax.quantity(_text(raw), low="1Mi"),
    "mounts": _mounts,
    "board": lambda raw: typed.value(raw, {"type": "str", "choices": tuple(ascend.BOARDS)}),
    "start": lambda raw: typed.value(raw, {"type": "str", "choices": STARTS}),
    "exit_codes": _exit_codes,
}
