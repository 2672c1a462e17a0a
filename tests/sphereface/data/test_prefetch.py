from __future__ import annotations

import threading

import pytest

from sphereface.data import prefetch


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0 and workers > 1:
            assert first_may_end.wait(10)
        first_may_end.set()
        return item * item

    assert list(prefetch.ordered(work, range(20), workers)) == [item * item for item in range(20)]
    assert threads() == []


def test_no_more_than_a_few_are_made_ahead() -> None:
    begun: list[int] = []
    results = prefetch.ordered(lambda item: begun.append(item), range(1000), 2)
    next(results)
    assert len(begun) <= 4
    results.close()  # type: ignore[attr-defined]
    assert len(begun) <= 4
    assert threads() == []


def test_an_error_is_raised_at_its_place() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise RuntimeError("third")
        return item

    results = prefetch.ordered(work, range(9), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="third"):
        next(results)
    assert threads() == []
