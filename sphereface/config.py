"""Every setting of SphereFace: one frozen dataclass, filled from defaults, then a YAML file, then flags.

Keys under "seed" have the names and defaults of the published `sphereface_config.yaml` of the MindSpore model zoo,
so that an old file or command line goes on working. A value may come as text (a flag, or YAML that quotes it): it is
converted to the key's type or refused with one line.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runfolder import strict_yaml, typed
from sphereface.errors import ConfigError

NETS = (
    "sphereface4a",
    "sphereface10a",
    "sphereface20a",
    "sphereface36a",
    "sphereface64a",
    "sphereface64a_caffe",
)
MARGINS = ("asoftmax", "sphereface_r_v1", "sphereface_r_v2", "cosface", "arcface")
SCHEDULES = ("cosine_annealing", "exponential")
ELASTIC = ("keep", "scale")
PROTOCOLS = ("zoo", "paper", "insightface")
FORMATS = ("MINDIR", "LITE", "ONNX", "AIR")
DEVICES = ("CPU", "GPU", "Ascend")
INFER_DEVICES = ("cpu", "ascend310", "ascend310p")
"""Devices of ascend310_infer/src/lite_session.cc."""

EVERY = ("train", "evaluate", "export", "infer310")
NETWORK = ("train", "evaluate", "export")
CHECKPOINT = ("evaluate", "export")
PAIRS = ("evaluate", "infer310")
_URL: dict[str, Any] = {
    "pattern": r"((file|s3|obs)://.+|/.+)?",
    "form": "a URL: file:///folder, s3://bucket/folder, obs://bucket/folder, or /bucket/folder in OBS",
}


def _key(
    default: Any,
    text: str,
    *,
    choices: Sequence[Any] = (),
    low: float | None = None,
    high: float | None = None,
    positive: bool = False,
    stages: tuple[str, ...] = ("train",),
    **more: Any,
) -> Any:
    """A key: its default, help and limits (`more` as `runfolder.typed` has them), and the stages that read it."""
    limits = {"help": text, "choices": tuple(choices), "low": low, "high": high, "positive": positive, "stages": stages}
    return dataclasses.field(default=default, metadata=limits | more)


@dataclass(frozen=True)
class Config:
    # --- seed: device and processes
    device_target: str = _key("CPU", "device kind that computes", choices=DEVICES, stages=NETWORK)
    device_id: int = _key(0, "device of a single process; a launched rank takes DEVICE_ID instead", low=0, stages=EVERY)
    is_distributed: bool = _key(False, "train data-parallel; the launcher and msrun set it by environment")
    rank: int = _key(0, "rank of this process; a launched rank takes RANK_ID instead", low=0)
    group_size: int = _key(1, "number of ranks; a launched rank takes RANK_SIZE instead", low=1)
    # --- seed: network and loss
    net: str = _key("sphereface20a", "network by depth", choices=NETS, stages=NETWORK)
    image_size: str = _key(
        "112, 96", "height, width of the aligned crop", stages=NETWORK,
        pattern=r"[\[(]?\s*112\s*,\s*96\s*[\])]?", form="'112, 96' (the network's fc5 is built for it)",
    )  # fmt: skip
    num_classes: int = _key(0, "identities in the training list; 0 counts them", low=0)
    label_smooth: bool = _key(True, "smooth the labels of the cross-entropy")
    smooth_factor: float = _key(0.15, "mass that label smoothing spreads over the classes", low=0, high=0.99)
    # --- seed: training data
    dataset: str = _key("CASIA-WebFace", "name of the data set, for the log")
    train_data_dir: str = _key("", "CASIA-style landmark list; empty takes train_img_dir as a folder per person")
    train_img_dir: str = _key("", "folder of the images, or a file written by `sphereface pack`")
    # --- seed: optimisation
    lr: float = _key(0.15, "base learning rate", positive=True)
    lr_scheduler: str = _key(
        "cosine_annealing", "cosine_annealing, or exponential = steps at lr_epochs", choices=SCHEDULES
    )
    eta_min: float = _key(0.0, "learning rate at the end of the cosine", low=0)
    T_max: int = _key(0, "epochs of the cosine's half cycle; 0 = max_epoch", low=0)
    max_epoch: int = _key(20, "epochs to train", low=1)
    warmup_epochs: float = _key(0.0, "epochs of linear warm-up from 0", low=0, rules=[{"at_most": "max_epoch"}])
    per_batch_size: int = _key(32, "images a step on each rank; with accumulate_steps, in each micro-batch", low=1)
    weight_decay: float = _key(5e-4, "L2 weight decay of weights; biases and PReLU slopes have none", low=0)
    momentum: float = _key(0.9, "momentum of SGD", low=0, high=0.9999)
    # --- seed: checkpoints
    train_pretrained: str = _key(
        "", "checkpoint to start from (weights only)",
        rules=[{"when": {"new_head": [True]}, "needed": "the checkpoint whose head is replaced"}],
    )  # fmt: skip
    ckpt_interval: int = _key(10000, "save every so many steps, beside the end of each epoch", low=1)
    save_ckpt_path: str = _key("", "folder of the checkpoints; empty = OUTPUT/checkpoints")
    is_save_on_master: bool = _key(True, "only rank 0 saves; false: every rank saves its own file")
    # --- seed: evaluation
    ckpt_files: str = _key("", "checkpoint to judge or export; a folder means its newest", stages=CHECKPOINT)
    datatxt_src: str = _key("", "LFW landmark list", stages=PAIRS)
    pairtxt_src: str = _key("", "LFW pairs.txt", stages=PAIRS)
    datasrc: str = _key("", "folder of the LFW images", stages=PAIRS)
    batch_size: int = _key(32, "images a forward pass in evaluation", low=1, stages=PAIRS)
    # --- seed: export
    file_format: str = _key(
        "MINDIR",
        "formats, comma-separated: MINDIR, LITE (for MindSpore Lite), ONNX, AIR",
        stages=("export",),
        parts=FORMATS,
        required=True,
    )
    file_name: str = _key(
        "sphereface", "name of the exported file, without suffix", stages=("export",),
        pattern=r"[^./][^/]*", form="a plain name without folder, as in 'sphereface'",
    )  # fmt: skip
    # --- seed: inference in C++
    mindir_path: str = _key("", "model that is judged: NAME.lite.mindir of export", stages=("infer310",))
    # --- seed: ModelArts
    enable_modelarts: bool = _key(False, "fetch data and send results by the URLs below", stages=NETWORK)
    data_url: str = _key("", "folder of the data and its archives (file://, s3://, obs://)", stages=NETWORK, **_URL)
    train_url: str = _key("", "folder that checkpoints and results are sent to", stages=NETWORK, **_URL)
    checkpoint_url: str = _key(
        "", "checkpoint, or folder of them: for train_pretrained, ckpt_files", stages=NETWORK, **_URL
    )
    # --- ours: run
    cache_path: str = _key(
        "/cache", "with enable_modelarts: folder on this node's disk for all of that", stages=NETWORK
    )
    output: str = _key(".", "folder that everything is written under", stages=EVERY)
    seed: int = _key(0, "seed of initial weights, order and augmentation", low=0, high=2**31 - 1)
    resume: bool = _key(True, "go on from the newest checkpoint in save_ckpt_path, if there is one")
    log_interval: int = _key(100, "steps between log lines; the last step of an epoch is always logged", low=1)
    keep_checkpoint_max: int = _key(5, "newest checkpoints that are kept; 0 keeps all", low=0)
    # --- ours: network and loss
    conv_bias: bool = _key(False, "bias in every convolution (the PyTorch port); the zoo has none", stages=NETWORK)
    margin: str = _key("asoftmax", "margin loss", choices=MARGINS)
    margin_m: float = _key(
        0.0, "margin; 0 = the loss's own: asoftmax 4, sphereface_r 1.5/1.4, cosface .35, arcface .5", low=0,
        rules=[
            {"when": {"margin": ["asoftmax"]}, "choices": [1, 2, 3, 4]},
            {"when": {"margin": ["sphereface_r_v1", "sphereface_r_v2"]}, "low": 1},  # it multiplies the angle
            {"when": {"margin": ["arcface"]}, "high": 1.5708},  # pi/2: it is added to the angle
        ],
    )  # fmt: skip
    margin_s: float = _key(
        0.0, "scale of the logits; 0 = the loss's own: sphereface_r 30, cosface 64, arcface 64", low=0,
        rules=[{"when": {"margin": ["asoftmax"]}, "unused": "the length of the embedding is the scale"}],
    )  # fmt: skip
    lambda_preset: str = _key("zoo", "annealing of A-Softmax", choices=("zoo", "caffe", "custom"))
    lambda_base: float = _key(1500.0, "lambda at step 0 (preset custom)", low=0)
    lambda_gamma: float = _key(0.1, "decay of lambda a step (preset custom)", low=0)
    lambda_power: float = _key(1.0, "power of the decay (preset custom)", low=0)
    lambda_min: float = _key(5.0, "smallest lambda (preset custom)", low=0)
    # --- ours: data
    drop_lfw_overlap: bool = _key(True, "leave out the three CASIA identities that are in LFW")
    color_jitter: float = _key(0.0, "random brightness and saturation, as in the zoo with 0.4", low=0, high=1)
    data_workers: int = _key(1, "threads that decode and align images", low=1, high=64)
    max_bad_images: float = _key(
        0.01, "share of training images that may be unreadable before training ends", low=0, high=1
    )
    # --- ours: optimisation
    lr_epochs: str = _key(
        "", "epochs at which the exponential schedule steps, as in '10,16'", ascending=True,
        rules=[{"when": {"lr_scheduler": ["exponential"]}, "needed": "as in '10,16'"}],
    )  # fmt: skip
    lr_gamma: float = _key(0.1, "factor of each such step", positive=True, high=1)
    clip_grad_norm: float = _key(0.0, "clip the gradient to this global L2 norm; 0 = off", low=0)
    amp: bool = _key(False, "float16 convolutions with float32 head and loss (Ascend, GPU)")
    loss_scale: float = _key(1024.0, "fixed loss scale with amp", positive=True)
    # --- ours: number of devices
    accumulate_steps: int = _key(
        1, "micro-batches a step on each rank; their mean gradient is applied once", low=1, high=64
    )
    elastic_batch: str = _key(
        "keep", "resume with another global batch: keep refuses it, scale goes on and scales lr by new/old",
        choices=ELASTIC,
    )  # fmt: skip
    # --- ours: transfer learning
    new_head: bool = _key(False, "train_pretrained: leave its classification head, start a new one")
    freeze: str = _key(
        "", "stages whose weights stay as they are, as in '1,2' (of 1..4), and 'fc5'", parts=("1", "2", "3", "4", "fc5")
    )
    # --- ours: inference in C++
    infer_device: str = _key("cpu", "device of MindSpore Lite", choices=INFER_DEVICES, stages=("infer310",))
    # --- ours: evaluation
    protocol: str = _key("zoo", "how pairs are judged", choices=PROTOCOLS, stages=("evaluate",))

    given: frozenset[str] = dataclasses.field(default=frozenset(), repr=False, compare=False)
    """Keys that a file or a flag named, unlike those that stand at their default."""

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.file_format.split(",") if part.strip())

    @property
    def lr_steps(self) -> tuple[float, ...]:
        """Epochs at which the exponential schedule steps, ascending."""
        return tuple(float(part) for part in self.lr_epochs.split(",") if part.strip())

    @property
    def frozen_parts(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.freeze.split(",") if part.strip())

    @property
    def checkpoint_folder(self) -> Path:
        return Path(self.save_ckpt_path) if self.save_ckpt_path else Path(self.output) / "checkpoints"


KEYS: Mapping[str, dataclasses.Field[Any]] = {
    field.name: field for field in dataclasses.fields(Config) if field.name != "given"
}
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}


def type_of(key: str) -> type:
    return _TYPES[str(KEYS[key].type)]


def resolve(file: Path | None = None, flags: Mapping[str, Any] | None = None) -> Config:
    """Defaults, then the YAML file, then flags. Raises ConfigError with file:line and key."""
    values: dict[str, Any] = {}
    where: dict[str, str] = {}
    if file is not None:
        document = _read(file)
        for key, value in document.values.items():
            where[key] = f"{document.where(str(key))}: "
            values[key] = convert(key, value, where[key])
    for key, value in (flags or {}).items():
        where[key] = ""
        values[key] = convert(key, value, "")
    try:
        typed.check_together(values, schema())
    except typed.RuleError as error:
        raise ConfigError(f"{next((where[key] for key in error.keys if key in where), '')}{error}") from None
    return Config(**values, given=frozenset(values))


def convert(key: Any, value: Any, where: str) -> Any:
    """`value` as the type of `key`. `where` begins the message ("file:line: " or nothing for a flag)."""
    if key not in KEYS:
        raise ConfigError(f"{where}unknown key '{key}'{strict_yaml.did_you_mean(str(key), KEYS)}")
    try:
        return typed.value(value, schema_of(key))
    except ValueError as error:
        raise ConfigError(f"{where}{key} {error}") from None


def add_flags(parser: argparse.ArgumentParser, keys: Sequence[str] | None = None) -> None:
    """`--config FILE` and one flag a key (all keys where `keys` is None); only given flags appear in the result."""
    parser.add_argument(
        "--config", "--config_path", dest="config", metavar="FILE", help="YAML file with any of these keys"
    )
    for key in KEYS if keys is None else keys:
        options = dict.fromkeys((f"--{key}", f"--{key.replace('_', '-')}"))
        field = KEYS[key]
        default = "" if field.default == "" else f" [{field.default}]"
        parser.add_argument(
            *options, dest=key, default=argparse.SUPPRESS, metavar=type_of(key).__name__.upper(),
            help=(field.metadata["help"] + default).replace("%", "%%"),
        )  # fmt: skip


def from_arguments(arguments: argparse.Namespace) -> Config:
    """The configuration that flags made by `add_flags` ask for."""
    given = {key: value for key, value in vars(arguments).items() if key in KEYS}
    return resolve(Path(arguments.config) if arguments.config else None, given)


def schema() -> dict[str, dict[str, Any]]:
    """Every key with type, default, limits and help, as plain data: what the launcher checks a spec against."""
    return {key: schema_of(key) for key in KEYS}


def schema_of(key: str) -> dict[str, Any]:
    """One key's, in the form of `runfolder.typed`."""
    field = KEYS[key]
    limits = {name: value for name, value in field.metadata.items() if value is not None and value is not False}
    lists = {name: list(field.metadata[name]) for name in ("choices", "stages")}
    return {"type": type_of(key).__name__, "default": field.default, **limits, **lists}


def _read(file: Path) -> strict_yaml.Document:
    try:
        return strict_yaml.read(file)
    except strict_yaml.StrictYamlError as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot read the configuration: {error.strerror}") from None
