from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from sphereface.config import Config
from sphereface.data import sampling
from sphereface.data.batches import Batch, Batches
from sphereface.data.faces import FaceSet
from sphereface.errors import DataError

N = 50


class FakeFaces:
    """A FaceSet in memory: canvas i is noise of its own, label i is i, and `bad` canvases cannot be read."""

    def __init__(self, count: int = N, bad: frozenset[int] = frozenset()) -> None:
        self.labels = np.arange(count, dtype=np.int32)
        self.num_classes = count
        self.names = tuple(map(str, range(count)))
        self.bad = bad
        self._canvases = np.random.default_rng(1).integers(0, 256, (count, 116, 100, 3), np.uint8)

    def __len__(self) -> int:
        return len(self.labels)

    def crop(self, index: int) -> NDArray[np.uint8]:
        if index in self.bad:
            raise DataError(f"{index}.jpg: torn")
        canvas: NDArray[np.uint8] = self._canvases[index]
        return canvas


def batches(each: int, rank: int = 0, group_size: int = 1, faces: FaceSet | None = None, **changes: object) -> Batches:
    config = Config(per_batch_size=each, **{"seed": 5, "max_bad_images": 1.0, **changes})  # type: ignore[arg-type]
    return Batches(faces or FakeFaces(), config, rank=rank, group_size=group_size)


def assert_equal(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other)
    for (images, labels), (other_images, other_labels) in zip(one, other, strict=True):
        np.testing.assert_array_equal(labels, other_labels)
        np.testing.assert_array_equal(images, other_images)


def test_an_epoch_in_the_order_and_with_the_augmentation_that_sampling_draws() -> None:
    made = list(batches(8, color_jitter=0.4).epoch(2))
    assert len(made) == batches(8).steps_per_epoch == 6
    order = sampling.order(N, 5, 2)
    how = sampling.augmentation(N, 5, 2, 0.4)
    for step, (images, labels) in enumerate(made):
        assert images.dtype == np.float32
        assert images.shape == (8, 3, 112, 96)
        assert labels.dtype == np.int32
        assert labels.tolist() == order[step * 8 : step * 8 + 8].tolist()
        expected = np.empty((3, 112, 96), np.float32)
        sampling.augment(FakeFaces().crop(int(labels[3])), how, step * 8 + 3, expected)
        np.testing.assert_array_equal(images[3], expected)


@pytest.mark.parametrize("bad", [frozenset(), frozenset({3, 4, 20, 49})])
def test_eight_ranks_are_one_rank_of_eight_times_the_batch(bad: frozenset[int]) -> None:
    together = list(batches(16, faces=FakeFaces(bad=bad)).epoch(1))
    ranks = [list(batches(2, rank, 8, FakeFaces(bad=bad)).epoch(1)) for rank in range(8)]
    joined = [
        (np.concatenate([images for images, _ in shares]), np.concatenate([labels for _, labels in shares]))
        for shares in zip(*ranks, strict=True)
    ]
    assert_equal(joined, together)


@pytest.mark.parametrize(("ranks", "micro"), [(8, 1), (4, 2), (2, 4), (1, 8)])
@pytest.mark.parametrize(("epoch", "seen"), [(0, 0), (2, 19)])
def test_ranks_and_micro_batches_share_out_the_same_global_batches(
    ranks: int, micro: int, epoch: int, seen: int
) -> None:
    bad = frozenset({3, 4, 20, 49})
    whole = list(batches(16, faces=FakeFaces(bad=bad), color_jitter=0.4).epoch(epoch, seen))
    assert len(whole) == (N - seen) // 16
    shares = [
        list(batches(2, rank, ranks, FakeFaces(bad=bad), color_jitter=0.4, accumulate_steps=micro).epoch(epoch, seen))
        for rank in range(ranks)
    ]
    joined = [
        tuple(
            np.concatenate([batch[part] for share in shares for batch in share[step * micro : (step + 1) * micro]])
            for part in (0, 1)
        )
        for step in range(len(whole))
    ]
    assert_equal(joined, whole)  # type: ignore[arg-type]  # a tuple of two
    assert {len(share) for share in shares} == {len(whole) * micro}


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(workers: int) -> None:
    bad = FakeFaces(bad=frozenset({1, 2, 30}))
    assert_equal(list(batches(4, faces=bad, data_workers=workers).epoch(0)), list(batches(4, faces=bad).epoch(0)))


@pytest.mark.parametrize("first_step", [0, 1, 7, 12])
def test_going_on_gives_what_never_stopping_gave(first_step: int) -> None:
    bad = frozenset({7, 8, 31})
    whole = list(batches(4, faces=FakeFaces(bad=bad)).epoch(3))
    assert_equal(list(batches(4, faces=FakeFaces(bad=bad)).epoch(3, first_step * 4)), whole[first_step:])


def test_epochs_and_seeds_differ() -> None:
    first, second = (next(iter(batches(8).epoch(epoch)))[1] for epoch in (0, 1))
    assert first.tolist() != second.tolist()
    assert next(iter(batches(8, seed=6).epoch(0)))[1].tolist() != first.tolist()


def test_a_bad_image_is_replaced_by_the_next_good_one_and_named() -> None:
    order = sampling.order(N, 5, 0)
    bad = frozenset({int(order[1]), int(order[2]), int(order[49])})
    made = batches(5, faces=FakeFaces(bad=bad))
    labels = np.concatenate([labels for _, labels in made.epoch(0)])
    expected = order.copy()
    expected[1] = expected[2] = order[3]
    expected[49] = order[0]  # around the end
    assert labels.tolist() == expected.tolist()
    assert made.bad.messages == tuple(f"{index}.jpg: torn" for index in sorted(bad))


def test_too_many_bad_images_end_the_epoch_with_their_names() -> None:
    made = batches(5, faces=FakeFaces(bad=frozenset(range(0, N, 2))), max_bad_images=0.1)
    with pytest.raises(DataError, match=r"6 of 50 images .* max_bad_images 0.1 allows; the first: \d+.jpg: torn; "):
        list(made.epoch(0))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_no_readable_image_at_all() -> None:
    with pytest.raises(DataError, match=r"none of the 50 training images can be read, as in: 0.jpg: torn"):
        list(batches(5, faces=FakeFaces(bad=frozenset(range(N)))).epoch(0))


def test_fewer_images_than_a_batch() -> None:
    with pytest.raises(
        DataError, match=r"50 training images do not fill one batch of 64 \(per_batch_size 8 on 8 ranks\)"
    ):
        batches(8, group_size=8)
    with pytest.raises(DataError, match=r"one batch of 64 \(per_batch_size 8 x 4 micro-batches on 2 ranks\)"):
        batches(8, group_size=2, accumulate_steps=4)


def test_closing_ends_the_threads() -> None:
    epoch = batches(2, data_workers=3).epoch(0)
    next(iter(epoch))
    epoch.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
