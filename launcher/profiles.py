"""Device profiles: what each kind of device is called, how it is seen, and what its processes need. Data, not code.

Ours are in `launcher/profiles/`; a user's own are in `profiles/` of the user's folder and win over ours of that name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from launcher import ascend, environment, states
from launcher import kubernetes_values as syntax
from launcher.errors import SpecError, one_line
from launcher.names import is_taken_label, user_folder
from runfolder import strict_yaml, typed

_OURS = Path(__file__).parent / "profiles"

DEVICE_TARGETS = ("CPU", "GPU", "Ascend")
MSRUN, RANK_TABLE, MPIRUN = "msrun", "rank-table", "mpirun"
STARTS = (MSRUN, RANK_TABLE, MPIRUN)

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+/?")
_FILES = re.compile(r"(/(?!\.{1,2}(/|$)|\*\*)[^/\0]+)+")
_OF_CONTAINERS = ("/tmp", "/dev", "/proc", "/sys")  # noqa: S108  in a pod
"""What a container has of its own."""
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
    """The driver on its nodes, for `kubernetes.driver: host`: files, and folders with a `/` at the end."""
    board: str = ""
    """Key of `ascend.BOARDS`: which devices of a server may work together; empty = no such rule."""
    start: str = MSRUN
    """What starts several ranks: `msrun`, a `rank-table` (one process a rank), or `mpirun`."""
    exit_codes: Mapping[str, str] = field(default_factory=dict)
    """What an exit code of the stage's program means on such devices, as a word of `states.REASONS`."""


KEYS = tuple(field.name for field in fields(Profile) if field.name != "name")


@dataclass(frozen=True)
class Finding:
    """Something wrong, or odd, in the file of a profile."""

    where: str
    """`file:line`, or the file."""
    text: str
    is_error: bool = True


