"""From a checkpoint to files that other programs run: MINDIR, LITE, ONNX, AIR; and how to feed them, in export.json.

No file gets its name before its embeddings have been compared with the checkpoint's own.
`python -m sphereface.export --config …` is `sphereface export --config …`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from runfolder import atomic, layout, programs
from sphereface import align, checkpoint, lite, stage, status
from sphereface.checkpoint import Checkpoint
from sphereface.config import Config
from sphereface.errors import CheckpointError, ConfigError, SpherefaceError, UnsupportedError
from sphereface.formats import onnx_file
from sphereface.lfw_file import LfwResult

Array = npt.NDArray[np.float32]
Run = Callable[[Array], Array]
"""Images (B, 3, 112, 96) to embeddings (B, 512)."""
Writer = Callable[[Path, Any, Checkpoint], Run | None]
"""Writes a file of a network, and gives back what the file computes; None where nothing here can run it."""

TOLERANCE = 1e-4
"""Largest difference of an embedding's element that passes, in units of the largest element."""
BATCHES = (1, 3)
"""Batch sizes at which a file is compared."""
DESCRIPTION = "export.json"
SUFFIXES = {"MINDIR": ".mindir", "LITE": ".lite.mindir", "ONNX": ".onnx", "AIR": ".air"}
READERS = {
    "MINDIR": "MindSpore 2.10, and a MindSpore Lite that reads MINDIR version 3",
    "LITE": "MindSpore Lite 2.0 and later (MINDIR version 1)",
    "ONNX": "ONNX Runtime, OpenCV and others (operator set 11)",
    "AIR": "Ascend's compiler, atc",
}
"""Who reads a file of each format."""


def export(
    config: Config,
    heartbeat: status.Heartbeat,
    lfw: LfwResult | None = None,
    writers: Mapping[str, Writer] | None = None,
) -> list[Path]:
    """Writes `config.formats`, export.json and result.json under `config.output`; returns the paths of the files.

    Either all formats are written or none; `writers` are WRITERS unless given. Raises UnsupportedError for AIR without
    an Ascend device and LITE without its converter, CheckpointError for a checkpoint that cannot be used,
    SpherefaceError where a file computes something else than the checkpoint.
    """
    formats = tuple(dict.fromkeys(config.formats))
    if "AIR" in formats and config.device_target != "Ascend":
        raise UnsupportedError(
            f"AIR can be written on an Ascend device only, and device_target is {config.device_target}; "
            "export MINDIR or ONNX here"
        )
    if "LITE" in formats:
        for name in (programs.CONVERT, programs.RUN):
            lite.program(name)  # known before anything is loaded
    names = {name: file_name(config, name) for name in formats}
    source = stage.find_source(config)
    if lfw is not None and lfw.checkpoint_sha256 != source.sha256:
        raise ConfigError(f"the lfw.json is of another checkpoint ({lfw.checkpoint}) than {source.path}")
    network, weights = checkpoint.load_network(source.path, config)
    heartbeat.beat("export", steps=len(formats))
    probe = _probe()
    expected = _run_network(network, probe)
    if not np.isfinite(expected).all():
        raise CheckpointError(f"{source.path}: its embeddings hold NaN or Inf; it has diverged, use an earlier one")
    output = stage.open_output(config, [*names.values(), DESCRIPTION])
    differences: dict[str, float | None] = {}
    with ExitStack() as files:
        for done, (name, file) in enumerate(names.items()):
            temporary = files.enter_context(atomic.replacing(output / file))
            run = (writers or WRITERS)[name](temporary, network, weights)
            differences[file] = None if run is None else _compare(file, run, probe, expected)
            heartbeat.beat("export", step=done + 1, steps=len(formats))
    written = [*names.values(), DESCRIPTION]
    files_by_name = dict(zip(names.values(), formats, strict=True))
    readers = {file: READERS[name] for file, name in files_by_name.items()}
    described = {**source.as_json(), "net": network.net, "files": files_by_name, "read_by": readers}
    atomic.write_json(output / DESCRIPTION, describe(described, differences, expected.shape[1], lfw))
    metrics = {"formats": ",".join(formats), "checkpoint": source.path.name, "max_difference": _largest(differences)}
    stage.write_result(output, layout.EXPORT, metrics, written)
    return [output / name for name in written]


def file_name(config: Config, name: str) -> str:
    """Name of the file of a format."""
    return config.file_name.removesuffix(SUFFIXES[name]) + SUFFIXES[name]


