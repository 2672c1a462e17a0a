from __future__ import annotations

import random
from pathlib import Path

import pytest

from launcher.failures import recognise, table
from launcher.failures.recognise import Diagnosis, Log

FAILURES = table.ascend().failures
EXCERPTS = {
    path.stem: path.read_text(encoding="utf-8").split("\n\n")
    for path in sorted((Path(__file__).parent / "excerpts").glob("*.txt"))
}
"""What a log holds around each failure, as the sources that `ascend.yaml` names show it; names and addresses changed.

Where a source has only the form of a message ("Reason: %s"), the words in it are made up.
"""
HEALTHY = sorted((Path(__file__).parent / "healthy").glob("*.log"))
"""Logs of a run of ours with two ranks on CPU, with its folders renamed."""
TIMEOUT = "[ERROR] HCCL(7,x):2025-11-21-13:20:00.000.001 EI0006: Getting socket times out. Reason: x\n"
PORT = "[ERROR] HCCL(7,x):2025-11-21-13:18:00.000.001 EI0019: port 60000 has been bound\n"


def read(*texts: str | bytes) -> Diagnosis:
    """Each text is a log of its own, named a, b, …"""
    logs = []
    for name, text in zip("abcdefgh", texts, strict=False):
        log = Log(name, FAILURES)
        log.feed(text.encode() if isinstance(text, str) else text)
        logs.append(log.close())
    return recognise.diagnose(logs)


def names(found: Diagnosis) -> list[str]:
    return [finding.failure.name for finding in found.findings]


@pytest.mark.parametrize(("name", "excerpt"), [(name, text) for name, texts in EXCERPTS.items() for text in texts])
def test_each_failure_is_known_by_what_it_prints(name: str, excerpt: str) -> None:
    found = read(f"2025-11-21 13:18:40,001:INFO:epoch 1\n{excerpt}")
    assert names(found)[0] == name
    assert names(found)[1:] in ([], ["hccl-timeout"], ["ports-taken"])
    assert found.unknown == () or name == "hccl-timeout"
    head = found.findings[0]
    assert head.line.log == "a"
    assert any(text in head.line.text for text in head.sign.texts)


def test_every_sign_of_the_table_has_an_excerpt() -> None:
    assert set(EXCERPTS) == {failure.name for failure in FAILURES}
    for failure in FAILURES:
        lines = "\n".join(EXCERPTS[failure.name]).splitlines()
        for sign in failure.signs:
            assert any(all(text in line for text in sign.texts) for line in lines), (failure.name, sign.texts)


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.name)
def test_logs_of_a_run_that_was_well_hold_nothing(path: Path) -> None:
    assert path.stat().st_size > 0
    assert read(path.read_bytes()) == Diagnosis((), ())


def test_there_are_logs_of_a_run_that_was_well() -> None:
    assert {path.stem for path in HEALTHY} >= {"rank_0", "rank_1", "scheduler", "pod"}


def test_the_line_is_told_as_it_is_with_its_place() -> None:
    found = read("one\ntwo\n" + PORT).findings[0]
    assert (found.line.where, found.line.text) == ("a:3", PORT.strip())
    assert found.sign.source == "hcclug: port binding failure (EI0019)"


def test_the_cause_comes_before_a_timeout_that_another_log_shows_first() -> None:
    found = read(TIMEOUT, TIMEOUT, PORT.replace("13:18", "13:59"))
    assert names(found) == ["ports-taken", "hccl-timeout"]
    timeout = found.findings[1]
    assert (timeout.comes_of, timeout.also) == (("ports-taken",), ("b:1",))


def test_of_two_causes_the_earlier_comes_first() -> None:
    late = PORT.replace("13:18", "13:59")
    assert names(read(late, "[ERROR] 2025-11-21-13:18:00.000.001 EL0005: busy\n")) == ["device-occupied", "ports-taken"]
    assert names(read(late, "[ERROR] 2025-11-21-14:18:00.000.001 EL0005: busy\n")) == ["ports-taken", "device-occupied"]


def test_a_line_without_a_time_has_that_of_the_line_before() -> None:
    early = "2025-11-21 13:18:00,001:INFO:begin\nOSError: [Errno 98] Address already in use\n"
    found = read("[ERROR] 2025-11-21-13:19:00.000.001 EL0005: busy\n", early)
    assert names(found) == ["ports-taken", "device-occupied"]


def test_without_times_the_order_of_the_logs_counts() -> None:
    assert names(read("EL0005: busy\n", "EI0019: bound\n")) == ["device-occupied", "ports-taken"]
    assert names(read("EI0019: bound\n", "EL0005: busy\n")) == ["ports-taken", "device-occupied"]


def test_a_clock_that_is_wrong_explains_that_hccp_did_not_start() -> None:
    found = read("errcode[EJ0001]\n", "verify failed: certificate is not yet valid\n")
    assert names(found) == ["clock-skew", "device-occupied"]
    assert found.findings[1].comes_of == ("clock-skew",)


def test_an_address_that_is_not_here_is_not_a_port_that_is_taken() -> None:
    host, port = read(EXCERPTS["host-network"][-1]).findings
    assert (host.failure.name, port.failure.name) == ("host-network", "ports-taken")
    assert port.comes_of == ("host-network",)


@pytest.mark.parametrize(
    "line",
    [
        "the code XEI0006 is none\n",
        "EI00061: nor this\n",
        "hash=aEI0006f\n",
        "[WARNING] certificate has expired or is not yet valid: current time 2030 is after 2026\n",
        "ra rdev init failed, ret(-5)\n",
        "bind fail! error:13\n",
    ],
)
def test_what_only_looks_alike_is_nothing(line: str) -> None:
    assert names(read(line)) == []


