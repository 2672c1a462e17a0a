from __future__ import annotations

import random
from pathlib import Path

import pytest

from launcher.backends.kubernetes.attempt_log import FIRST_LINES, AttemptLog
from launcher.backends.kubernetes.kept_logs import NotKept
from launcher.errors import Unreachable
from tests.launcher.backends.kubernetes.fake_kubelet import FakeKept, FakeKubelet, gone, prefixed, silent

BEGIN = "[launcher] attempt 1 of train begins, 2 process(es)"
TRACEBACK = ["Traceback (most recent call last):", '  File "pod.py", line 1', "MemoryError"]


@pytest.fixture
def kubelet(tmp_path: Path) -> FakeKubelet:
    return FakeKubelet(tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> FakeKept:
    return FakeKept(tmp_path)


class Reader:
    def __init__(self, kubelet: FakeKubelet, kept: FakeKept) -> None:
        self.said: list[str] = []
        self.given: list[str] = []
        self.log = AttemptLog(kubelet, kept, "train", 1, self.said.append)

    def read(self, pod: str | None, *, final: bool = False) -> int:
        """How many lines came; an error that passes does not count as none."""
        before = len(self.given)
        try:
            for line in self.log.read(pod, final=final):
                self.given.append(line.text)
        except Unreachable:
            return -1
        return len(self.given) - before

    def finish(self, pod: str | None) -> None:
        while self.read(pod, final=True):
            pass


def numbered(first: int, count: int) -> list[str]:
    return [f"[rank {number % 2}] step {number}" for number in range(first, first + count)]


def test_lines_come_once_while_the_pod_prints(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    reader = Reader(kubelet, kept)
    assert reader.read(pod) == 0

    kubelet.print(pod, BEGIN, *numbered(0, 3))
    assert [reader.read(pod), reader.read(pod)] == [4, 0]
    kubelet.print(pod, *numbered(3, 3 * FIRST_LINES))
    assert reader.read(pod) == 3 * FIRST_LINES

    assert reader.given == kubelet.kubelet[pod].printed
    assert kept.asked == []


def test_what_was_rotated_away_between_two_looks_comes_from_the_storage(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    reader = Reader(kubelet, kept)
    kubelet.print(pod, BEGIN, *numbered(0, 5))
    reader.read(pod)
    kubelet.print(pod, *numbered(5, 5))
    kubelet.rotate(pod)
    assert reader.read(pod) == 0  # nobody could tell where to go on
    kubelet.print(pod, *numbered(10, 2))
    kept.before_read = lambda: kubelet.print(pod, *numbered(12, 2))
    assert reader.read(pod) == 9
    kept.before_read = lambda: pytest.fail("the storage is not needed any more")
    kubelet.print(pod, *numbered(14, 1))
    assert reader.read(pod) == 1

    assert reader.given == kubelet.kubelet[pod].printed
    assert kept.asked[0].start == 6


def test_the_head_of_a_log_that_was_rotated_before_comes_from_the_storage(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN, *numbered(0, 5))
    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(5, 1))
    reader = Reader(kubelet, kept)

    assert reader.read(pod) == 7
    assert reader.given == kubelet.kubelet[pod].printed


def test_a_pod_that_is_gone_is_read_from_the_storage(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN, *numbered(0, 5))
    reader = Reader(kubelet, kept)
    reader.read(pod)
    kubelet.print(pod, *numbered(5, 5))

    reader.finish(None)

    assert reader.given == kubelet.kubelet[pod].printed


def test_a_silent_node_says_nothing_until_the_attempt_is_over(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN, *numbered(0, 5))
    reader = Reader(kubelet, kept)
    kubelet.fail("log", "pods", silent(), times=99)

    assert reader.read(pod) == 0
    assert kept.asked == []
    reader.finish(pod)
    assert reader.given == kubelet.kubelet[pod].printed


def test_what_a_container_says_without_us_is_shown_too(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, "warning: early", BEGIN, *numbered(0, 2), *TRACEBACK)
    reader = Reader(kubelet, kept)
    reader.finish(pod)
    assert reader.given == kubelet.kubelet[pod].printed

    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(2, 2), *TRACEBACK)
    reader.finish(pod)
    assert reader.given == kubelet.kubelet[pod].printed


def test_a_container_that_says_nothing_of_ours_has_no_copy(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, *TRACEBACK)
    reader = Reader(kubelet, kept)
    reader.finish(pod)

    assert reader.given == TRACEBACK
    assert kept.asked == []


def test_without_the_storage_it_is_said_what_is_missing(kubelet: FakeKubelet, kept: FakeKept) -> None:
    def refuse() -> None:
        raise NotKept("a reader cannot be made: forbidden")

    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN)
    reader = Reader(kubelet, kept)
    reader.read(pod)
    kubelet.print(pod, *numbered(0, 2))
    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(2, 2))
    kept.before_read = refuse

    assert reader.read(pod) == 2
    assert reader.given == [BEGIN, *numbered(2, 2)]
    assert reader.said == ["a reader cannot be made: forbidden; lines of train, attempt 1, may be missing here"]

    kubelet.print(pod, *numbered(4, 2))
    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(6, 2))
    kept.before_read = lambda: None
    reader.finish(pod)
    assert reader.given == [BEGIN, *numbered(2, 6)], "what came before the gap is not given again"


