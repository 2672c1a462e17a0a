"""One training step as one graph: forward, backward, all-reduce, clipping, momentum SGD.

What changes from step to step (learning rate, annealing) comes in as a scalar, so the graph holds no counter and a
resume needs nothing but the step's number, the weights and their momenta.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mindspore as ms
from mindspore import nn, ops
from mindspore.ops import functional

from sphereface.config import Config

BUCKET = 8 << 20
"""Elements that one all-reduce carries at most, unless a single gradient is larger (32 MiB of float32)."""

_squares = ops.MultitypeFuncGraph("squares")
_update = ops.MultitypeFuncGraph("update")
_add = ops.MultitypeFuncGraph("add")
_take = ops.MultitypeFuncGraph("take")
_momentum = ops.ApplyMomentum()


@_squares.register("Tensor")  # type: ignore[untyped-decorator]  # mindspore has no types
def _sum_of_squares(gradient: Any) -> Any:
    # Row by row: over all axes at once MindSpore's sum takes nine times as long on CPU, 4 to 14 % of the whole step.
    rows = ops.reshape(ops.square(gradient), (gradient.shape[0], -1))
    return ops.reduce_sum(ops.reduce_sum(rows, 1))


@_update.register(*7 * ["Tensor"])  # type: ignore[untyped-decorator]
def _update_weight(rate: Any, momentum: Any, factor: Any, decay: Any, weight: Any, moment: Any, gradient: Any) -> Any:
    return _momentum(weight, moment, rate, gradient * factor + weight * decay, momentum)


@_add.register("Tensor", "Tensor")  # type: ignore[untyped-decorator]
def _add_to(total: Any, gradient: Any) -> Any:
    return ops.assign_add(total, gradient)


@_take.register("Tensor", "Tensor")  # type: ignore[untyped-decorator]
def _take_mean(share: Any, total: Any) -> Any:
    mean = total * share
    return ops.depend(mean, ops.assign(total, ops.depend(ops.zeros_like(mean), mean)))


class Loss(nn.Cell):  # type: ignore[misc]
    """Images to scaled loss: the network, in float16 where `amp` says so, and the head in float32."""

    def __init__(self, network: Any, head: Any, amp: bool = False) -> None:
        super().__init__(auto_prefix=False)
        self.network = network.to_float(ms.float16) if amp else network
        self.head = head

    def construct(self, images: Any, labels: Any, annealing: Any, scale: Any) -> Any:
        embeddings = ops.cast(self.network(images), ms.float32)
        return self.head(embeddings, labels, annealing) * scale


class AllReduce(nn.Cell):  # type: ignore[misc]
    """Mean over the ranks of every gradient, in few large messages that follow one another in a fixed order.

    Only the sum is used: it is all that the collectives of the CPU know.
    """

    def __init__(self, parameters: Sequence[Any], size: int) -> None:
        super().__init__(auto_prefix=False)
        self.shapes = tuple(tuple(parameter.shape) for parameter in parameters)
        self.counts = tuple(parameter.size for parameter in parameters)
        self.buckets = _buckets(self.counts)
        self.share = 1.0 / size
        self.sum = ops.AllReduce(ops.ReduceOp.SUM)

    def construct(self, gradients: Any, scalars: Any) -> Any:
        """`gradients` as the parameters are, `scalars` float32 (k,): their means over the ranks."""
        reduced: tuple[Any, ...] = ()
        means = self.sum(scalars) * self.share
        previous = means
        for first, last in self.buckets:
            parts: tuple[Any, ...] = ()
            for index in range(first, last):
                parts = (*parts, ops.reshape(gradients[index], (-1,)))
            flat = ops.concat(parts) if last - first > 1 else parts[0]
            flat = self.sum(ops.depend(flat, previous)) * self.share
            previous = flat
            offset = 0
            for index in range(first, last):
                part = flat[offset : offset + self.counts[index]]
                reduced = (*reduced, ops.reshape(part, self.shapes[index]))
                offset += self.counts[index]
        return reduced, means


class Update(nn.Cell):  # type: ignore[misc]
    """(loss, gradients, rate, stop) -> (loss, gradient norm, stop): all-reduce, clipping, momentum SGD.

    `loss` is the loss as it is, `gradients` those of the loss times `scale`; see TrainStep for the rest.
    """

    def __init__(self, weights: Any, config: Config, size: int) -> None:
        super().__init__(auto_prefix=False)
        self.weights = weights
        self.moments = weights.clone(prefix="moments", init="zeros")
        self.decays = tuple(ms.Tensor(weight_decay(weight.name, config), ms.float32) for weight in weights)
        self.momentum = ms.Tensor(config.momentum, ms.float32)
        self.scale = ms.Tensor(config.loss_scale if config.amp else 1.0, ms.float32)
        self.clip = config.clip_grad_norm
        self.size = size
        self.reduce = AllReduce(weights, size) if size > 1 else nn.Identity()
        self.map = ops.HyperMap()

    def construct(self, loss: Any, gradients: Any, rate: Any, stop: Any) -> Any:
        if self.size > 1:
            gradients, means = self.reduce(gradients, ops.stack((loss, stop)))
            loss, stop = means[0], means[1]
        norm = ops.sqrt(ops.addn(self.map(_squares, gradients))) / self.scale
        factor = 1.0 / self.scale
        if self.clip > 0:
            factor = factor * ops.minimum(self.clip / (norm + 1e-12), ops.ones_like(norm))
        finite = ops.logical_and(ops.isfinite(loss), ops.isfinite(norm))
        if finite:
            updates = self.map(
                functional.partial(_update, rate, self.momentum, factor),
                self.decays,
                self.weights,
                self.moments,
                gradients,
            )
            loss = ops.depend(loss, updates)
        return loss, norm, stop


class TrainStep(nn.Cell):  # type: ignore[misc]
    """(images, labels, rate, annealing, stop) -> (loss, gradient norm, stop), having updated the weights.

    images float32 (B, 3, 112, 96), labels int32 (B,), the others float32 scalars. Loss and norm are float32 scalars,
    the same on every rank: the mean loss, and the L2 norm of the mean gradient before clipping and weight decay.
    `stop` is above 0 where any rank asks to stop, so that all of them stop after the same step. Where loss or norm is
    not finite nothing is updated.

    The optimiser is the one of Caffe and the zoo: v = mu v + g + wd w; w -= lr v, wd only on convolution and
    fully-connected weights.
    """

    def __init__(self, loss: Loss, config: Config, size: int) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.weights = ms.ParameterTuple(loss.trainable_params())
        self.update = Update(self.weights, config, size)
        self.moments = self.update.moments
        self.scale = self.update.scale
        self.gradient = ops.value_and_grad(self.loss, grad_position=None, weights=self.weights)

    def construct(self, images: Any, labels: Any, rate: Any, annealing: Any, stop: Any) -> Any:
        loss, gradients = self.gradient(images, labels, annealing, self.scale)
        return self.update(loss / self.scale, gradients, rate, stop)


class Sums(nn.Cell):  # type: ignore[misc]
    """(images, labels, annealing): adds loss and gradients of a micro-batch to the sums, which begin with zeros."""

    def __init__(self, loss: Loss, weights: Any, scale: Any) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss
        self.gradient = ops.value_and_grad(loss, grad_position=None, weights=weights)
        self.scale = scale
        self.loss_sum = ms.Parameter(ms.Tensor(0.0, ms.float32), name="sums.loss", requires_grad=False)
        self.sums = weights.clone(prefix="sums", init="zeros")
        self.map = ops.HyperMap()

    def construct(self, images: Any, labels: Any, annealing: Any) -> Any:
        loss, gradients = self.gradient(images, labels, annealing, self.scale)
        added = self.map(_add, self.sums, gradients)
        return ops.depend(ops.assign_add(self.loss_sum, loss / self.scale), added)


class MeanUpdate(nn.Cell):  # type: ignore[misc]
    """(rate, stop): the update with the means of `count` micro-batches, whose sums are zeros again afterwards."""

    def __init__(self, sums: Sums, update: Update, count: int) -> None:
        super().__init__(auto_prefix=False)
        self.loss_sum = sums.loss_sum
        self.sums = sums.sums
        self.update = update
        self.share = ms.Tensor(1.0 / count, ms.float32)
        self.map = ops.HyperMap()

    def construct(self, rate: Any, stop: Any) -> Any:
        gradients = self.map(functional.partial(_take, self.share), self.sums)
        return self.update(_take(self.share, self.loss_sum), gradients, rate, stop)


class AccumulatedStep:
    """As TrainStep, of accumulate_steps micro-batches: `add` takes all but the last, and the call takes that one.

    Two graphs, so that the backward pass is compiled once. Loss and gradients are the means over all micro-batches.
    """

    def __init__(self, loss: Loss, config: Config, size: int) -> None:
        self.weights = ms.ParameterTuple(loss.trainable_params())
        update = Update(self.weights, config, size)
        self.moments = update.moments
        self.scale = update.scale
        self._sums = Sums(loss, self.weights, self.scale)
        self.gradient = self._sums.gradient
        self._update = MeanUpdate(self._sums, update, config.accumulate_steps)

    def add(self, images: Any, labels: Any, _rate: Any, annealing: Any, _stop: Any) -> None:
        self._sums(images, labels, annealing)

    def __call__(self, images: Any, labels: Any, rate: Any, annealing: Any, stop: Any) -> Any:
        self._sums(images, labels, annealing)
        return self._update(rate, stop)


def weight_decay(name: str, config: Config) -> float:
    """Decay of one parameter: weights have it, biases and PReLU slopes (`relu1_1.w`) have none, as in the zoo."""
    return config.weight_decay if name.endswith("weight") else 0.0


def _buckets(counts: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ranges [first, last) of neighbouring gradients that share a message."""
    ranges: list[tuple[int, int]] = []
    first = total = 0
    for index, count in enumerate(counts):
        if index > first and total + count > BUCKET:
            ranges.append((first, index))
            first, total = index, 0
        total += count
    return (*ranges, (first, len(counts)))