def test_an_unknown_failure_shows_its_lines_and_no_guess() -> None:
    found = read("fine\n[ERROR] DEVICE(1,2,python): EZ9999: Inner Error!\nTraceback\nRuntimeError: out of luck\n")
    assert found.findings == ()
    assert [(line.where, line.text) for line in found.unknown] == [
        ("a:2", "[ERROR] DEVICE(1,2,python): EZ9999: Inner Error!"),
        ("a:4", "RuntimeError: out of luck"),
    ]


@pytest.mark.parametrize("line", ["E19999: Inner Error!", "Not_Known(EZ3002): x", "sphereface: error: lower lr"])
def test_codes_and_words_of_errors_show_an_unknown_failure(line: str) -> None:
    assert [shown.text for shown in read(f"fine E12345 and EZ9999\n{line}\n").unknown] == [line]


def test_beside_a_mere_timeout_the_errors_of_other_ranks_are_shown() -> None:
    found = read(TIMEOUT, "2025-11-21 13:18:00,001:ERROR:the disk is gone\n")
    assert names(found) == ["hccl-timeout"]
    assert [line.where for line in found.unknown] == ["b:1"]


def test_beside_a_cause_they_are_not() -> None:
    assert read(PORT, "2025-11-21 13:18:00,001:ERROR:the disk is gone\n").unknown == ()


def test_errors_are_kept_from_the_first_on_and_only_a_few() -> None:
    found = read(*["".join(f"ValueError: {name}{number}\n" for number in range(1000)) for name in "abcdefgh"])
    assert len(found.unknown) == recognise.MAX_UNKNOWN
    assert [line.text for line in found.unknown[:2]] == ["ValueError: a0", "ValueError: a1"]


def test_the_first_finding_of_lines() -> None:
    found = recognise.first(["all is well", TIMEOUT, PORT])
    assert found is not None
    assert (found.failure.name, found.line.number) == ("ports-taken", 3)
    assert recognise.first(["all is well", "ValueError: x"]) is None
    assert recognise.first([]) is None


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_blocks_may_end_anywhere(size: int) -> None:
    text = ("x\n" * 50 + PORT + "é\n" * 50 + TIMEOUT).encode()
    log = Log("a", FAILURES)
    for at in range(0, len(text), size):
        log.feed(text[at : at + size])
    log.close()
    assert [(found.failure.name, found.line.number) for found in log.findings] == [
        ("ports-taken", 51),
        ("hccl-timeout", 102),
    ]
    assert log.lines == 102


def test_a_line_of_megabytes_is_seen_through_in_little_memory() -> None:
    log = Log("a", FAILURES)
    log.feed(b"first\n")
    for _ in range(100):
        log.feed(b"#" * 50_000)
    log.feed(b"\r100% " + PORT.encode().rstrip() + b"\r")
    for _ in range(100):
        log.feed(b"#" * 50_000)
        assert len(log._rest) <= recognise.MAX_LINE
    log.feed(b"\nnext " + TIMEOUT.encode())
    log.close()
    assert [(found.failure.name, found.line.number) for found in log.findings] == [
        ("ports-taken", 2),
        ("hccl-timeout", 3),
    ]
    assert log.findings[0].line.text == "100% " + PORT.strip()
    assert log.lines == 3


def test_a_sign_across_two_parts_of_a_long_line_is_found() -> None:
    for cut in range(len(PORT)):
        log = Log("a", FAILURES)
        log.feed(b" " * recognise.MAX_LINE + PORT[:cut].encode())
        log.feed(PORT[cut:].encode())
        assert [found.line.number for found in log.close().findings] == [1]


def test_only_what_is_around_the_sign_is_shown_of_a_long_line() -> None:
    text = read("a" * 3000 + " EI0019: taken " + "b" * 3000 + "\n").findings[0].line.text
    assert "EI0019: taken" in text
    assert len(text) <= recognise.MAX_SHOWN + 4
    assert (text[0], text[-1]) == ("…", "…")


def test_control_characters_are_not_printed() -> None:
    text = read(b"\x1b[31mEI0019: \x07taken\n\xff\xfe").findings[0].line.text
    assert text == "\\x1b[31mEI0019: \\x07taken"


def test_any_bytes_will_do() -> None:
    """400 seeded logs of noise with pieces of signs in it: nothing is raised, and places are those of the file."""
    signs = [text.encode() for failure in FAILURES for sign in failure.signs for text in sign.texts]
    for seed in range(400):
        chance = random.Random(seed)  # noqa: S311  noise
        parts = [
            chance.choice(
                (chance.randbytes(chance.randrange(200)), b"\n", b"\r", b"\x00", b"Error: ", chance.choice(signs))
            )
            for _ in range(chance.randrange(60))
        ]
        text = b"".join(parts)
        log = Log("a", FAILURES)
        at = 0
        while at < len(text):
            step = chance.randrange(1, 500)
            log.feed(text[at : at + step])
            at += step
        log.close()
        lines = text.split(b"\n")
        assert log.lines == len(lines) - (not lines[-1])
        for found in log.findings:
            assert all(part.encode() in lines[found.line.number - 1] for part in found.sign.texts)
            assert found.line.text.isprintable()
        whole = Log("a", FAILURES)
        whole.feed(text)
        assert whole.close().findings == log.findings
