"""The learning rate of every step. Pure Python."""

from __future__ import annotations

import math

from sphereface.config import Config


def learning_rate(config: Config, step: float, steps_per_epoch: int) -> float:
    """Learning rate of `step`, 0-based over the whole run; it may lie between two steps (see `course.unbroken`).

    Warm-up: over the first `warmup_epochs` it rises linearly from 0, and its last step has `lr`.

    "cosine_annealing": `eta_min + (lr - eta_min) * (1 + cos(pi * t)) / 2` (Loshchilov & Hutter, "SGDR", ICLR 2017,
    without restarts), where t goes from 0 at the end of the warm-up to 1 after epoch `T_max` (0: `max_epoch`). Where
    T_max is below max_epoch, the rate stays at eta_min from there on; above, the run ends before the cosine does.

    "exponential", the zoo's name for steps: `lr * lr_gamma ** n`, n of the `lr_epochs` having passed.
    """
    epoch = step / steps_per_epoch
    if epoch < config.warmup_epochs:
        warmup_steps = config.warmup_epochs * steps_per_epoch
        return config.lr * min(1.0, (step + 1) / warmup_steps)
    if config.lr_scheduler == "exponential":
        return float(config.lr * config.lr_gamma ** sum(epoch >= mark for mark in config.lr_steps))
    length = (config.T_max or config.max_epoch) - config.warmup_epochs
    done = min(1.0, (epoch - config.warmup_epochs) / length) if length > 0 else 1.0
    return config.eta_min + (config.lr - config.eta_min) * (1 + math.cos(math.pi * done)) / 2
