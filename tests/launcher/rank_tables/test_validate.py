from __future__ import annotations

import json
import random
from typing import Any

import pytest

from launcher import ascend
from launcher.errors import UsageError
from launcher.rank_tables import rules
from launcher.rank_tables.rules import RULES, Severity
from launcher.rank_tables.validate import load, validate
from tests.launcher.rank_tables import tables
from tests.launcher.rank_tables.tables import example, judge, places


@pytest.mark.parametrize(
    ("table", "board"),
    [
        (tables.hccl_tools(), "ascend910"),
        (tables.hccl_tools(1), "ascend910"),
        (tables.merge_hccl(2), "ascend910"),
        (tables.merge_hccl(9), "ascend910"),
        (tables.operator(), "ascend910b"),
        (tables.operator_super_pod(), "ascend910c"),
        (tables.operator_levels(), "ascend950"),
        (tables.config_map(tables.operator()), "ascend910b"),
        (tables.config_map(tables.operator_super_pod()), "ascend910c"),
    ],
)
def test_what_ascends_own_tools_write_passes(table: dict[str, Any], board: str) -> None:
    report = judge(table, rank_size=None)
    assert report.findings == ()
    assert report.board.name == board


def test_a_config_map_that_waits_says_so_and_nothing_else() -> None:
    report = judge(tables.config_map({"status": "initializing"}))
    assert places(report.findings) == {("status", ".status")}
    assert "its operator has not written the table yet" in report.findings[0].text


def test_a_config_map_without_a_table() -> None:
    with pytest.raises(UsageError, match=r"this ConfigMap has no text hccl\.json"):
        judge({"kind": "ConfigMap", "data": {}})


def test_the_name_of_the_file() -> None:
    document = example("two-servers")
    assert validate(document, name="hccl.json").findings == ()
    (found,) = validate(document, name="hccl.txt").findings
    assert (found.rule.id, found.path) == ("file-name", ".")


@pytest.mark.parametrize(("size", "found"), [(16, set()), (8, {("rank-size", ".")})])
def test_rank_size(size: int, found: set[tuple[str, str]]) -> None:
    assert places(judge(example("two-servers"), rank_size=size).findings) == found


def test_a_board_takes_its_versions_only() -> None:
    assert places(judge(example("a3-super-pod"), "ascend910b").findings) == {("board-version", ".version")}
    assert places(judge(example("two-servers"), "ascend950").findings) == {("board-version", ".version")}
    assert judge(example("two-servers"), "ascend910c").errors == ()


def test_910b_may_take_any_number_of_devices_of_a_server() -> None:
    table = tables.operator(1)
    del table["server_list"][0]["device"][6:]
    assert judge(table).findings == ()


def test_uneven_servers_of_910b_are_a_warning() -> None:
    table = tables.operator(2)
    del table["server_list"][1]["device"][6:]
    assert places(judge(table).findings) == {("uneven-count", ".server_list[1].device")}


def test_uneven_modules_of_910b_are_a_warning() -> None:
    table = example("910b-16")
    del table["server_list"][0]["device"][12:]
    assert places(judge(table, "ascend910b").findings) == {("uneven-module", ".server_list[0].device")}


def test_half_a_chip_of_a3_is_a_warning() -> None:
    table = tables.operator_super_pod()
    del table["server_list"][1]["device"][7:]
    assert places(judge(table).findings) == {("half-chip", ".server_list[1].device")}


def test_hosts_and_ports_of_two_are_warnings() -> None:
    table = example("two-servers")
    first, second = table["server_list"]
    second["host_ip"] = first["host_ip"]
    for device in first["device"][:2]:
        device["host_port"] = "16666"
    assert places(judge(table).findings) == {
        ("host-ip-unique", ".server_list[1].host_ip"),
        ("port-unique", ".server_list[0].device[1].host_port"),
    }
    assert judge(table).errors == ()


def test_a_device_with_the_address_of_its_host_is_a_warning() -> None:
    table = example("two-servers")
    table["server_list"][1]["device"][0]["device_ip"] = "10.0.0.2"
    assert places(judge(table).findings) == {("device-ip-host", ".server_list[1].device[0].device_ip")}


@pytest.mark.parametrize("address", ["192.168.1.1", "192.168.1.300"])
def test_a_backup_address_is_of_another_device(address: str) -> None:
    table = example("a3-super-pod")
    table["server_list"][0]["device"][0]["backup_device_ip"] = address
    assert places(judge(table).findings) == {("backup-ip", ".server_list[0].device[0].backup_device_ip")}


def test_one_device_id_twice_in_a_rack_is_a_warning() -> None:
    table = example("950-two-servers")
    table["rank_list"][1]["device_id"] = 0
    assert places(judge(table).findings) == {("same-device", ".rank_list[1].device_id")}


