from __future__ import annotations

from pathlib import Path

import pytest

from launcher.processes import pod_output
from launcher.processes.pod_output import MAX_BYTES, PodOutput
from launcher.processes.stage_processes import StageProcesses
from runfolder import layout
from tests.launcher.standin import stage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "train"


def output(folder: Path, attempt: int = 1, ranks: int = 2) -> PodOutput:
    """It follows the logs of ranks that do not run."""
    made = PodOutput(folder, attempt)
    processes = StageProcesses(stage(folder.parent, "train", processes=ranks), folder.parent, attempt)
    processes.offsets = dict.fromkeys(processes.ranks, 0)
    made.follow(processes)
    return made


def write(folder: Path, rank: int, data: bytes) -> None:
    with layout.log_file(folder / layout.LOGS, f"rank_{rank}").open("ab") as stream:
        stream.write(data)


def kept(folder: Path, attempt: int = 1) -> str:
    return layout.attempt_log(folder, attempt).read_text()


def test_what_is_printed_is_kept_line_by_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = output(folder)
    out.say("attempt 1 of train begins")
    write(folder, 0, b"one\ntw")
    write(folder, 1, b"x\n\n")
    out.forward()
    write(folder, 0, "o é\r\n".encode())
    out.forward(final=True)
    out.say("two\nlines")

    printed = capfd.readouterr().out
    assert printed == kept(folder)
    assert printed.split("\n") == [
        "[launcher] attempt 1 of train begins",
        "[rank 0] one",
        "[rank 1] x",
        "[rank 1] ",
        "[rank 0] two é",
        "[launcher] two",
        "[launcher] lines",
        "",
    ]


def test_each_attempt_has_its_own_copy(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output(folder, 1).say("first")
    output(folder, 2).say("second")

    assert kept(folder, 1) == "[launcher] first\n"
    assert kept(folder, 2) == "[launcher] second\n"


def test_a_line_that_a_container_runtime_would_split_is_printed_as_several(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "é" * MAX_BYTES
    output(folder).say(text)

    lines = capfd.readouterr().out.splitlines()
    assert all(len(line.encode()) < 1 << 14 for line in lines)
    assert "".join(pod_output.parse(line)[1] for line in lines) == text


def test_a_copy_that_cannot_be_written_does_not_end_the_stage(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout.attempt_log(folder, 1).mkdir(parents=True)
    output(folder).say("on")

    assert capfd.readouterr().out == "[launcher] on\n"


def test_printed_lines_are_parsed_back() -> None:
    assert pod_output.parse("[rank 12] [rank 3] text") == (12, "[rank 3] text")
    assert pod_output.parse("[launcher] ended") == (None, "ended")
    assert pod_output.parse("Traceback (most recent call last):") == (None, "Traceback (most recent call last):")
