"""A training run in this process: network, head, optimiser, and the step that they have reached.

The state of a run is the number of its step, the weights and their momenta, and where it has changed its global batch,
if ever (its course); learning rate, annealing, order of the images and their augmentation are functions of these. So a
run that was interrupted anywhere and resumed ends, on a
CPU, with the same bits as one that was not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphereface import checkpoint
from sphereface.checkpoint import Checkpoint
from sphereface.config import Config
from sphereface.course import META, Course
from sphereface.data import FaceSet
from sphereface.elastic import Change, Shares, go_on
from sphereface.errors import CheckpointError, ConfigError
from sphereface.margin import Head
from sphereface.model import SphereNet
from sphereface.runtime import Ranks, require_agreement
from sphereface.step import AccumulatedStep, Loss, TrainStep

log = logging.getLogger(__name__)

_MUST_MATCH = {
    "net": "net",
    "conv_bias": "conv_bias",
    "num_classes": "num_classes",
    "margin": "margin",
    "freeze": "freeze",
    "classes": "identities with digest",
}
"""Keys of `describe` that a resume must find as they were, and how a message names them."""


@dataclass
class Run:
    """What is trained, and `step`, the number of steps done since its beginning."""

    config: Config
    ranks: Ranks
    course: Course
    meta: dict[str, Any]
    network: SphereNet
    head: Head
    train_step: TrainStep | AccumulatedStep
    step: int = 0
    change: Change | None = None
    """That the run goes on with other ranks or another batch than before."""

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.course.steps

    @property
    def output(self) -> Path:
        return Path(self.config.output)

    @property
    def saves(self) -> bool:
        """Whether this rank writes checkpoints."""
        return self.ranks.is_master or not self.config.is_save_on_master

    @property
    def parameters(self) -> list[Any]:
        return [*self.network.get_parameters(), *self.head.get_parameters()]

    def save(self) -> None:
        """Writes the checkpoint of this step, and only then deletes those that are too many."""
        epoch, steps = self.course.position(self.step)
        folder, rank = self.config.checkpoint_folder, self.ranks.rank
        weights = {parameter.name: parameter.asnumpy() for parameter in self.parameters}
        moments = {moment.name.removeprefix(checkpoint.MOMENTS): moment.asnumpy() for moment in self.train_step.moments}
        meta = {**self.meta, "epoch": epoch, "step": self.step}
        checkpoint.save(folder / checkpoint.file_name(rank, epoch, steps), Checkpoint(weights, moments, meta))
        checkpoint.prune(folder, rank, self.config.keep_checkpoint_max)


def prepare(config: Config, ranks: Ranks, faces: FaceSet) -> Run:
    """A run at its starting point: new, from a pretrained file, or where an earlier process stopped.

    Raises ConfigError, CheckpointError.
    """
    folder = config.checkpoint_folder
    shares = Shares.of(config, ranks.size)
    meta = describe(config, shares, faces)
    latest = _latest(config, folder, meta)
    course, change = Course.begin(len(faces), shares.batch, config.max_epoch), None
    if latest is not None:
        course, change = go_on(latest.path, latest.meta, config, shares, len(faces))
    network = SphereNet(config.net, config.conv_bias, config.seed)
    head = Head(config, faces.num_classes)
    if config.train_pretrained and latest is None:
        _start_from(Path(config.train_pretrained), config, network, head)
    for parameter in _frozen(config, network):
        parameter.requires_grad = False
    make = TrainStep if config.accumulate_steps == 1 else AccumulatedStep
    train_step = make(Loss(network, head, config.amp), config, ranks.size)
    run = Run(config, ranks, course, meta | {META: course.as_meta()}, network, head, train_step, change=change)
    if latest is not None:
        checkpoint.assign(latest.path, run.parameters, latest.weights)
        checkpoint.assign(latest.path, train_step.moments, latest.moments, checkpoint.MOMENTS)
        run.step = latest.meta["step"]
        log.info("resuming from %s: step %d of %d", latest.path, run.step, run.steps)
    require_agreement(ranks, run.step)
    if run.saves:
        _make_writable(folder)
        checkpoint.sweep(folder, ranks.rank)
    return run


def describe(config: Config, shares: Shares, faces: FaceSet) -> dict[str, Any]:
    """What a checkpoint says of its run, beside its course; `epoch` (from 1) and `step` (of the whole run) are added
    at each save.
    """
    settings = dataclasses.asdict(config)
    del settings["given"]
    return {
        "net": config.net,
        "conv_bias": config.conv_bias,
        "num_classes": faces.num_classes,
        "classes": hashlib.sha256("\n".join(faces.names).encode()).hexdigest()[:16],
        "margin": config.margin,
        "freeze": ",".join(sorted(config.frozen_parts)),
        "seed": config.seed,
        "steps_per_epoch": len(faces) // shares.batch,
        "global_batch": shares.batch,
        "ranks": shares.ranks,
        "config": settings,
    }


def _latest(config: Config, folder: Path, meta: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint to go on from, if there is one. Raises ConfigError, CheckpointError where it must not be used."""
    found = checkpoint.listed(folder, 0)
    if not found:
        return None
    if not config.resume:
        raise ConfigError(
            f"{folder}: holds checkpoints of an earlier run ({found[-1].name}), but resume is false; "
            "give another output (or save_ckpt_path)"
        )
    saved = checkpoint.read(checkpoint.newest(folder))
    for key, word in _MUST_MATCH.items():
        if saved.meta.get(key) != meta[key]:
            raise CheckpointError(
                f"{saved.path}: cannot resume: it was trained with {word} {saved.meta.get(key)}, this run has "
                f"{meta[key]}; mend the configuration, or give another output (or save_ckpt_path)"
            )
    return saved


def _start_from(path: Path, config: Config, network: SphereNet, head: Head) -> None:
    """Weights of a pretrained file, ours or the zoo's, and its head unless a new one is wanted."""
    pretrained = checkpoint.read(checkpoint.newest(path))
    path = pretrained.path
    net, bias, classes = checkpoint.architecture(pretrained)
    if (net, bias) != (config.net, config.conv_bias):
        raise CheckpointError(
            f"{path}: holds {net} with conv_bias {str(bias).lower()}, "
            f"but net is {config.net} with conv_bias {str(config.conv_bias).lower()}"
        )
    if not config.new_head and classes != head.num_classes:
        theirs = "no head" if classes is None else f"a head for {classes} identities"
        raise CheckpointError(
            f"{path}: has {theirs}, the training data has {head.num_classes}; set new_head to start a new head"
        )
    checkpoint.assign(path, network.get_parameters(), pretrained.weights)
    if not config.new_head:
        checkpoint.assign(path, head.get_parameters(), pretrained.weights)
    log.info("starting from the weights of %s%s", path, ", with a new head" if config.new_head else "")


def _frozen(config: Config, network: SphereNet) -> list[Any]:
    """Parameters of the stages that `freeze` names."""
    prefixes: list[str] = []
    for part in config.frozen_parts:
        prefixes += ["fc5."] if part == "fc5" else [f"conv{part}_", f"relu{part}_"]
    return [parameter for parameter in network.get_parameters() if parameter.name.startswith(tuple(prefixes))]


def _make_writable(folder: Path) -> None:
    """Finds out now, not at the first checkpoint, that the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot make this folder: {error.strerror}; give another output") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: not writable; mend its permissions or give another output")
