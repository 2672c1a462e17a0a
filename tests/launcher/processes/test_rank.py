from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from launcher.processes import rank
from runfolder import layout


def become(tmp_path: Path, *argv: str, pod: int | None = None, **environment: str) -> int:
    wrapper = [sys.executable, "-m", "launcher.processes.rank", str(pod or os.getpid())]
    command = [*wrapper, str(tmp_path), str(tmp_path), *argv]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


def test_role_is_told_by_the_environment() -> None:
    assert rank.role({"MS_ROLE": "MS_SCHED", "RANK_ID": "0"}) == "scheduler"
    assert rank.role({"MS_ROLE": "MS_WORKER", "RANK_ID": "3"}) == "rank_3"
    assert rank.role({}) == "msrun"


def test_becomes_the_program_under_one_process_id_with_its_output_in_the_log(tmp_path: Path) -> None:
    code = become(tmp_path, "python", "-c", "import os; print(os.getpid()); raise SystemExit(5)", RANK_ID="1")

    lines = (tmp_path / "rank_1.log").read_text().splitlines()
    assert code == 5
    assert lines[1] == layout.pid_file(tmp_path, "rank_1").read_text()


def test_attempts_are_parted_in_the_log_and_a_torn_line_is_ended(tmp_path: Path) -> None:
    (tmp_path / "rank_0.log").write_text("cut off in the mid")

    become(tmp_path, "python", "-c", "print('second')", RANK_ID="0", LAUNCHER_ATTEMPT="2", LAUNCHER_STAGE="train")

    first, opening, second = (tmp_path / "rank_0.log").read_text().splitlines()
    assert (first, second) == ("cut off in the mid", "second")
    assert opening.endswith(":INFO:--- attempt 2 of train ---")


def test_opening_line_has_the_form_of_the_training_log() -> None:
    line = rank.opening_line({"LAUNCHER_ATTEMPT": "2", "LAUNCHER_STAGE": "train"}, datetime(2021, 10, 25, 9, 21, 16))

    assert line == "2021-10-25 09:21:16,000:INFO:--- attempt 2 of train ---"


def test_a_program_that_is_not_there_is_127_with_one_line(tmp_path: Path) -> None:
    code = become(tmp_path, "/no/such/program", RANK_ID="0")

    assert code == rank.NOT_STARTED_EXIT
    assert "cannot start /no/such/program: No such file" in (tmp_path / "rank_0.log").read_text()


def test_logs_that_cannot_be_written_are_told_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "rank_0.log").mkdir()

    assert become(tmp_path, "python", "-c", "print('never')", RANK_ID="0") == rank.NO_LOG_EXIT


def test_nothing_is_started_where_the_pod_is_gone_already(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert become(tmp_path, "python", "-c", "print('never')", pod=gone.pid, RANK_ID="0") == rank.NOT_STARTED_EXIT
    assert not (tmp_path / "rank_0.log").exists()
