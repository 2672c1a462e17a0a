from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher import ascend, pod_table
from launcher.ascend import BOARDS
from launcher.errors import LauncherError, WaitTimeout
from launcher.pod_table import ReadyTable, operator_table, require_ranks, whole_table
from launcher.rank_tables.model import Device, Server
from launcher.rank_tables.pods import Allocation
from launcher.rank_tables.validate import load, validate
from tests.launcher.fake_ascend import FakeOperator, address
from tests.launcher.test_allocation import FakeTime, damaged, table_or_words

A910, B910 = BOARDS["ascend910"], BOARDS["ascend910b"]


def pod(index: int, ids: range, server: int, *, ips: bool = True) -> Allocation:
    devices = tuple(Device(number, device_ip=address(number, server) if ips else "") for number in ids)
    return Allocation(f"pod {index}", Server(f"10.0.0.{server}", devices), "0", index)


def wait(operator: FakeOperator, ranks: int, time: FakeTime, stopped: Callable[[], bool] = lambda: False) -> ReadyTable:
    return operator_table(
        B910, ranks, operator.folder, deadline_s=60, clock=time.clock, sleep=time.sleep, stopped=stopped
    )


def test_ranks_go_by_the_pods_and_not_by_the_servers_names() -> None:
    ready = whole_table([pod(0, range(8), 9), pod(1, range(8), 10)], B910)
    ranks = [(server.server_id, [device.rank_id for device in server.devices]) for server in ready.table.servers]
    assert ranks == [("10.0.0.9", list(range(8))), ("10.0.0.10", list(range(8, 16)))]
    assert [warning.split()[0] for warning in ready.warnings] == ["rank-order"]


def test_the_text_is_a_table_without_an_error() -> None:
    ready = whole_table([pod(0, range(4), 1)], A910)
    assert validate(load(ready.text.encode(), "x.json"), board=A910, rank_size=4).findings == ()


def test_pods_that_share_a_server_are_one_server() -> None:
    ready = whole_table([pod(0, range(2), 1), pod(1, range(2, 4), 1)], A910)
    assert [len(server.devices) for server in ready.table.servers] == [4]


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([pod(0, range(4), 1, ips=False), pod(1, range(4), 2)], "device-ip-required at .server_list[0].device[0]"),
        ([pod(0, range(4), 1), pod(1, range(4), 1)], "device-id-unique"),
        ([pod(0, range(2), 1), pod(1, range(4, 6), 1)], "ring at .server_list[0].device"),
        ([pod(0, range(4), 1), pod(1, range(8), 2)], "same-count"),
    ],
)
def test_a_table_that_hccl_would_refuse_is_not_used(pods: list[Allocation], words: str) -> None:
    with pytest.raises(LauncherError) as caught:
        whole_table(pods, A910)
    assert words in str(caught.value)
    assert "of what the pods were given (servers 10.0.0.1, 10.0.0." in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_operators_table_is_waited_for_and_kept_as_it_is(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path / "config")
    time = FakeTime(at_5=operator.begin, at_30=lambda: operator.complete(2, range(8)))
    ready = wait(operator, 16, time)
    assert time.now == 30
    pod_table.write(ready, tmp_path / "train" / "rank_table.json")
    assert json.loads((tmp_path / "train" / "rank_table.json").read_text()) == json.loads(operator.path.read_text())


def test_an_operator_is_known_by_its_folder(tmp_path: Path) -> None:
    assert not pod_table.operator_writes(tmp_path / "config")
    assert pod_table.operator_writes(FakeOperator(tmp_path / "config").folder)


def test_after_the_deadline_it_says_what_is_missing(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    with pytest.raises(WaitTimeout, match=r"no file after 60 s; mount the ConfigMap rings-config-JOB"):
        wait(operator, 16, FakeTime())
    operator.begin()
    with pytest.raises(WaitTimeout, match=r"is still 'initializing' after 60 s"):
        wait(operator, 16, FakeTime())
    operator.path.write_text("{}")
    with pytest.raises(WaitTimeout, match=r"has no status after 60 s"):
        wait(operator, 16, FakeTime())


def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="told to stop"):
        wait(FakeOperator(tmp_path), 16, FakeTime(), stopped=lambda: True)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff\xfe", b'{"status": NaN}', b"null", b"{}" * 2])
def test_what_is_no_table_is_told_at_once(tmp_path: Path, data: bytes) -> None:
    operator = FakeOperator(tmp_path)
    operator.path.write_bytes(data)
    time = FakeTime()
    with pytest.raises(LauncherError, match=r"hccl\.json"):
        wait(operator, 16, time)
    assert time.now == 0


def test_a_table_for_fewer_or_more_ranks(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    operator.complete(1, range(8))
    with pytest.raises(LauncherError, match=r"completed with 8 ranks, this run has 16; give the operator's job"):
        wait(operator, 16, FakeTime())
    with pytest.raises(LauncherError, match=r"completed with 8 ranks, this run has 4;"):
        wait(operator, 4, FakeTime())


def test_a_table_with_an_error_names_the_rule(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    operator.complete(2, range(8))
    operator.path.write_text(operator.path.read_text().replace(address(3, 2), address(3, 1)))
    with pytest.raises(LauncherError, match=r"operator's rank table is wrong: device-ip-unique at \.server_list\[1\]"):
        wait(operator, 16, FakeTime())


def test_a_table_of_cpu_and_npu_ranks_is_not_ours(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    operator.path.write_text(json.dumps({"status": ascend.COMPLETED, "version": "1.1"}))
    with pytest.raises(LauncherError, match=r"1\.1"):
        wait(operator, 16, FakeTime())


def test_the_file_may_not_be_read(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    operator.path.mkdir()
    with pytest.raises(LauncherError, match="cannot read the operator's rank table: Is a directory"):
        wait(operator, 16, FakeTime())


def test_the_operators_ranks_must_be_this_pods(tmp_path: Path) -> None:
    operator = FakeOperator(tmp_path)
    operator.complete(2, range(8))
    ready = wait(operator, 16, FakeTime())
    require_ranks(ready, pod(0, range(8), 1), 0)
    require_ranks(ready, pod(1, range(8), 2), 8)
    require_ranks(ready, pod(1, range(8), 2, ips=False), 8)
    with pytest.raises(LauncherError, match=r"the ranks 8, 9, .*, the run expects 0 to 7"):
        require_ranks(ready, pod(0, range(8), 2), 0)
    with pytest.raises(
        LauncherError, match=r"no device 8-9 of server '10.0.0.1', which this pod was given; it is stale"
    ):
        require_ranks(ready, pod(0, range(8, 10), 1), 0)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_file_of_an_operator_gives_one_line_or_a_table_without_an_error(tmp_path: Path, seed: int) -> None:
    operator = FakeOperator(tmp_path)
    operator.complete(2, range(8))
    chance = random.Random(seed)  # noqa: S311
    operator.path.write_text(damaged(chance, operator.path.read_text()))
    made = table_or_words(lambda: wait(operator, 16, FakeTime()))
    if isinstance(made, str):
        assert "hccl.json" in made
        assert "\n" not in made
    else:
        assert validate(json.loads(made.text), board=B910, rank_size=16).errors == ()
