from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from launcher.errors import LauncherError, NotFound
from launcher.failures import log_files, table

FAILURES = table.ascend().failures
PORT = "EI0019: taken\n"


def read(*paths: Path | str, stdin: bytes = b"") -> dict[str, list[str]]:
    """Names of failures that were found, by log."""
    logs = log_files.read([str(path) for path in paths], io.BytesIO(stdin), FAILURES)
    return {log.name: [f"{found.failure.name}:{found.line.number}" for found in log.findings] for log in logs}


def test_files_folders_and_stdin(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text(PORT)
    deep = tmp_path / "debug" / "plog"
    deep.mkdir(parents=True)
    (deep / "plog-12_2025.log").write_text("x\n" + PORT)
    assert read(tmp_path / "a.bin", tmp_path, "-", "-", stdin=PORT.encode()) == {
        f"{tmp_path}/a.bin": ["ports-taken:1"],
        f"{deep}/plog-12_2025.log": ["ports-taken:2"],
        "stdin": ["ports-taken:1"],
    }


def test_of_a_folder_only_logs_are_read_ranks_in_their_order_and_copies_last(tmp_path: Path) -> None:
    for name in ("rank_10.log", "attempt_1.log", "rank_2.log", "0-1.ckpt", "result.json", "rank_2.log.1", "a.txt"):
        (tmp_path / name).touch()
    names = [path.name for path in log_files.files(tmp_path)]
    assert names == ["a.txt", "rank_2.log", "rank_2.log.1", "rank_10.log", "attempt_1.log"]


def test_logs_of_a_run(tmp_path: Path) -> None:
    for name in ("train/logs/rank_0.log", "train/logs/scheduler.log", "train/logs/attempt_1.log", "train/other.log"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in log_files.of_run(tmp_path)] == ["rank_0.log", "scheduler.log"]
    assert log_files.of_run(tmp_path / "gone") == []


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert log_files.files(tmp_path) == [tmp_path / "a.log"]


def test_a_pipe_is_a_log_too(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(PORT))
    writer.start()
    assert read(pipe) == {str(pipe): ["ports-taken:1"]}
    writer.join()


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="gone: no such file or folder"):
        read(tmp_path / "gone")
    with pytest.raises(NotFound, match="no logs in this folder"):
        read(tmp_path)
    (tmp_path / "a.log").touch()
    with pytest.raises(LauncherError, match=r"a\.log/b: cannot read this log: Not a directory"):
        read(tmp_path / "a.log" / "b")


def test_lines_of_several_logs_mixed() -> None:
    lines = [("train/rank_0", "fine"), ("train/rank_1", "fine\n"), ("train/rank_0", PORT)]
    one, other = log_files.read_lines(lines, FAILURES)
    assert (one.lines, one.findings[0].line.where) == (2, "train/rank_0:2")
    assert (other.lines, other.findings) == (1, [])
