from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runfolder import atomic


def test_a_reader_sees_the_old_content_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    atomic.write_json(path, {"state": "Running"})
    with atomic.replacing(path) as temporary:
        temporary.write_text("{half")
        assert json.loads(path.read_text()) == {"state": "Running"}
        temporary.write_text("{}")
    assert json.loads(path.read_text()) == {}


def test_a_writer_that_fails_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    atomic.write_text(path, "old")

    def write_and_fail() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        write_and_fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_an_error_of_the_system_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lfw.json"

    def write_to_a_full_disk() -> None:
        with atomic.replacing(path), Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OSError, match="No space left") as caught:
        write_to_a_full_disk()
    assert caught.value.filename == str(path)


def test_the_suffix_is_kept_and_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "scores.npz"
    with atomic.replacing(path) as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"x")
    assert path.read_bytes() == b"x"


def test_files_are_readable_as_the_umask_says(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    mask = os.umask(0o027)
    try:
        atomic.write_text(path, "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_writing_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    atomic.write_text(path, "old")
    program = (
        "import os, signal, sys; from pathlib import Path; from runfolder import atomic\n"
        "with atomic.replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('new')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode == -9
    assert path.read_text() == "old"


def test_lines_are_appended_whole_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    atomic.append_line(path, '{"a": 1}')
    with path.open("ab") as file:
        file.write(b'{"torn": ')
    atomic.append_line(path, '{"b": 2}')
    assert list(atomic.read_json_lines(path)) == [{"a": 1}, {"b": 2}]


def test_json_lines_of_a_missing_file_are_none_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    assert list(atomic.read_json_lines(tmp_path / "none")) == []
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'[1]\nnot json\n{"step": 1}\n\xff\xfe\n')
    assert list(atomic.read_json_lines(path)) == [{"step": 1}]


def test_several_lines_are_appended_at_once_after_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "attempt_1.log"
    atomic.append_lines(path, ["a", "", "b"])
    with path.open("a") as stream:
        stream.write("torn")
    atomic.append_lines(path, ["c"])

    assert path.read_text() == "a\n\nb\ntorn\nc\n"


def test_of_several_who_create_a_file_one_does_and_readers_see_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "1.json"

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: atomic.create_json(path, {"by": number}), range(8)))

    assert sorted(made) == [False] * 7 + [True]
    assert json.loads(path.read_text()) == {"by": made.index(True)}
    assert [left.name for left in path.parent.iterdir()] == ["1.json"]


def test_leftovers_are_those_of_one_file(tmp_path: Path) -> None:
    with atomic.replacing(tmp_path / "a[1].npz") as temporary:
        (tmp_path / ".b.12345678.npz").touch()
        (tmp_path / ".a[1].12345678.txt").touch()
        assert atomic.leftovers(tmp_path / "a[1].npz") == [temporary]
    assert atomic.leftovers(tmp_path / "a[1].npz") == []
