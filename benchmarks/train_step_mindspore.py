"""The worker of train_step.py for `sphereface`: its own training step, on one fixed batch.

Arguments: a JSON object with net, batch, classes, threads, and `exchange`, a .npz that this worker writes for the other
one: the batch and all initial values. Then one line on standard input is a number of steps to take, and one line on
standard output says what they took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    setting = json.loads(sys.argv[1])
    config, step, weights = build(setting)
    images, labels = batch(setting)
    named = {weight.name: weight.asnumpy() for weight in weights}
    np.savez(Path(setting["exchange"]), images=images, labels=labels, **named)

    import mindspore as ms

    inputs = (ms.Tensor(images), ms.Tensor(labels), *(ms.Tensor(x, ms.float32) for x in (config.lr, 5.0, 0.0)))
    say({"version": f"MindSpore {ms.__version__}"})
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            loss, _norm, _stop = (float(value.asnumpy()) for value in step(*inputs))
        say({"seconds": (time.perf_counter() - began) / int(line), "loss": loss})


def build(setting: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Configuration, train step and parameters, as `sphereface train` makes them."""
    from sphereface import runtime
    from sphereface.config import Config

    config = Config(net=setting["net"], lr=0.01, clip_grad_norm=5.0)
    runtime.start(config)

    from sphereface.margin import Head
    from sphereface.model import SphereNet
    from sphereface.step import Loss, TrainStep

    loss = Loss(SphereNet(config.net, config.conv_bias, config.seed), Head(config, setting["classes"]), config.amp)
    return config, TrainStep(loss, config, 1), loss.trainable_params()


def batch(setting: dict[str, Any]) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (setting["batch"], 3, 112, 96)).astype(np.float32)
    return images, random.integers(0, setting["classes"], setting["batch"]).astype(np.int32)


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
