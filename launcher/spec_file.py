"""From what a user wrote to a RunSpec: defaults, files, `--set` and flags, with the origin of every value.

Later wins: defaults < a `config:` file < the user's config < the spec file (or `launcher.yaml` of the folder) <
LAUNCHER_STORAGE < `--set` < flags. Relative paths in a file are relative to it, those in flags to the folder; for a
cluster (`launcher.spec_place`) all are relative to `storage` as its pods see it.
Without a name a run is called after its spec file, and "sphereface" without one (or from a launcher.yaml).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher import infer310, names, spec_check, spec_keys, spec_kubernetes, spec_place
from launcher.backends import Place
from launcher.errors import SpecError, one_line
from launcher.plan import Plan, flat
from launcher.profiles import Profile, load_profile
from launcher.spec import DEFAULT_STAGES, KubernetesSpec, Resolved, RunSpec, StagePolicy
from runfolder import layout, strict_yaml

DEFAULT_NAME = "sphereface"

THIS_MACHINE = Place("local")

_SECTIONS_WITHIN = tuple(f"{spec_kubernetes.SECTION}.{name}" for name in spec_kubernetes.MAPS)


@dataclass(frozen=True)
class _Layer:
    """Converted values by dotted key, and each one's origin."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()


def user_config_path(environment: Mapping[str, str]) -> Path:
    return names.user_folder(environment) / names.SPEC_FILE


def resolve(
    spec_path: Path | None,
    flags: Mapping[str, Any],
    sets: Sequence[str],
    *,
    folder: Path,
    user_config: Path,
    environment: Mapping[str, str],
    place: Place = THIS_MACHINE,
    complete: bool = True,
) -> Resolved:
    """`flags` by key (`name`, `kubernetes.image`, …; None = not given), `folder` the working directory. Not `complete`:
    what the stages need to read may still be missing.

    Raises SpecError with `file:line`, or the flag, and the key.
    """
    folder = folder.absolute()
    reader = _Reader(folder, environment, place)
    own = folder / (spec_path or names.SPEC_FILE)
    has_own = spec_path is not None or own.exists()
    files = [reader.spec(path) for path in (user_config, own) if (path is own and has_own) or path.exists()]
    explicit = _merge([*files, reader.environment_layer(), reader.sets(sets), reader.flags(flags)])
    lowest = _Layer({}, {})
    if "config" in explicit.values:
        lowest = reader.config(Path(explicit.values["config"]), explicit.origins["config"])
    if "name" not in explicit.values:
        name, origin = _default_name(own if has_own else None)
        lowest = _merge([lowest, _Layer({"name": name}, {"name": origin})])
    defaults = _Layer(
        {key: value for key, (value, _) in place.defaults.items()},
        {key: origin for key, (_, origin) in place.defaults.items()},
    )
    resolved = _resolved(_for_place(_merge([defaults, lowest, explicit]), place), explicit, folder, place)
    if complete:
        spec_check.check_inputs(resolved.spec)
    return resolved


def resolve_storage(
    flag: str | None, *, folder: Path, user_config: Path, environment: Mapping[str, str]
) -> tuple[Path, str]:
    """Where verbs other than `submit` look for runs, and the origin of that. Other keys of the files are not read."""
    folder = folder.absolute()
    reader = _Reader(folder, environment)
    layers = [reader.spec(path, only="storage") for path in (user_config, folder / names.SPEC_FILE) if path.exists()]
    merged = _merge([*layers, reader.environment_layer(), reader.flags({"storage": flag})])
    return Path(merged.values.get("storage", folder)), merged.origins.get("storage", "default")


def resolve_namespace(*, folder: Path, user_config: Path) -> str:
    """Where verbs other than `submit` look for runs on a cluster, as the files say it; "": nothing is said."""
    reader = _Reader(folder.absolute(), {})
    paths = (user_config, folder / names.SPEC_FILE)
    layers = [reader.spec(path, only=spec_kubernetes.SECTION) for path in paths if path.exists()]
    return str(_merge(layers).values.get(f"{spec_kubernetes.SECTION}.namespace", ""))


def missing_inputs(plan: Plan) -> list[str]:
    """Input paths of the plan that this machine does not have, one line each. Touches the file system.

    None for a cluster, whose pods alone see them.
    """
    lines: list[str] = []
    if plan.kubernetes is not None:
        return lines
    for key, value in plan.spec.items():
        if key.rpartition(".")[2] in spec_keys.PATH_KEYS and value and not Path(value).exists():
            lines.append(f"{key}: {value} does not exist")
    return lines