def describe(
    described: Mapping[str, Any], differences: Mapping[str, float | None], size: int, lfw: LfwResult | None
) -> dict[str, Any]:
    """export.json: everything that a program needs to feed the files and to read what they give."""
    value = {
        "schema": stage.SCHEMA,
        **described,
        "max_difference": dict(differences),
        "input": {
            "shape": ["batch", 3, align.HEIGHT, align.WIDTH],
            "type": "float32",
            "layout": "NCHW",
            "channels": "BGR",
            "normalisation": "(pixel - 127.5) / 128",
            "onnx_name": onnx_file.INPUT,
        },
        "output": {"shape": ["batch", size], "type": "float32", "onnx_name": onnx_file.OUTPUT, "compare_by": "cosine"},
        "alignment": {
            "transform": "similarity, least squares from reference to image, inverted; bilinear, black border",
            "width": align.WIDTH,
            "height": align.HEIGHT,
            "landmarks": ["left eye", "right eye", "nose", "left mouth corner", "right mouth corner"],
            "reference_points": align.REFERENCE.tolist(),
        },
    }
    if lfw is not None:
        at_far = {str(far): threshold for far, threshold in lfw.threshold_at_far.items()}
        value["verification"] = {"protocol": lfw.protocol, "threshold": lfw.threshold, "threshold_at_far": at_far}
    return value


def _probe() -> Array:
    """Images of noise (3, 3, 112, 96), the same each time: they excite every channel, and need no face."""
    pixels = np.random.default_rng(0).integers(0, 256, (max(BATCHES), align.HEIGHT, align.WIDTH, 3), np.uint8)
    return np.stack([align.normalise(image) for image in pixels])


def _compare(file: str, run: Run, probe: Array, expected: Array) -> float:
    """The largest difference at any of BATCHES. Raises SpherefaceError above TOLERANCE."""
    scale = float(np.abs(expected).max())
    worst = 0.0
    for batch in BATCHES:
        embeddings = run(probe[:batch])
        if embeddings.shape != expected[:batch].shape:
            raise SpherefaceError(f"{file}: gives {embeddings.shape} for a batch of {batch}; it was not written")
        difference = float(np.abs(embeddings - expected[:batch]).max()) / scale
        if not difference <= TOLERANCE:
            raise SpherefaceError(
                f"{file}: its embeddings differ from the checkpoint's by {difference:.1e} of their scale "
                f"(at most {TOLERANCE:.0e} is right); it was not written"
            )
        worst = max(worst, difference)
    return worst


def _largest(differences: Mapping[str, float | None]) -> float | None:
    return max((difference for difference in differences.values() if difference is not None), default=None)


def _run_network(network: Any, images: Array) -> Array:
    from mindspore import Tensor

    embeddings: Array = network(Tensor(images)).asnumpy()
    return embeddings


def _write_mindir(path: Path, network: Any, _weights: Checkpoint) -> Run:
    import mindspore as ms

    from sphereface.model import exportable

    free = ms.Tensor(shape=[None, 3, align.HEIGHT, align.WIDTH], dtype=ms.float32)
    ms.export(exportable(network), free, file_name=str(path), file_format="MINDIR")
    graph = ms.nn.GraphCell(ms.load(str(path)))
    return lambda images: _run_network(graph, images)


def _write_onnx(path: Path, network: Any, weights: Checkpoint) -> Run:
    import cv2

    from sphereface.model import UNITS

    onnx_file.write(path, weights.weights, UNITS[network.net], (align.HEIGHT, align.WIDTH))
    graph = cv2.dnn.readNetFromONNX(str(path))

    def run(images: Array) -> Array:
        graph.setInput(images)
        return np.asarray(graph.forward(), np.float32)

    return run


def _write_lite(path: Path, network: Any, weights: Checkpoint) -> Run:
    from sphereface.model import UNITS

    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder) / "plain.onnx"
        onnx_file.write(onnx, weights.weights, UNITS[network.net], (align.HEIGHT, align.WIDTH), prelu=False)
        converted = Path(folder) / "converted.mindir"
        lite.convert(onnx, converted)
        shutil.copyfile(converted, path)
    return lambda images: lite.embeddings(path, images)


def _write_air(path: Path, network: Any, _weights: Checkpoint) -> None:
    """AIR holds one fixed shape, and nothing but an Ascend compiler (atc) reads it back, so it cannot be compared."""
    import mindspore as ms

    from sphereface.model import exportable

    ms.export(exportable(network), ms.Tensor(_probe()[:1]), file_name=str(path), file_format="AIR")


WRITERS: Mapping[str, Writer] = {
    "MINDIR": _write_mindir,
    "LITE": _write_lite,
    "ONNX": _write_onnx,
    "AIR": _write_air,
}


if __name__ == "__main__":
    from sphereface.cli import main

    raise SystemExit(main(["export", *sys.argv[1:]]))
