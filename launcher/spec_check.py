"""Keys of a spec that need each other: those of train; checkpoints, networks, models down the chain; data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher import infer310
from launcher.errors import SpecError
from launcher.plan import INHERITED, stage_values
from launcher.spec import RunSpec
from launcher.spec_keys import stage_schema
from runfolder import layout, typed

_FOLLOWERS = (layout.EVALUATE, layout.EXPORT)

FOLLOWING = frozenset(f"{stage}.{key}" for stage in _FOLLOWERS for key in ("ckpt_files", *INHERITED))
"""Keys that evaluate and export take over from train where it runs before them."""
MODEL = f"{layout.INFER310}.mindir_path"
"""What infer310 takes over from export where that runs before it."""

_SYNTH = "`sphereface synth DIR` makes synthetic faces to begin with"


def check_followers(merged: Mapping[str, Any], explicit: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """With train in the chain: its keys fit together, and nobody takes another checkpoint or network than its own.

    `explicit` leaves out what a `config:` file spread over the stages, which holds keys of all of them. Raises
    SpecError.
    """
    _check_train(merged, origins)
    for key in sorted(FOLLOWING & explicit.keys()):
        stage, _, name = key.partition(".")
        if name == "ckpt_files":
            raise SpecError(
                f"{origins[key]}: {key} cannot be chosen where train runs before {stage}, which takes the checkpoint "
                "that train writes; leave the key out, or leave train out of stages"
            )
        trained = merged.get(f"train.{name}", stage_schema()[name]["default"])
        if explicit[key] != trained:
            raise SpecError(
                f"{origins[key]}: {key} is {_shown(explicit[key])} but train.{name} is {_shown(trained)}, and {stage} "
                f"takes the network that train writes; leave {key} out"
            )


def check_model(explicit: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """With export before infer310: nobody gives it another model. `explicit` as above. Raises SpecError."""
    if MODEL in explicit:
        raise SpecError(
            f"{origins[MODEL]}: {MODEL} cannot be chosen where export runs before infer310, which takes the model that "
            "export writes; leave the key out, or leave export out of stages"
        )


def check_nodes(spec: RunSpec, origins: Mapping[str, str]) -> None:
    """Raises SpecError for several pods where there are none, or nothing for them to do."""
    if spec.nodes == 1:
        return
    where = origins.get("nodes", "default")
    if spec.kubernetes is None:
        raise SpecError(
            f"{where}: nodes is {spec.nodes}, but this machine is one; use --backend kubernetes, or leave nodes out"
        )
    if "train" not in spec.stages:
        raise SpecError(f"{where}: nodes is {spec.nodes}, but only train runs in several pods; leave nodes out")


def check_inputs(spec: RunSpec) -> None:
    """Each stage is told where its data is; whether it is there is not looked at. Raises SpecError."""
    if "train" in spec.stages and not spec.train.get("train_img_dir"):
        also = " (train.train_data_dir alone is only the list)" if spec.train.get("train_data_dir") else ""
        raise SpecError(
            f"no training data{also}: set train.train_img_dir to a folder per person or a packed file, or to the "
            f"images of the list in train.train_data_dir; {_SYNTH}"
        )
    for stage in (layout.EVALUATE, layout.INFER310):
        absent = [f"{stage}.{key}" for key in infer310.SHARED if not stage_values(spec, stage).get(key)]
        if stage in spec.stages and absent:
            raise SpecError(
                f"nothing to evaluate on: set {', '.join(absent)} (landmark list, pairs, images), "
                f"or leave {stage} out of stages; {_SYNTH}"
            )
    if layout.INFER310 in spec.stages and layout.EXPORT not in spec.stages and not spec.infer310.get("mindir_path"):
        raise SpecError(
            f"no model: infer310 without export before it needs {MODEL}, a file that export wrote by file_format LITE"
        )
    for stage in _FOLLOWERS:
        if stage in spec.stages and layout.TRAIN not in spec.stages and not stage_values(spec, stage).get("ckpt_files"):
            raise SpecError(
                f"no checkpoint: {stage} without train before it needs {stage}.ckpt_files, a checkpoint or a folder "
                "of them (its newest is taken)"
            )


def _check_train(merged: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """What sphereface would refuse at the start of the stage, said already now."""
    prefix = f"{layout.TRAIN}."
    values = {key.removeprefix(prefix): value for key, value in merged.items() if key.startswith(prefix)}
    try:
        typed.check_together(values, stage_schema(), prefix)
    except typed.RuleError as error:
        where = next(origins[prefix + key] for key in error.keys if prefix + key in origins)
        raise SpecError(f"{where}: {error}") from None


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
