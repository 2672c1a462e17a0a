"""What a spec takes from the place that it is for: paths as pods see them, the user's templates, sections of others."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from launcher import kubernetes_values as syntax
from launcher import names, spec_keys
from launcher.errors import SpecError
from launcher.profiles import DEVICE_TARGETS, Profile
from launcher.spec import DRIVER_OF_HOST, KubernetesSpec
from launcher.spec_kubernetes import MAX_ANNOTATIONS, SECTION
from runfolder import layout
from runfolder.strict_yaml import did_you_mean

MAX_TEMPLATES = 256 << 10
"""Bytes of all templates of a user together: the plan carries them."""

_MOUNTS = (names.PLAN_MOUNT, "/tmp", "/dev/shm")  # noqa: S108  in a pod
"""What pods mount beside the storage."""
_WITHOUT_PROGRAMS = tuple(f"sphereface:{target.lower()}" for target in DEVICE_TARGETS)
_OF_THE_SYSTEM = ("/dev", "/proc", "/sys")


def pass_over(values: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Without the section of the other backend, and a note about that."""
    foreign = {key: origins[key].partition(":")[0] for key in values if key.startswith(f"{SECTION}.")}
    kept = {key: value for key, value in values.items() if key not in foreign}
    where = ", ".join(dict.fromkeys(foreign.values()))
    return kept, (f"passed over section {SECTION} ({where}): this run is for this machine",) if foreign else ()


def pod_paths(values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """The values with every path as the pods of a cluster see it: absolute, or relative to `storage`.

    Raises SpecError for a path that pods cannot have.
    """
    storage = _storage(values.get("storage", names.CLUSTER_STORAGE), origins.get("storage", "default"))
    found = {**values, "storage": storage}
    for key, value in values.items():
        if not spec_keys.is_input_path(key) or not value:
            continue
        if value.startswith("~"):
            raise SpecError(f"{origins[key]}: {key}: pods have no {value}; {_SEEN.format(storage)}")
        path = posixpath.normpath(posixpath.join(storage, value))
        if not posixpath.isabs(value) and not PurePosixPath(path).is_relative_to(storage):
            raise SpecError(f"{origins[key]}: {key}: {value} leads out of the claim; {_SEEN.format(storage)}")
        found[key] = path
    return found


def check_cluster(kubernetes: KubernetesSpec, origins: Mapping[str, str]) -> None:
    """Keys of the section that need each other. Raises SpecError."""
    if syntax.amount(kubernetes.shm) > syntax.amount(kubernetes.memory):
        where = origins.get(f"{SECTION}.shm") or origins.get(f"{SECTION}.memory", "default")
        raise SpecError(
            f"{where}: kubernetes.shm ({kubernetes.shm}) is a part of kubernetes.memory ({kubernetes.memory}) and "
            "cannot be more; raise memory or lower shm"
        )
    if sum(len(f"{key}{text}".encode()) for key, text in kubernetes.annotations.items()) > MAX_ANNOTATIONS:
        raise SpecError(f"kubernetes.annotations have more than {MAX_ANNOTATIONS} bytes together")


def check_image(kubernetes: KubernetesSpec, stages: Sequence[str], origins: Mapping[str, str]) -> None:
    """Raises SpecError where infer310 would get an image of ours that nobody chose and that lacks its programs."""
    origin = origins.get(f"{SECTION}.image", "default")
    chosen = not origin.startswith("profile ") or kubernetes.image not in _WITHOUT_PROGRAMS
    if layout.INFER310 in stages and not chosen:
        raise SpecError(
            f"{origin}: kubernetes.image is {kubernetes.image}, which lacks the C++ programs that infer310 needs; "
            "docker/infer310/Dockerfile adds them to it: build that, and name it by --image"
        )


def check_driver(
    kubernetes: KubernetesSpec, profiles: Sequence[Profile], storage: str, origins: Mapping[str, str]
) -> None:
    """Raises SpecError for a driver that no profile of the stages says where to find, or that would lie over the
    storage."""
    if kubernetes.driver != DRIVER_OF_HOST:
        return
    where = f"{origins.get(f'{SECTION}.driver', 'default')}: kubernetes.driver is {kubernetes.driver}"
    if not any(profile.mounts for profile in profiles):
        raise SpecError(
            f"{where}, but device {profiles[0].name} has no paths of a driver; leave driver out, or name them under "
            "mounts of a profile of your own"
        )
    for path in (PurePosixPath(path) for profile in profiles for path in profile.mounts):
        if path.is_relative_to(storage) or PurePosixPath(storage).is_relative_to(path):
            raise SpecError(f"{where}, and {path} of the node would lie over the storage, {storage}; choose another")


def read_templates(folder: Path, origin: str) -> dict[str, str]:
    """The user's templates by file name. Raises SpecError for a file that is none, as far as its name says."""
    from launcher import templates

    where = f"{origin}: kubernetes.templates"
    known = templates.our_names()
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".j2", ".yaml", ".yml"))
        for file in files:
            if file.name not in known:
                hint = did_you_mean(file.name, known)
                raise SpecError(f"{where}: {folder} has no use for {file.name}{hint}; there are {', '.join(known)}")
        texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    except OSError as error:
        raise SpecError(f"{where}: cannot read {folder}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{where}: {folder} has a template that is not UTF-8 text") from None
    if not texts:
        raise SpecError(f"{where}: {folder} has none of {', '.join(known)}")
    if sum(len(text.encode()) for text in texts.values()) > MAX_TEMPLATES:
        raise SpecError(f"{where}: the templates in {folder} have more than {MAX_TEMPLATES >> 10} KiB together")
    return texts


_SEEN = "they see the claim at {0}, and relative paths are relative to that"


def _storage(value: str, origin: str) -> str:
    if not posixpath.isabs(value):
        raise SpecError(
            f"{origin}: storage must be an absolute path on a cluster, the one at which pods see the claim, as "
            f"{names.CLUSTER_STORAGE}, not {syntax.shown(value)}"
        )
    path = PurePosixPath(posixpath.normpath("/" + value.lstrip("/")))
    crossed = [mount for mount in _MOUNTS if PurePosixPath(mount).is_relative_to(path)]
    crossed += [root for root in _OF_THE_SYSTEM if path.is_relative_to(root)]
    if crossed:
        raise SpecError(
            f"{origin}: storage cannot be {path}, where pods have {crossed[0]}; take {names.CLUSTER_STORAGE}"
        )
    if ":" in value:
        raise SpecError(f"{origin}: storage cannot hold ':' on a cluster: {syntax.shown(value)}")
    return str(path)
