from __future__ import annotations

from pathlib import Path

import pytest

from launcher import record
from launcher.backends.kubernetes import cleaner
from launcher.plan import Plan, make_plan
from launcher.spec import RunSpec


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Of a run whose folder is there, with a file in a stage's."""
    made = make_plan(RunSpec("demo", storage=str(tmp_path)))
    record.write_plan(Path(made.folder), made)
    (Path(made.folder) / "train").mkdir()
    (Path(made.folder) / "train" / "x").write_text("")
    return made


def call(plan: Plan, plan_hash: str = "") -> int:
    return cleaner.main(["--folder", plan.folder, "--plan-hash", plan_hash or plan.hash])


def test_the_folder_of_the_run_goes_and_nothing_else(plan: Plan) -> None:
    folder = Path(plan.folder)
    other = folder.with_name("demo-2")
    other.mkdir()
    assert call(plan) == 0
    assert list(folder.parent.iterdir()) == [other]
    assert call(plan) == 0, "a second time there is nothing to do"


def test_what_a_killed_one_left_goes_too(plan: Plan) -> None:
    folder = Path(plan.folder)
    folder.rename(folder.with_name(f".removed-demo-{plan.hash[:12]}"))
    assert call(plan) == 0
    assert list(folder.parent.iterdir()) == []


def test_another_runs_folder_is_left_alone(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(plan, "f" * 64) == 0
    assert (Path(plan.folder) / "train" / "x").exists()
    assert "is another run's and is left alone" in capsys.readouterr().out


def test_a_folder_that_is_no_runs_is_left_alone(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(plan.folder) / "plan.json").unlink()
    assert call(plan) == 42
    assert (Path(plan.folder) / "train" / "x").exists()
    assert "has files but no plan.json" in capsys.readouterr().err


def test_a_folder_that_was_only_begun_goes(tmp_path: Path) -> None:
    made = make_plan(RunSpec("demo", storage=str(tmp_path)))
    (Path(made.folder) / ".plan-x").mkdir(parents=True)
    assert call(made) == 0
    assert not Path(made.folder).exists()
