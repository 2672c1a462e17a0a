from __future__ import annotations

import pytest

from sphereface.data.bad_images import BadImages, readable
from sphereface.errors import DataError


def test_messages_are_in_the_order_of_the_set_and_each_counts_once() -> None:
    bad = BadImages(10, 0.2)
    bad.add(7, "g: torn")
    bad.add(2, "b: gone")
    bad.add(7, "g: torn")
    assert bad.messages == ("b: gone", "g: torn")
    assert len(bad) == 2
    assert 7 in bad
    assert 3 not in bad


def test_the_bound_names_count_bound_and_the_first_three() -> None:
    bad = BadImages(100, 0.03)
    for index in (9, 1, 5):
        bad.add(index, f"{index}.jpg: gone")
    with pytest.raises(DataError) as error:
        bad.add(3, "3.jpg: gone")
    assert str(error.value) == (
        "4 of 100 images cannot be used, more than max_bad_images 0.03 allows; "
        "the first: 1.jpg: gone; 3.jpg: gone; 5.jpg: gone"
    )


def test_images_that_other_ranks_have_met_count_too() -> None:
    bad = BadImages(100, 0.03)
    bad.judge(3)
    with pytest.raises(DataError, match=r"4 of 100 images cannot be used, more than max_bad_images 0.03 allows$"):
        bad.judge(4)
    bad.add(1, "1.jpg: gone")
    with pytest.raises(DataError, match=r"4 of 100 .*; the first: 1\.jpg: gone"):
        bad.judge(4)


def test_none_allowed() -> None:
    with pytest.raises(DataError, match="1 of 1000 images"):
        BadImages(1000, 0).add(0, "0.jpg: gone")


def test_readable_passes_over_what_cannot_be_made() -> None:
    def make(index: int) -> str:
        if index % 3 == 1:
            raise DataError(f"{index}: gone")
        return f"made {index}"

    bad = BadImages(6, 1.0)
    assert list(readable(6, make, bad, 2)) == [(0, "made 0"), (2, "made 2"), (3, "made 3"), (5, "made 5")]
    assert bad.messages == ("1: gone", "4: gone")


def test_readable_ends_at_the_bound() -> None:
    def make(index: int) -> str:
        raise DataError(f"{index}: gone")

    with pytest.raises(DataError, match="2 of 10 images cannot be used"):
        list(readable(10, make, BadImages(10, 0.1), 1))
