from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sphereface.config import resolve
from sphereface.course import META, Course, Place
from sphereface.elastic import Change, Shares, go_on
from sphereface.errors import CheckpointError

IMAGES = 2048
PATH = Path("0-1_2.ckpt")


def meta(shares: Shares, step: int = 2) -> dict[str, Any]:
    """What a checkpoint says that was written by such ranks."""
    course = Course.begin(IMAGES, shares.batch, 20)
    config = {"per_batch_size": shares.per_batch_size, "accumulate_steps": shares.accumulate_steps}
    return {
        "step": step, "ranks": shares.ranks, "global_batch": shares.batch, "config": config,
        "steps_per_epoch": course.steps_per_epoch, META: course.as_meta(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("was", "now", "text"),
    [
        (
            Shares(8, 1, 64), Shares(4, 2, 64),
            "resumed at step 2 with 4 ranks x 2 micro-batches (was 8 x 1), global batch 512 kept",
        ),
        (
            Shares(4, 2, 64), Shares(8, 1, 64),
            "resumed at step 2 with 8 ranks x 1 micro-batch (was 4 x 2), global batch 512 kept",
        ),
        (
            Shares(8, 1, 64), Shares(1, 1, 512),
            "resumed at step 2 with 1 rank x 1 micro-batch (was 8 x 1), global batch 512 kept",
        ),
    ],
)  # fmt: skip
def test_the_same_global_batch_goes_on_and_the_change_is_told(was: Shares, now: Shares, text: str) -> None:
    course, change = go_on(PATH, meta(was), resolve(), now, IMAGES)
    assert course == Course.begin(IMAGES, 512, 20)
    assert str(change) == text


def test_nothing_changed_is_nothing_to_tell() -> None:
    assert go_on(PATH, meta(Shares(8, 1, 64)), resolve(), Shares(8, 1, 64), IMAGES)[1] is None


def test_another_global_batch_goes_on_where_it_may() -> None:
    config = resolve(None, {"elastic_batch": "scale"})
    course, change = go_on(PATH, meta(Shares(8, 1, 64)), config, Shares(4, 1, 64), IMAGES)
    assert course == Course(IMAGES, 256, 20, lr_batch=512, first=2, start=Place(0, 2, 1024))
    assert str(change) == (
        "resumed at step 2 with 4 ranks x 1 micro-batch (was 8 x 1), global batch 512 -> 256, lr x0.5"
    )


@pytest.mark.parametrize(
    ("now", "advice"),
    [
        (Shares(4, 1, 64), "(4 ranks x 1 micro-batch of 64); set accumulate_steps to 2 to keep it, or elastic_batch"),
        (Shares(2, 1, 100), "set per_batch_size x accumulate_steps to 256 to keep it, or elastic_batch to scale"),
        (Shares(3, 1, 64), "start a number of ranks that divides 512 to keep it, or elastic_batch to scale"),
    ],
)
def test_another_global_batch_is_refused_in_one_line(now: Shares, advice: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        go_on(PATH, meta(Shares(8, 1, 64)), resolve(), now, IMAGES)
    assert caught.value.exit_code == 2
    assert f"trained with a global batch of 512, this run has {now.batch}" in str(caught.value)
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["keep", "scale"])
def test_other_data_is_refused_whatever_the_batch(how: str) -> None:
    with pytest.raises(CheckpointError, match=r"trained with steps an epoch: 4, this run has 3 \(2000 images\)"):
        go_on(PATH, meta(Shares(8, 1, 64)), resolve(None, {"elastic_batch": how}), Shares(4, 1, 64), 2000)


def test_a_checkpoint_without_ranks_is_of_one_micro_batch() -> None:
    old = {"global_batch": 512, "config": {"per_batch_size": 64}}
    assert Shares.from_meta(old) == Shares(8, 1, 64)


def test_what_the_record_has_of_a_change() -> None:
    change = Change(7, Shares(8, 1, 64), Shares(1, 4, 64))
    assert change.as_json() == {
        "event": "resumed", "ranks": 1, "accumulate_steps": 4, "per_batch_size": 64, "global_batch": 256,
        "was": {"ranks": 8, "accumulate_steps": 1, "per_batch_size": 64, "global_batch": 512}, "lr_scaled_by": 0.5,
    }  # fmt: skip