class _Reader:
    """Turns each source into a layer; knows what relative paths are relative to."""

    def __init__(self, folder: Path, environment: Mapping[str, str], place: Place = THIS_MACHINE) -> None:
        self._folder = folder
        self._environment = environment
        self._place = place

    def spec(self, path: Path, only: str | None = None) -> _Layer:
        document = self._read(path, "spec file")
        flattened = _flatten(document, only)
        return self._layer(flattened, document.where, path.parent)

    def config(self, path: Path, origin: str) -> _Layer:
        """A YAML file of sphereface: each key goes to the stages that read it."""
        document = self._read(path, f"configuration ({origin})")
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        passed_over = []
        for key, raw in document.values.items():
            where = document.where(str(key))
            converted = _located(where, spec_keys.sphereface_value, str(key), raw)
            if key in spec_keys.LAUNCHER_SETS:
                passed_over.append(key)
                continue
            for stage in spec_keys.stage_schema()[key]["stages"]:
                values[f"{stage}.{key}"] = self._path(f"{stage}.{key}", converted, path.parent)
                origins[f"{stage}.{key}"] = where
        note = f"{document.name}: passed over what the launcher sets itself: {', '.join(passed_over)}"
        return _Layer(values, origins, (note,) if passed_over else ())

    def environment_layer(self) -> _Layer:
        storage = self._environment.get(names.ENV_STORAGE) if self._place.here else None
        return self._layer({"storage": storage} if storage else {}, lambda _: names.ENV_STORAGE, self._folder)

    def sets(self, sets: Sequence[str]) -> _Layer:
        values = {}
        for given in sets:
            key, equals, value = given.partition("=")
            if not equals or not key.strip():
                raise SpecError(one_line(f"flag --set {given}: must be KEY=VALUE, as in train.lr=0.1"))
            values[key.strip()] = value
        return self._layer(values, lambda key: f"flag --set {key}", self._folder)

    def flags(self, flags: Mapping[str, Any]) -> _Layer:
        given = {key: value for key, value in flags.items() if value is not None}
        return self._layer(given, lambda key: f"flag --{key.rpartition('.')[2]}", self._folder)

    def _layer(self, raw: Mapping[str, Any], where: Callable[[str], str], base: Path) -> _Layer:
        values = {}
        for key, value in raw.items():
            values[key] = self._path(key, _located(where(key), spec_keys.convert, key, value), base)
        return _Layer(values, {key: where(key) for key in values})

    def _path(self, key: str, value: Any, base: Path) -> Any:
        of_pods = key == "storage" or spec_keys.is_input_path(key)
        is_path = key in ("config", "kubernetes.templates") or (of_pods and self._place.base is None)
        if not is_path or not value:
            return value
        if value == "~" or value.startswith("~/"):
            value = self._environment.get("HOME", "~") + value[1:]
        return os.path.normpath(self._folder / base / value)

    def _read(self, path: Path, what: str) -> strict_yaml.Document:
        shown = str(path.relative_to(self._folder)) if path.is_relative_to(self._folder) else str(path)
        try:
            document = strict_yaml.read(path)
        except strict_yaml.StrictYamlError as error:
            raise SpecError(str(error).replace(str(path), shown, 1)) from None
        except OSError as error:
            raise SpecError(f"{shown}: cannot read the {what}: {error.strerror}") from None
        return strict_yaml.Document(document.values, document.lines, shown)


def _flatten(document: strict_yaml.Document, only: str | None) -> dict[str, Any]:
    """Dotted keys of a spec document; an empty section is no key at all."""
    values: dict[str, Any] = {}
    for top, value in document.values.items():
        key = str(top)
        if only is not None and key != only:
            continue
        if "." in key:
            words = f"key '{key}' must be written as a section: '{key.split('.')[0]}:'"
            raise SpecError(one_line(f"{document.where(key)}: {words}"))
        if key in spec_keys.SECTIONS:
            values |= _flatten_section(document, key, value)
        else:
            values[key] = value
    return values


