from __future__ import annotations

import pytest

from launcher import environment


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("A-B", "x", "is not a name for an environment variable"),
        ("1A", "x", "is not a name for an environment variable"),
        ("", "x", "is not a name for an environment variable"),
        ("A\n", "x", "is not a name for an environment variable"),
        ("HF_TOKEN", "x", "looks like a secret"),
        ("my_api_key", "x", "looks like a secret"),
        ("MS_SCHED_PORT", "1", "is set by the launcher itself"),
        ("LAUNCHER_RUN", "x", "is set by the launcher itself"),
        ("A", "x\0", "has a NUL"),
        ("A", "x" * (environment.MAX_ENV + 1), "has more than 100000 bytes"),
    ],
)
def test_what_no_stage_may_be_given(name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        environment.check(name, value)


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "_", "HCCL_CONNECT_TIMEOUT", "RANK_TABLE_FILE", "x1"])
def test_what_it_may(name: str) -> None:
    environment.check(name, "x" * environment.MAX_ENV)
