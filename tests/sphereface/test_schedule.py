from __future__ import annotations

import math

import pytest

from sphereface.config import Config
from sphereface.schedule import learning_rate


def rates(config: Config, steps_per_epoch: int) -> list[float]:
    return [learning_rate(config, step, steps_per_epoch) for step in range(config.max_epoch * steps_per_epoch + 1)]


def test_cosine_falls_from_lr_to_eta_min_over_the_whole_run() -> None:
    values = rates(Config(lr=0.15, max_epoch=20, eta_min=0.01), 7)
    assert values[0] == 0.15
    assert values[70] == pytest.approx((0.15 + 0.01) / 2)
    assert values[35] == pytest.approx(0.01 + 0.14 * (1 + math.cos(math.pi / 4)) / 2)
    assert values[-1] == pytest.approx(0.01)
    assert values == sorted(values, reverse=True)


def test_cosine_changes_at_every_step() -> None:
    values = rates(Config(max_epoch=2), 10)
    assert len(set(values)) == len(values)


def test_cosine_that_is_shorter_than_the_run_stays_at_eta_min() -> None:
    values = rates(Config(max_epoch=20, T_max=19, eta_min=0.001), 3)
    assert all(value == pytest.approx(0.001) for value in values[57:])
    assert values[56] > 0.001


def test_cosine_that_is_longer_than_the_run_is_cut_off() -> None:
    assert rates(Config(lr=0.1, max_epoch=10, T_max=20), 4)[-1] == pytest.approx(0.05)


def test_warm_up_rises_from_zero_and_joins_the_cosine_without_a_jump() -> None:
    values = rates(Config(lr=0.2, max_epoch=3, warmup_epochs=1), 4)
    assert values[:5] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2])
    assert values[8] == pytest.approx(0.1)
    assert values[-1] == pytest.approx(0.0)


def test_warm_up_of_part_of_an_epoch() -> None:
    values = rates(Config(lr=0.2, max_epoch=2, warmup_epochs=0.25), 10)
    assert values[:3] == pytest.approx([0.08, 0.16, 0.2])
    assert max(values) <= 0.2


def test_warm_up_as_long_as_the_run_ends_at_lr() -> None:
    values = rates(Config(lr=0.2, max_epoch=2, warmup_epochs=2), 4)
    assert values[7] == 0.2
    assert values[8] == 0.0


def test_warm_up_past_the_end_of_the_cosine_falls_to_eta_min() -> None:
    config = Config(lr=0.2, max_epoch=4, warmup_epochs=2, T_max=1, eta_min=0.01)
    assert learning_rate(config, 7, 4) == 0.2
    assert learning_rate(config, 8, 4) == 0.01


def test_exponential_steps_at_its_epochs() -> None:
    config = Config(lr=1.0, lr_scheduler="exponential", lr_epochs="2,3", lr_gamma=0.1, max_epoch=4, warmup_epochs=1)
    values = rates(config, 2)
    assert values[:8] == pytest.approx([0.5, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