@pytest.mark.parametrize(("replaced", "wrong"), [(3, False), (64, True), (None, True)])
def test_a_spare_names_the_device_that_it_replaces(replaced: int | None, wrong: bool) -> None:
    table = example("950-two-servers")
    table["rank_list"][1] |= {"local_id": ascend.BACKUP_LOCAL_ID}
    if replaced is not None:
        table["rank_list"][1]["replaced_local_id"] = replaced
    assert places(judge(table).findings) == ({("local-id", ".rank_list[1].local_id")} if wrong else set())


def test_dictionary_order() -> None:
    table = tables.merge_hccl(2)
    table["server_list"][0]["server_id"], table["server_list"][1]["server_id"] = "10.0.0.9", "10.0.0.10"
    (found,) = judge(table).findings
    assert (found.rule.id, found.path) == ("rank-order", ".server_list[0].server_id")
    assert "'10.0.0.10' comes before it" in found.text


@pytest.mark.parametrize(
    ("ids", "board"),
    [
        ([[0, 1, 2, 3]], "ascend910"),
        ([[8, 9, 10, 11, 12, 13, 14, 15]], "ascend910b"),
        ([[0, 1, 8, 9], [0, 1, 8, 9]], "ascend910b"),
        ([[0, 1, 2, 3, 4, 5, 6, 8]], "ascend910"),
        ([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], "ascend910"),
    ],
)
def test_the_board_that_a_table_looks_like(ids: list[list[int]], board: str) -> None:
    rank = iter(range(99))
    servers = [
        {"server_id": str(index), "device": [{"device_id": str(one), "rank_id": str(next(rank))} for one in own]}
        for index, own in enumerate(ids)
    ]
    table = {"status": "completed", "version": "1.0", "server_count": str(len(ids)), "server_list": servers}
    assert judge(table).board.name == board


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"a": 1, "a": 2}', "key 'a' is given twice"),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', "key 'c' is given twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "the number 1e999 is too large"),
        ('{"a": ' + "9" * 5000 + "}", "x.json: Exceeds the limit"),
        ("[]", "a rank table is a JSON object ({…}), not a list"),
        ('"completed"', "not a string"),
        ("null", "not null"),
        ("3", "not a number"),
        ("[" * 100_000, "more than 32 levels deep"),
        ('{"a":' * 50 + "1" + "}" * 50, "more than 32 levels deep"),
    ],
)
def test_what_no_two_readers_read_alike_is_one_line(data: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(data.encode(), "x.json")
    assert str(caught.value).startswith("x.json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_too_large() -> None:
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        load(b" " * (65 << 20), "x.json")


def test_ten_thousand_ranks() -> None:
    report = judge(tables.merge_hccl(1250), "ascend910")
    assert report.table.rank_size == 10_000
    # Dictionary order: 10.155.111.1000 stands before 10.155.111.140.
    assert {found.rule.id for found in report.findings} == {"rank-order"}


JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    "",
    " ",
    "x",
    "0",
    "９",
    "\ud800",
    "\x1b[2J",
    [],
    {},
    [[]],
    [{}],
    ["a"],
    {"a": {}},
)


@pytest.mark.parametrize("base", ["two-servers", "910b-16", "a3-super-pod", "950-two-servers"])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_stands_in_a_table_is_told_and_raises_nothing(base: str, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    for _ in range(60):
        table = example(base)
        for _ in range(rng.randrange(1, 5)):
            holder, key = rng.choice(list(parts(table)))
            if rng.random() < 0.3:
                del holder[key]
                break
            holder[key] = rng.choice(JUNK)
        report = judge(table)
        for found in report.findings:
            assert found.path.startswith(".")
            assert found.text
            assert "\n" not in found.text
            assert len(found.text) < 400


def parts(value: Any) -> Any:
    """Each place in a document: what holds it, and its key or index."""
    if isinstance(value, (dict, list)):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from parts(item)


def test_each_rule_says_what_must_hold_what_follows_and_what_to_do() -> None:
    assert len(RULES) == len(rules._ALL)
    for rule in RULES.values():
        assert all((rule.must, rule.consequence, rule.remedy))
        assert set(rule.source.split(", ")) <= {"hcclug", "hcomm", "mind", "models", "notes", "house"}
    assert {rule.severity for rule in RULES.values()} == set(Severity)


def test_errors_come_first() -> None:
    table = example("two-servers")
    table["server_list"][0]["odd"] = "1"
    table["server_list"][1]["device"][7]["rank_id"] = "99"
    severities = [found.rule.severity for found in judge(table).findings]
    assert severities == sorted(severities)
    assert len(severities) == 2


def test_a_report_is_plain_data() -> None:
    assert json.dumps([found.path for found in judge({}).findings])
