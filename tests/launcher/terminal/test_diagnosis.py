from __future__ import annotations

from launcher.failures import recognise, table
from launcher.failures.recognise import Log
from launcher.terminal import diagnosis


def shown(*texts: str) -> str:
    logs = [Log(f"rank_{number}.log", table.ascend().failures) for number in range(len(texts))]
    for log, text in zip(logs, texts, strict=True):
        log.feed(text.encode())
        log.close()
    return "\n".join(diagnosis.lines(recognise.diagnose(logs), logs))


def test_a_failure_is_told_with_place_cause_remedy_and_source() -> None:
    words = shown("x\nEI0019: taken\n").splitlines()
    assert words[0] == "error    ports-taken: a port is taken by another process"
    assert words[1] == "         seen      rank_0.log:2: EI0019: taken"
    assert [word.split()[0] for word in words[1:]] == ["seen", "cause", "remedy", "source"]
    assert words[4] == "         source    hcclug: port binding failure (EI0019)"


def test_a_consequence_is_a_warning_below_its_cause() -> None:
    words = shown("EI0006: x\n", "EI0019: taken\n").splitlines()
    assert [word for word in words if not word.startswith(" ")] == [
        "error    ports-taken: a port is taken by another process",
        "warning  hccl-timeout: HCCL waited in vain for another rank",
    ]
    assert "         comes of  most likely ports-taken (above)" in words


def test_of_many_places_some_are_named() -> None:
    text = shown(*["EI0006: x\n"] * 12)
    assert "also      rank_1.log:1, " in text
    assert "rank_8.log:1 and 3 more\n" in text


def test_what_is_not_known_is_shown_as_it_is() -> None:
    assert shown("fine\nValueError: odd\n") == (
        "error    unknown: nothing that is known; the first lines that look like errors:\n"
        "         rank_0.log:2: ValueError: odd"
    )
    assert "error    unknown: no cause that is known; the first" in shown("EI0006: x\n", "ValueError: odd\n")


def test_nothing_at_all() -> None:
    assert shown("fine\n") == "ok       logs: no known failure in 1 line of rank_0.log"
    assert shown("fine\nfine", "") == "ok       logs: no known failure in 2 lines of 2 logs"