def _flatten_section(document: strict_yaml.Document, name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SpecError(one_line(f"{document.where(name)}: {name} must be a mapping of keys to values, not {value!r}"))
    values: dict[str, Any] = {}
    for key, item in value.items():
        full = f"{name}.{key}"
        if name == "policy" or full in _SECTIONS_WITHIN:
            values |= _flatten_section(document, full, item)
        else:
            values[full] = item
    return values


def _located(where: str, convert: Callable[[str, Any], Any], key: str, raw: Any) -> Any:
    try:
        return convert(key, raw)
    except ValueError as error:
        raise SpecError(one_line(f"{where}: {error}")) from None


def _merge(layers: Sequence[_Layer]) -> _Layer:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    notes: list[str] = []
    for layer in layers:
        values |= layer.values
        origins |= layer.origins
        notes += layer.notes
    return _Layer(values, origins, tuple(notes))


def _for_place(merged: _Layer, place: Place) -> _Layer:
    if spec_kubernetes.SECTION not in place.sections:
        values, notes = spec_place.pass_over(merged.values, merged.origins)
        return _Layer(values, merged.origins, (*merged.notes, *notes))
    profile = load_profile(merged.values.get("device", RunSpec.device))
    stages = merged.values.get("stages", DEFAULT_STAGES)
    of_profile = spec_kubernetes.of_profile(profile, stages)
    said = {f"{spec_kubernetes.SECTION}.{key}": value for key, value in of_profile.items()}
    merged = _merge([_Layer(said, dict.fromkeys(said, f"profile {profile.name}")), merged])
    return _Layer(spec_place.pod_paths(merged.values, merged.origins), merged.origins, merged.notes)


def _kubernetes(values: Mapping[str, Any], origins: Mapping[str, str]) -> KubernetesSpec:
    key = f"{spec_kubernetes.SECTION}.templates"
    own = spec_place.read_templates(Path(values[key]), origins[key]) if key in values else {}
    made = spec_kubernetes.make(_section(values, spec_kubernetes.SECTION), own)
    spec_place.check_cluster(made, origins)
    return made


def _default_name(spec_path: Path | None) -> tuple[str, str]:
    """The name of a run that was given none, and its origin."""
    if spec_path is None or spec_path.name == names.SPEC_FILE:
        return DEFAULT_NAME, "default"
    name = re.sub(r"[^a-z0-9]+", "-", spec_path.stem.lower()).strip("-")
    if not names.is_run_name(name):
        raise SpecError(f"{spec_path.name}: its own name does not make a run's name; give one with name: or --name")
    return name, f"file name {spec_path.name}"


def _resolved(merged: _Layer, explicit: _Layer, folder: Path, place: Place) -> Resolved:
    stages: tuple[str, ...] = merged.values.get("stages", DEFAULT_STAGES)
    values = dict(merged.values)
    if stages[0] == layout.TRAIN:
        spec_check.check_followers(merged.values, explicit.values, merged.origins)
        values = {key: value for key, value in values.items() if key not in spec_check.FOLLOWING}
    if {layout.EXPORT, layout.INFER310} <= set(stages):
        spec_check.check_model(explicit.values, merged.origins)
        values.pop(spec_check.MODEL, None)
    taken, origins = infer310.taken_over(values, merged.origins)
    values, origins = values | taken, {**merged.origins, **origins}
    top: dict[str, Any] = {key: values[key] for key in ("device", "devices", "nodes") if key in values}
    sections: dict[str, Any] = {stage: _section(values, stage) for stage in stages}
    spec = RunSpec(
        name=values["name"],
        storage=values.get("storage", str(folder)),
        stages=stages,
        env=_section(values, "env"),
        policy={stage: StagePolicy(**_section(values, f"policy.{stage}")) for stage in stages},
        kubernetes=_kubernetes(values, origins) if spec_kubernetes.SECTION in place.sections else None,
        **top,
        **sections,
    )
    spec_check.check_nodes(spec, origins)
    if spec.kubernetes is not None:
        spec_place.check_image(spec.kubernetes, stages, origins)
        spec_place.check_driver(spec.kubernetes, _profiles(spec), spec.storage, origins)
    return Resolved(spec, {key: _origin(key, origins) for key in flat(spec)}, merged.notes)


def _profiles(spec: RunSpec) -> list[Profile]:
    """Of the devices of its stages."""
    profile = load_profile(spec.device)
    return [profile, *([infer310.profile_of(spec, profile)] if layout.INFER310 in spec.stages else [])]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Each template of a user came from where the folder of all of them is named."""
    templates = f"{spec_kubernetes.SECTION}.templates"
    return origins.get(templates if key.startswith(f"{templates}.") else key, "default")


def _section(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