def test_one_may_begin_late_and_still_misses_nothing_after(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN, *numbered(0, 5000))
    reader = Reader(kubelet, kept)
    lines, enough = reader.log.open_late(pod, lambda window: len(window) >= 10)
    assert enough
    assert len(lines) == FIRST_LINES

    kubelet.print(pod, *numbered(5000, 3000))
    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(8000, 10))
    reader.read(pod)

    assert [line.text for line in lines] + reader.given == kubelet.kubelet[pod].printed[-3010 - FIRST_LINES :]
    assert [wanted.start for wanted in kept.asked] == [-2000, -16000]


def test_one_cannot_begin_late_where_too_few_lines_are_left(kubelet: FakeKubelet, kept: FakeKept) -> None:
    pod = kubelet.start("train", 1)
    kubelet.print(pod, BEGIN, *numbered(0, 5))
    kubelet.rotate(pod)
    kubelet.print(pod, *numbered(5, 5))
    reader = Reader(kubelet, kept)

    lines, enough = reader.log.open_late(pod, lambda window: len(window) >= 10)

    assert (len(lines), enough) == (5, False)
    reader.read(pod)
    assert reader.given == kubelet.kubelet[pod].printed


@pytest.mark.parametrize("seed", range(60))
def test_every_line_once_and_in_order_whatever_happens(kubelet: FakeKubelet, kept: FakeKept, seed: int) -> None:
    """Rotation, outages, answers cut short, a silent node, lines that are equal, one stamp for several lines."""
    draw = random.Random(seed)  # noqa: S311
    pod = kubelet.start("train", 1)
    reader = Reader(kubelet, kept)
    alphabet = draw.choice((1, 3, 10**6))
    tick = draw.choice((1, 3))
    stamps = kubelet.nanoseconds
    kubelet.nanoseconds = iter(lambda: next(stamps) // tick * tick, None)  # type: ignore[assignment]
    trouble = True

    def live() -> None:
        """What happens while somebody asks."""
        for _ in range(draw.choice((0, 0, 1, 4))):
            ranks = (draw.randrange(2) for _ in range(draw.choice((1, 5, 250))))
            kubelet.print(pod, *[line for rank in ranks for line in prefixed(rank, str(draw.randrange(alphabet)))])
            if draw.random() < 0.3:
                kubelet.rotate(pod)

    def before_log() -> None:
        live()
        chance = draw.random()
        if trouble and chance < 0.2:
            raise gone() if chance < 0.1 else silent()

    kubelet.print(pod, BEGIN)
    kubelet.before_log, kept.before_read = before_log, live
    if alphabet > 1:  # where all lines are equal, nobody could tell where an answer was cut
        kubelet.cut = lambda length: draw.randint(0, length) if trouble and draw.random() < 0.1 else length
    for _ in range(25):
        reader.read(pod)
    kubelet.before_log, kept.before_read, trouble = lambda: None, lambda: None, False
    if draw.random() < 0.3:
        kubelet.print(pod, *TRACEBACK)

    reader.finish(pod if draw.random() < 0.8 else None)

    printed = kubelet.kubelet[pod].printed
    if reader.given[-1:] != TRACEBACK[-1:]:
        printed = [line for line in printed if line not in TRACEBACK]  # of which the storage has no copy
    assert reader.given == printed
    assert reader.said == []