def names(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    return tuple(sorted(files(environment)))


def files(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Of each profile by its name; a user's own in place of ours."""
    folders = (_OURS, user_folder(environment) / "profiles")
    return {path.stem: path for folder in folders for path in folder.glob("*.yaml") if _NAME.fullmatch(path.stem)}


def is_ours(path: Path) -> bool:
    return path.parent == _OURS


def is_built_in(name: str) -> bool:
    """Whether there is one of ours of that name, even if a user's takes its place."""
    return (_OURS / f"{name}.yaml").exists()


def load_profile(name: str, environment: Mapping[str, str] = os.environ) -> Profile:
    """Raises SpecError for a name that no profile has, and with `file:line` for a profile that is wrong."""
    found = files(environment)
    if name not in found:
        hint = strict_yaml.did_you_mean(name, found)
        raise SpecError(f"device must be one of {', '.join(sorted(found))}, not '{name}'{hint}")
    profile, findings = check(found[name])
    if profile is None:
        first = next(finding for finding in findings if finding.is_error)
        raise SpecError(f"{first.where}: {first.text}")
    return profile


def check(path: Path) -> tuple[Profile | None, tuple[Finding, ...]]:
    """The profile in a file, None where it is not one, and all that is to be said of it."""
    try:
        document = strict_yaml.read(path)
    except strict_yaml.StrictYamlError as error:
        place, _, text = str(error).removeprefix(str(path)).partition(": ")
        return None, (Finding(f"{path}{place}", one_line(text)),)
    except OSError as error:
        return None, (Finding(str(path), f"cannot read the profile: {error.strerror}"),)
    values, findings = _read(document)
    if not _NAME.fullmatch(path.stem):
        said = f"'{path.stem}' is no name of a device: lower-case letters, digits and '-', at most 40 characters"
        findings.append(Finding(document.name, one_line(said)))
    if any(finding.is_error for finding in findings):
        return None, tuple(findings)
    image = f"sphereface:{values['device_target'].lower()}"
    return Profile(path.stem, **{"image": image, **values}), (*findings, *_oddities(document, values))


def as_document(profile: Profile) -> dict[str, Any]:
    """The profile as a file would say it, without what is empty."""
    values = {key: getattr(profile, key) for key in KEYS}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {key: value for key, value in plain.items() if value not in ("", [], {})}


def wrong_count(profile: Profile, devices: int) -> str | None:
    """Why so many devices of one server cannot work together; None where they can, or nothing is known of it."""
    board = ascend.BOARDS.get(profile.board)
    if board is None:
        return None
    if board.counts and devices not in board.counts:
        rings = f": up to {board.ring} inside one ring, or all {max(board.counts)}" if board.ring else ""
        return f"of {board.title} {', '.join(map(str, board.counts))} devices of a server can work together{rings}"
    if devices > board.max_device_id + 1:
        return f"a server of {board.title} has {board.max_device_id + 1} devices"
    return None


def missing_devices(profile: Profile, count: int, root: Path = Path("/"), instead: str = "--device cpu") -> str | None:
    """Why this machine cannot give `count` devices of the profile's kind, and what to use `instead`; None where it
    can."""
    if not profile.device_files:
        return None
    found = len(list(root.glob(profile.device_files.lstrip("/"))))
    if found >= count:
        return None
    have = f"only {found}" if found else "none"
    return (
        f"device {profile.name}: this machine has {have} of the {count} asked for ({profile.device_files}); "
        f"use {instead}, or submit on a machine that has them"
    )


def _read(document: strict_yaml.Document) -> tuple[dict[str, Any], list[Finding]]:
    """The values that are right, and what is wrong with the others."""
    values: dict[str, Any] = {}
    findings = []
    for key, raw in document.values.items():
        where = document.where(str(key))
        if key not in KEYS:
            hint = strict_yaml.did_you_mean(str(key), KEYS)
            text = f"unknown key '{key}'{hint}; a profile has {', '.join(KEYS)}"
            findings.append(Finding(where, one_line(text)))
            continue
        faults = list(_faults(document, key, raw))
        findings += faults
        if not faults:
            values[key] = _READERS[key](raw)
    if "device_target" not in document.values:
        text = f"device_target is missing; it is one of {', '.join(DEVICE_TARGETS)}"
        findings.append(Finding(document.name, text))
    return values, findings


def _faults(document: strict_yaml.Document, key: str, raw: Any) -> Iterator[Finding]:
    """Of each entry of a mapping or list, and if none has any, of all together."""
    parts: list[tuple[str, Any]] = []
    if isinstance(raw, dict):
        parts = [(document.where(f"{key}.{name}"), {name: value}) for name, value in raw.items()]
    elif isinstance(raw, list):
        parts = [(document.where(key), [item]) for item in raw]
    faulty = False
    for where, part in [*parts, (document.where(key), raw)]:
        try:
            if not (part is raw and faulty):
                _READERS[key](part)
        except ValueError as error:
            faulty = True
            yield Finding(where, one_line(f"{key} {error}"))


def _oddities(document: strict_yaml.Document, values: Mapping[str, Any]) -> list[Finding]:
    """Of a profile without errors: what reads well and means nothing."""
    found = []
    if values["device_target"] != "Ascend":
        what = f"but device_target is {values['device_target']}"
        if values.get("start") == RANK_TABLE:
            found.append(("start", f"start is {RANK_TABLE}, which MindSpore takes on Ascend only, {what}"))
        if values.get("start") == MPIRUN and values["device_target"] == "CPU":
            found.append(("start", f"start is {MPIRUN}, which MindSpore takes on GPU and Ascend only, {what}"))
        if "board" in values:
            found.append(("board", f"board is {values['board']}, a board of Ascend, {what}"))
    if not values.get("resource"):
        said = "but no resource, so that pods ask for no device"
        found += [(key, f"has {key}, {said}") for key in ("node_selector", "tolerations") if values.get(key)]
    return [Finding(document.where(key), text, is_error=False) for key, text in found]


def _text(raw: Any) -> str:
    return str(typed.value(raw, {"type": "str"}))


def _device_files(raw: Any) -> str:
    text = _text(raw)
    if text and not _FILES.fullmatch(text):
        raise ValueError(f"must be an absolute path with * in names, as /dev/davinci[0-9]*, not {syntax.shown(text)}")
    return text


def _texts(raw: Any) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(isinstance(part, str) for item in raw.items() for part in item):
        raise ValueError("must be a mapping of texts to texts; put numbers in quotes")
    return raw


def _env(raw: Any) -> dict[str, str]:
    for name, value in _texts(raw).items():
        try:
            environment.check(name, value)
        except ValueError as error:
            raise ValueError(f"has {name}, which {error}") from None
    return _texts(raw)


def _selector(raw: Any) -> dict[str, str]:
    for key, text in _texts(raw).items():
        syntax.label_key(key)
        syntax.label_value(text)
    return _texts(raw)


def _labels(raw: Any) -> dict[str, str]:
    for key in _selector(raw):
        if is_taken_label(key):
            raise ValueError(f"has {key}, which the launcher or Kubernetes sets itself")
    return _selector(raw)


def _tolerations(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(taint, str) for taint in raw):
        raise ValueError('must be a list of texts, as in ["gpu=yes:NoSchedule"]')
    for taint in raw:
        syntax.toleration(taint)
    return tuple(raw)


def _mounts(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(path, str) and _PATH.fullmatch(path) for path in raw):
        raise ValueError('must be a list of absolute paths, folders with a "/" at the end, as in ["/usr/local/dcmi/"]')
    paths = [PurePosixPath(path) for path in raw]
    for index, path in enumerate(paths):
        if over := [root for root in _OF_CONTAINERS if path.is_relative_to(root)]:
            raise ValueError(f"has {path}, and a container has a {over[0]} of its own")
        if path in paths[:index]:
            raise ValueError(f"has {path} twice")
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
    "device_files": _device_files,
    "trains": lambda raw: typed.value(raw, {"type": "bool"}),
    "env": _env,
    "resource": lambda raw: syntax.resource_name(_text(raw)) if raw else "",
    "node_selector": _selector,
    "tolerations": _tolerations,
    "image": lambda raw: syntax.image(_text(raw)),
    "labels": _labels,
    "shm": lambda raw: syntax.quantity(_text(raw), low="1Mi"),
    "mounts": _mounts,
    "board": lambda raw: typed.value(raw, {"type": "str", "choices": tuple(ascend.BOARDS)}),
    "start": lambda raw: typed.value(raw, {"type": "str", "choices": STARTS}),
    "exit_codes": _exit_codes,
}
