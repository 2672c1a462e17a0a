"""Judging a checkpoint on pairs of faces: lfw.json, scores.npz, roc.png, and the line that people look for.

`python -m sphereface.evaluate --config …` is `sphereface evaluate --config …`.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runfolder import atomic, layout
from sphereface import checkpoint, data, lfw_file, roc_plot, stage, status, verification
from sphereface.config import Config
from sphereface.verification import Judgement, PairSet

FILES = (layout.LFW, layout.SCORES, layout.ROC)
CONFIDENCE = 0.95


def evaluate(config: Config, heartbeat: status.Heartbeat) -> str:
    """Writes FILES and result.json under `config.output`; returns the line `LFWACC=… std=… thd=…`.

    Everything written is a function of the checkpoint, the images and the configuration: a second time gives the same
    bytes. Raises SpherefaceError for what the user can mend; nothing is written then.
    """
    source = stage.find_source(config)
    pairs = data.read_pairs(config)
    network, _ = checkpoint.load_network(source.path, config)
    output = stage.open_output(config, FILES)
    from sphereface.embed import embed_files

    rule = verification.PROTOCOLS[config.protocol]
    progress = Progress(heartbeat, len(pairs.images))
    plain, flipped = embed_files(
        network, pairs.images, pairs.points,
        batch_size=config.batch_size, flip=rule.needs_flip, progress=progress,
    )  # fmt: skip
    compared = PairSet(pairs.left, pairs.right, pairs.same, pairs.fold)
    judgement = verification.judge(config.protocol, compared, plain, flipped)
    names = [path.relative_to(config.datasrc).as_posix() for path in pairs.images]
    described = {**source.as_json(), "net": network.net, "embedding_size": plain.shape[1], "images": len(names)}
    _write(output, judgement, compared, names, described)
    return result_line(judgement)


def result_line(judgement: Judgement) -> str:
    """The zoo's line, as people's scripts parse it."""
    return f"LFWACC={judgement.accuracy:.4f} std={judgement.std:.4f} thd={judgement.threshold:.4f}"


def report(judgement: Judgement, pairs: PairSet, described: dict[str, Any]) -> dict[str, Any]:
    """lfw.json: what the protocol says, and what any protocol leaves out.

    `threshold_at_far` are the thresholds to deploy. Thresholds are in the protocol's own score: of a `cosine` pairs
    above it are the same person, of a `squared distance` those below it.
    """
    similarities, same = judgement.similarities, pairs.same
    curve = verification.roc(similarities, same)
    points = verification.operating_points(similarities, same)
    low, high = verification.wilson_interval(judgement.correct, len(pairs))
    folds = zip(pairs.folds, judgement.fold_accuracy, judgement.fold_threshold, strict=True)
    return {
        "schema": stage.SCHEMA,
        "protocol": judgement.protocol.name,
        "score": "squared distance" if judgement.protocol.distance else "cosine",
        "same_if": "below threshold" if judgement.protocol.distance else "above threshold",
        "accuracy": judgement.accuracy,
        "std": judgement.std,
        "threshold": judgement.threshold,
        "confidence_interval": {"level": CONFIDENCE, "method": "Wilson, over all pairs", "low": low, "high": high},
        "auc": verification.auc(curve),
        "eer": verification.equal_error_rate(curve),
        "tar_at_far": {str(point.far): point.tar for point in points},
        "threshold_at_far": {str(point.far): judgement.to_score(point.threshold) for point in points},
        "smallest_measurable_far": 1 / int((~same).sum()),
        "folds": [
            {
                "fold": int(fold) + 1,
                "pairs": int((pairs.fold == fold).sum()),
                "accuracy": float(a),
                "threshold": float(t),
            }
            for fold, a, t in folds
        ],
        "pairs": len(pairs),
        "same_pairs": int(same.sum()),
        **described,
    }


@dataclass
class Progress:
    """Heartbeats, and a line on stderr every few seconds, while images become embeddings."""

    heartbeat: status.Heartbeat
    images: int
    clock: Callable[[], float] = time.monotonic
    interval: float = 5.0
    _began: float = field(init=False)
    _said: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._said = self.clock()
        self.heartbeat.beat("compile", steps=self.images)

    def __call__(self, done: int) -> None:
        self.heartbeat.beat("evaluate", step=done, steps=self.images)
        now = self.clock()
        if done < self.images and now - self._said < self.interval:
            return
        self._said = now
        speed = done / max(now - self._began, 1e-9)
        print(f"{done} of {self.images} images, {speed:.1f} images/s", file=sys.stderr, flush=True)


def _write(output: Path, judgement: Judgement, pairs: PairSet, names: list[str], described: dict[str, Any]) -> None:
    lfw = report(judgement, pairs, described)
    title = f"{lfw['checkpoint']}, protocol {lfw['protocol']}: accuracy {lfw['accuracy']:.4f}"
    picture = roc_plot.png(verification.roc(judgement.similarities, pairs.same), title)
    scores = io.BytesIO()  # numpy leaves a traceback behind where it cannot write to the end
    np.savez_compressed(
        scores, scores=judgement.scores, same=pairs.same, fold=pairs.fold,
        left=pairs.left, right=pairs.right, images=np.array(names),
    )  # fmt: skip
    atomic.write_bytes(output / layout.SCORES, scores.getvalue())
    atomic.write_bytes(output / layout.ROC, picture)
    atomic.write_json(output / layout.LFW, lfw)
    stage.write_result(output, layout.EVALUATE, lfw_file.metrics(lfw, result_line(judgement)), FILES)


if __name__ == "__main__":
    from sphereface.cli import main

    raise SystemExit(main(["evaluate", *sys.argv[1:]]))
