"""Plans whose stages run the stand-in program, and looking after the processes that a test starts."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from launcher import names, plan, record
from launcher.plan import Plan, Stage
from launcher.processes import process_tree
from launcher.processes.process_tree import Process
from launcher.profiles import Profile
from launcher.spec import RunSpec, StagePolicy
from runfolder import layout

MSRUN = Path(__file__).parent / "standin_msrun.py"
PROGRAM = Path(__file__).parent / "standin_program.py"
FAST = StagePolicy(retries=2, backoff_s=0.1, heartbeat_s=3.0)


def stage(folder: Path, name: str = "train", *options: str, processes: int = 1, policy: StagePolicy = FAST) -> Stage:
    output = str(layout.stage_folder(folder, name))
    return Stage(
        name=name,
        argv=("python", str(PROGRAM), name, "--output", output, *options),
        processes=processes,
        env={},
        needs=(),
        artifacts=("checkpoints/*.ckpt",),
        policy=policy,
    )


def stand_in_plan(storage: Path, *stages: Stage, run: str = "demo") -> Plan:
    """As `make_plan` makes it, but for the stages."""
    folder = layout.run_folder(storage, run)
    devices = max(each.processes for each in stages)
    flat = plan.flat(RunSpec(run, devices=devices, storage=str(storage), stages=()))
    made = Plan(run, Profile("cpu", "CPU"), 1, devices, str(folder), tuple(stages), None, flat, hash="")
    return replace(made, hash=plan._hash(made))


def written(storage: Path, *stages: Stage, run: str = "demo") -> Plan:
    """The plan, with its run folder as a submit leaves it."""
    made = stand_in_plan(storage, *stages, run=run)
    record.write_plan(Path(made.folder), made)
    record.write_run(Path(made.folder), record.new_run(made, "local", time.time()))
    return made


def use_stand_in_msrun(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is started from now on finds the stand-in under the name of MindSpore's own module."""
    package = place / "mindspore" / "parallel" / "cluster"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    shutil.copy(MSRUN, package / "run.py")
    monkeypatch.setenv("PYTHONPATH", str(place))


def run_path(storage: Path, run: str = "demo") -> Path:
    return layout.run_folder(storage, run)


def left_over(folder: Path) -> list[Process]:
    """Living processes of the run's stages."""
    return process_tree.marked({names.ENV_FOLDER: str(folder)})


@contextmanager
def nothing_left(folder: Path) -> Iterator[Path]:
    """Ends with AssertionError where a process of the run still lives; none does afterwards."""
    yield folder
    left = left_over(folder)
    process_tree.end(lambda: left_over(folder), grace_s=0)
    assert left == []


def reap() -> None:
    """Waits for supervisors that this process started and that have ended; nobody else does while it lives."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def wait_until(true: Callable[[], object], *, seconds: float = 30.0, what: str = "") -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} s: {what or true}"
        time.sleep(0.05)


def steps_done(folder: Path) -> list[tuple[int, int]]:
    """(attempt, step) of every step that rank 0 carried out, in order."""
    path = folder / "train" / "steps.log"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(attempt), int(step)) for attempt, step in (line.split() for line in lines)]
