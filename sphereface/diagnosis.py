"""Why a step's loss or gradient is not finite: the first value on the way through the network that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sphereface.errors import DivergedError


def explain(run: Any, inputs: Any, loss: float, norm: float) -> DivergedError:
    """The error for a step of `run` (train.Run) on `inputs` (train.Inputs) whose loss or gradient norm is not finite.

    The weights are those before the step: TrainStep does not update with such a gradient.
    """
    cause, advice = _cause(run, inputs, loss, norm)
    epoch, _ = run.course.position(run.step + 1)
    saved = "the checkpoints on the disk are of earlier, finite steps"
    return DivergedError(
        f"training diverged at step {run.step + 1} (epoch {epoch}, lr {inputs.rate:.4g}, rank {run.ranks.rank}): "
        f"{cause}; {advice}; {saved}"
    )


def _cause(run: Any, inputs: Any, loss: float, norm: float) -> tuple[str, str]:
    import mindspore as ms

    slower = f"lower lr (now {run.config.lr:g}), lengthen warmup_epochs, or set clip_grad_norm"
    bad = np.flatnonzero(~np.isfinite(inputs.images).all(axis=(1, 2, 3)))
    if bad.size:
        return f"image {bad[0]} of the batch is not finite", "look at the training data"
    for parameter in run.parameters:
        if not np.isfinite(parameter.asnumpy()).all():
            return f"the weights of {parameter.name} are not finite", slower
    embeddings = run.network(ms.Tensor(inputs.images)).asnumpy()
    length = float(np.linalg.norm(embeddings.astype(np.float64), axis=1).max())
    if not np.isfinite(length):
        return "an embedding is not finite although weights and images are", slower
    if not np.isfinite(loss):
        return f"the loss is {loss} (longest embedding {length:.3g})", slower
    for parameter, gradient in zip(run.train_step.weights, _gradients(run, inputs), strict=True):
        if not np.isfinite(gradient).all():
            return f"the gradient of {parameter.name} is not finite (loss {loss:.4g})", slower
    return f"the norm of the gradient is {norm}", slower


def _gradients(run: Any, inputs: Any) -> list[NDArray[Any]]:
    step = run.train_step
    images, labels, _, annealing, _ = inputs.tensors()
    _, gradients = step.gradient(images, labels, annealing, step.scale)
    return [gradient.asnumpy() for gradient in gradients]
