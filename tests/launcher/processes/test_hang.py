from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from launcher.processes.hang import Hang, HangWatch, Seen
from launcher.spec import StagePolicy

POLICY = StagePolicy(heartbeat_s=40.0, stall_s=1800.0)


def look(rank: int, step: int = 0, cpu: float = 0.0, phase: str = "train", *, stopped: bool = False) -> Seen:
    return Seen(f"rank_{rank}", stopped, cpu, phase=phase, epoch=1, step=step)


def first_hang(
    watch: HangWatch, seconds: int, *ranks: Callable[[int], Seen], helpers: Sequence[Seen] = ()
) -> tuple[int, Hang]:
    """Looks once a second at ranks given as functions of the time; the time of the first hang, and the hang."""
    for now in range(seconds):
        if hang := watch.judge(float(now), [rank(now) for rank in ranks], helpers):
            return now, hang
    return seconds, Hang("", "")


def test_ranks_that_make_steps_are_left_alone() -> None:
    when, _ = first_hang(HangWatch(POLICY), 4000, lambda t: look(0, step=t), lambda t: look(1, step=t))

    assert when == 4000


def test_a_busy_rank_without_steps_is_left_alone_until_it_stalls() -> None:
    when, hang = first_hang(HangWatch(POLICY), 4000, lambda t: look(0, cpu=0.9 * t, phase="compile"))

    assert when == 1800
    assert "no step for 1800 s" in hang.message


def test_all_silent_is_a_hang_of_the_one_furthest_back() -> None:
    """Rank 1 stands at step 10; the others came to 11 and wait for it, without using their processors."""
    when, hang = first_hang(
        HangWatch(POLICY),
        100,
        lambda t: look(0, step=min(t, 11)),
        lambda t: look(1, step=min(t, 10)),
        lambda t: look(2, step=min(t, 11)),
    )

    assert hang.name == "rank_1"
    assert 50 <= when <= 52


def test_who_waited_for_a_rank_that_has_ended_gets_its_time_from_then_on() -> None:
    """Rank 0 writes for long, ends the last step and goes; what rank 1 does then is seen a little later."""
    watch = HangWatch(POLICY)
    assert first_hang(watch, 100, lambda t: look(0, cpu=0.9 * t, phase="save"), lambda _: look(1))[0] == 100

    hangs = [now for now in range(100, 200) if watch.judge(float(now), [look(1)])]

    assert hangs[0] == 140


def test_threads_that_keep_connections_alive_are_not_work() -> None:
    when, hang = first_hang(HangWatch(POLICY), 100, lambda t: look(0, cpu=0.01 * t))

    assert when == 40
    assert hang.name == "rank_0"


def test_a_rank_that_gets_no_processor_is_at_work() -> None:
    """Seldom more than a twentieth, and always ready for more."""
    starved = Seen("rank_0", stopped=False, cpu_s=0.0)
    when, _ = first_hang(
        HangWatch(POLICY), 600, lambda t: replace(starved, cpu_s=0.04 * t, waited_s=0.9 * t if t < 300 else 0.8 * t)
    )

    assert when == 600


def test_a_rank_at_rest_on_a_busy_machine_is_silent() -> None:
    """Its threads wake up now and then, and wait for a processor to see that there is nothing to do."""
    resting = Seen("rank_0", stopped=False, cpu_s=0.0)
    when, hang = first_hang(HangWatch(POLICY), 600, lambda t: replace(resting, cpu_s=0.01 * t, waited_s=0.2 * t))

    assert (when, hang.name) == (40, "rank_0")


def test_a_rank_that_waits_for_its_storage_is_at_work() -> None:
    """As while it imports MindSpore from a slow one."""
    when, _ = first_hang(HangWatch(POLICY), 600, lambda t: Seen("rank_0", stopped=False, cpu_s=0.0, reads=t % 10 == 0))

    assert when == 600


def test_a_rank_that_waits_for_the_solo_work_of_another_is_left_alone() -> None:
    when, _ = first_hang(
        HangWatch(POLICY), 600, lambda t: look(0, step=11, cpu=t, phase="save"), lambda _: look(1, step=10)
    )

    assert when == 600


def test_a_rank_that_is_seen_a_step_behind_at_the_end_of_a_long_wait_is_left_alone() -> None:
    """Rank 0 has worked for the others, and its next step is seen before theirs: they are in another pod."""
    when, _ = first_hang(
        HangWatch(POLICY),
        600,
        lambda t: look(0, step=10 + t // 100, cpu=t),
        lambda t: look(1, step=10 + max(t - 5, 0) // 100),
    )

    assert when == 600


def test_a_silent_rank_that_busy_ones_left_behind_is_a_hang() -> None:
    """Where waiting costs processor time, the others seem at work."""
    when, hang = first_hang(
        HangWatch(POLICY), 600, lambda t: look(0, step=min(t, 11), cpu=t), lambda t: look(1, step=min(t, 10))
    )

    assert hang.name == "rank_1"
    assert when <= 52


def test_a_stopped_rank_is_named_even_where_others_are_silent_too() -> None:
    _, hang = first_hang(HangWatch(POLICY), 100, lambda _: look(0), lambda _: look(1, stopped=True))

    assert hang.name == "rank_1"
    assert "SIGSTOP" in hang.message


def test_a_stopped_helper_is_a_hang_and_an_idle_one_is_not() -> None:
    idle, stopped = Seen("msrun", stopped=False, cpu_s=0.0), Seen("scheduler", stopped=True, cpu_s=0.0)

    good, _ = first_hang(HangWatch(POLICY), 100, lambda t: look(0, step=t), helpers=[idle])
    when, hang = first_hang(HangWatch(POLICY), 100, lambda t: look(0, step=t), helpers=[idle, stopped])

    assert good == 100
    assert (when, hang.name) == (40, "scheduler")


def test_whoever_starts_the_ranks_may_not_be_silent_while_none_is_there() -> None:
    when, hang = first_hang(HangWatch(POLICY), 100, lambda t: Seen("msrun", stopped=False, cpu_s=min(t, 5)))

    assert (when, hang.name) == (45, "msrun")


def test_a_short_stop_is_forgiven() -> None:
    when, _ = first_hang(HangWatch(POLICY), 200, lambda t: look(0, step=t, stopped=t % 40 < 35))

    assert when == 200


def test_what_passed_while_the_watcher_was_stopped_is_not_held_against_the_ranks() -> None:
    watch = HangWatch(POLICY)
    assert watch.judge(0.0, [look(0)]) is None

    assert watch.judge(1000.0, [look(0)]) is None
    assert watch.judge(1010.0, [look(0)]) is None
