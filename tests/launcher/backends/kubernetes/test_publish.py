from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import names, record, status
from launcher.backends.kubernetes.publish import CHANGED_S, LAST_WORD_S, PROGRESS_S, Publisher
from launcher.errors import ApiError, Unreachable
from launcher.record import RunRecord, StageRecord
from launcher.states import State
from launcher.status import RunStatus
from runfolder import atomic, layout
from tests.launcher.backends.kubernetes.fake_api import FakeApi
from tests.launcher.fake_backend import FakeClock


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.api = FakeApi("lab")
        self.api.put("configmaps", {"metadata": {"name": "demo-status"}})
        self.publisher = Publisher(self.api, folder, clock=self.clock, steady=self.clock, sleep=self.clock.sleep)
        stage = StageRecord("train", State.RUNNING, attempts=1)
        self.now = RunRecord("demo", State.RUNNING, "kubernetes", "cpu", 1, 5.0, "hash", (stage,))

    @property
    def sent(self) -> int:
        return sum(verb == "patch" for verb, _, _ in self.api.calls)

    @property
    def seen(self) -> RunStatus:
        return status.from_json(json.loads(self.api.get("configmaps", "demo-status")["data"][names.STATUS_KEY]))

    def step(self, step: int) -> None:
        line = {"time": self.clock(), "epoch": 1, "epochs": 2, "step": step, "steps": 9, "loss": 1.5}
        atomic.append_line(self.folder / "train" / layout.METRICS, json.dumps(line))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_new_is_sent_but_not_too_often(world: World) -> None:
    world.publisher.offer(world.now)
    assert world.seen == record.to_status(world.now, world.folder)
    failed = replace(world.now, state=State.RETRYING)
    world.publisher.offer(failed)
    assert world.sent == 1
    world.clock.sleep(CHANGED_S)
    world.publisher.offer(failed)
    assert (world.sent, world.seen.state) == (2, State.RETRYING)


def test_what_is_known_already_is_not_sent_again(world: World) -> None:
    for _ in range(50):
        world.publisher.offer(world.now)
        world.clock.sleep(PROGRESS_S)
    assert world.sent == 1


def test_progress_is_read_from_the_storage(world: World) -> None:
    world.step(1)
    world.publisher.offer(world.now)
    world.step(2)
    world.clock.sleep(PROGRESS_S)
    world.publisher.offer(world.now)
    progress = world.seen.stages[0].progress
    assert progress is not None
    assert (progress.step, progress.steps, progress.loss) == (2, 9, 1.5)
    assert world.sent == 2


def test_a_cluster_that_does_not_take_it_is_offered_it_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.api.fail("patch", "configmaps", Unreachable("no answer"))
    world.publisher.offer(world.now)
    assert "no answer" in capsys.readouterr().err
    world.clock.sleep(PROGRESS_S)
    world.publisher.offer(world.now)
    assert world.seen.state is State.RUNNING


def test_the_last_word_is_said_at_once_and_until_it_is_heard(world: World) -> None:
    world.publisher.offer(world.now)
    world.api.fail("patch", "configmaps", Unreachable("no answer"), times=5)
    world.publisher.finish(replace(world.now, state=State.SUCCEEDED))
    assert world.seen.state is State.SUCCEEDED


def test_a_cluster_that_never_answers_is_left_to_another_runner(world: World) -> None:
    begun = world.clock()
    world.api.fail("patch", "configmaps", Unreachable("no answer"), times=10_000)
    with pytest.raises(Unreachable):
        world.publisher.finish(world.now)
    assert world.clock() - begun >= LAST_WORD_S


@pytest.mark.parametrize("code", [403, 404])
def test_a_last_word_that_nobody_may_say_is_left_unsaid(world: World, code: int) -> None:
    world.api.fail("patch", "configmaps", ApiError("no", code), times=9)
    world.publisher.finish(world.now)
    assert world.sent == 1
