"""Each way to spoil a table is found, and named by its rule and its place. Where it is spoilt is seeded."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from launcher.rank_tables.rules import RULES
from tests.launcher.rank_tables.tables import example, judge, places

Spoil = Callable[[dict[str, Any], random.Random], str]
"""Spoils a table and gives the path of the fault."""


def device(key: str, value: Any) -> Spoil:
    """Any device of any server gets the value; `...` removes the key."""

    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        server = rng.randrange(len(table["server_list"]))
        index = rng.randrange(len(table["server_list"][server]["device"]))
        put(table["server_list"][server]["device"][index], key, value)
        return f".server_list[{server}].device[{index}].{key}"

    return spoil


def server(key: str, value: Any) -> Spoil:
    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        index = rng.randrange(len(table["server_list"]))
        put(table["server_list"][index], key, value)
        return f".server_list[{index}].{key}"

    return spoil


def top(key: str, value: Any) -> Spoil:
    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        put(table, key, value)
        return f".{key}"

    return spoil


def copied(key: str, *, across: bool) -> Spoil:
    """A device gets the value of an earlier one: of another server, or of its own."""

    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        first = table["server_list"][0]["device"]
        later = 1 if across else 0
        into = table["server_list"][later]["device"]
        index = rng.randrange(1, len(into))
        into[index][key] = first[rng.randrange(index)][key]
        return f".server_list[{later}].device[{index}].{key}"

    return spoil


def rank(key: str, value: Any) -> Spoil:
    """2.0: any rank."""

    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        index = rng.randrange(len(table["rank_list"]))
        put(table["rank_list"][index], key, value)
        return f".rank_list[{index}].{key}"

    return spoil


def level(key: str, value: Any) -> Spoil:
    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        index, layer = rng.randrange(len(table["rank_list"])), rng.randrange(2)
        put(table["rank_list"][index]["level_list"][layer], key, value)
        return f".rank_list[{index}].level_list[{layer}].{key}"

    return spoil


def address(key: str, value: Any, below: str = "") -> Spoil:
    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        index, layer = rng.randrange(len(table["rank_list"])), rng.randrange(2)
        put(table["rank_list"][index]["level_list"][layer]["rank_addr_list"][0], key, value)
        return f".rank_list[{index}].level_list[{layer}].rank_addr_list[0].{key}{below}"

    return spoil


def put(holder: dict[str, Any], key: str, value: Any) -> None:
    if value is ...:
        del holder[key]
    else:
        holder[key] = value


def same_server(table: dict[str, Any], rng: random.Random) -> str:
    table["server_list"][1]["server_id"] = table["server_list"][0]["server_id"]
    return ".server_list[1].server_id"


def ids(*numbers: int) -> Spoil:
    """Devices of both servers get these ids, one each, and the table as many of them."""

    def spoil(table: dict[str, Any], rng: random.Random) -> str:
        for index, entry in enumerate(table["server_list"]):
            entry["device"] = entry["device"][: len(numbers)]
            for place, (one, number) in enumerate(zip(entry["device"], numbers, strict=True)):
                one |= {"device_id": str(number), "rank_id": str(index * len(numbers) + place)}
        return f".server_list[{rng.randrange(2)}].device"

    return spoil


def fewer(table: dict[str, Any], rng: random.Random) -> str:
    del table["server_list"][1]["device"][4:]
    return ".server_list[1].device"


def one_based(table: dict[str, Any], rng: random.Random) -> str:
    for entry in table["server_list"]:
        for one in entry["device"]:
            one["rank_id"] = str(int(one["rank_id"]) + 1)
    return f".server_list[1].device[{len(table['server_list'][1]['device']) - 1}].rank_id"


def swapped(table: dict[str, Any], rng: random.Random) -> str:
    first, second = (entry["device"] for entry in table["server_list"])
    for one, two in zip(first, second, strict=True):
        one["rank_id"], two["rank_id"] = two["rank_id"], one["rank_id"]
    return ".server_list[1].server_id"


def interleaved(table: dict[str, Any], rng: random.Random) -> str:
    for index, entry in enumerate(table["server_list"]):
        for place, one in enumerate(entry["device"]):
            one["rank_id"] = str(2 * place + index)
    return f".server_list[{rng.randrange(2)}].device"


def pods(value: Callable[[list[Any]], str]) -> Spoil:
    return lambda table, _: value(table["super_pod_list"])


def pod_twice(lists: list[Any]) -> str:
    lists.append({"super_pod_id": lists[0]["super_pod_id"], "server_list": [lists[0]["server_list"].pop()]})
    return ".super_pod_list[1].super_pod_id"


def pod_lacks_server(lists: list[Any]) -> str:
    del lists[0]["server_list"][1]
    return ".server_list[1].server_id"


def pod_names_server_twice(lists: list[Any]) -> str:
    lists[0]["server_list"].append(copy.deepcopy(lists[0]["server_list"][0]))
    return ".super_pod_list[0].server_list[2].server_id"


def pod_names_stranger(lists: list[Any]) -> str:
    lists[0]["server_list"][1]["server_id"] = "10.9.9.9"
    return ".super_pod_list[0].server_list[1].server_id"


def pod_without_name(lists: list[Any]) -> str:
    lists[0]["super_pod_id"] = ""
    return ".super_pod_list[0].super_pod_id"


def layers_reversed(table: dict[str, Any], rng: random.Random) -> str:
    index = rng.randrange(len(table["rank_list"]))
    table["rank_list"][index]["level_list"].reverse()
    return f".rank_list[{index}].level_list[1].net_layer"


def apart(table: dict[str, Any], rng: random.Random) -> str:
    for entry in table["rank_list"]:
        del entry["level_list"][1]
    return ".rank_list"


def same_address(table: dict[str, Any], rng: random.Random) -> str:
    first, last = table["rank_list"][0], table["rank_list"][-1]
    last["level_list"][1]["rank_addr_list"] = copy.deepcopy(first["level_list"][1]["rank_addr_list"])
    return f".rank_list[{len(table['rank_list']) - 1}].level_list[1].rank_addr_list[0].addr"


def one_address_more(table: dict[str, Any], rng: random.Random) -> str:
    listed = table["rank_list"][-1]["level_list"][1]["rank_addr_list"]
    listed.append(listed[0] | {"addr": "192.168.99.1"})
    return f".rank_list[{len(table['rank_list']) - 1}].level_list[1].rank_addr_list"


def same_local(table: dict[str, Any], rng: random.Random) -> str:
    table["rank_list"][1]["local_id"] = table["rank_list"][0]["local_id"]
    return ".rank_list[1].local_id"


def same_rank(table: dict[str, Any], rng: random.Random) -> str:
    index = rng.randrange(1, len(table["rank_list"]))
    table["rank_list"][index]["rank_id"] = 0
    return f".rank_list[{index}].rank_id"


def another_family(table: dict[str, Any], rng: random.Random) -> str:
    layer = table["rank_list"][2]["level_list"][1]
    layer["rank_addr_list"][0] |= {"addr_type": "IPV6", "addr": "fd00::7"}
    return ".rank_list[2].level_list[1].rank_addr_list[0].addr_type"


A, B, S, L = "two-servers", "910b-16", "a3-super-pod", "950-two-servers"
CORRUPTIONS: list[tuple[str, str, Spoil]] = [
    # The form.
    ("status", A, top("status", "initializing")),
    ("missing-key", A, top("status", ...)),
    ("version", A, top("version", "3.0")),
    ("version", A, top("version", ...)),
    ("heterogeneous", A, top("version", "1.1")),
    ("missing-key", A, top("server_list", ...)),
    ("missing-key", A, server("server_id", ...)),
    ("missing-key", A, server("device", ...)),
    ("missing-key", A, device("rank_id", ...)),
    ("missing-key", L, level("net_layer", ...)),
    ("structure", A, top("server_list", {})),
    ("structure", A, server("device", "0,1,2,3")),
    ("json-string", A, device("rank_id", 3)),
    ("json-string", A, top("server_count", 2)),
    ("json-string", A, device("device_ip", None)),
    ("json-string", S, device("super_device_id", 65537)),
    ("json-integer", L, rank("rank_id", "0")),
    ("json-integer", L, rank("device_id", 1.5)),
    ("json-integer", L, rank("local_id", True)),
    ("unknown-key", A, device("devcie_ip", "192.168.1.1")),
    # Servers and devices.
    ("server-list", A, top("server_list", [])),
    ("server-count", A, top("server_count", "3")),
    ("server-count", A, top("server_count", "two")),
    ("server-id", A, server("server_id", "")),
    ("server-id", A, server("server_id", "n" * 65)),
    ("server-id", A, server("server_id", "10.0.0.1 ")),
    ("server-id-unique", A, same_server),
    ("host-ip", A, server("host_ip", "10.0.0.256")),
    ("device-list", A, server("device", [])),
    ("device-id", A, device("device_id", "8")),
    ("device-id", B, device("device_id", "16")),
    ("device-id", A, device("device_id", "-1")),
    ("device-id", A, device("device_id", "davinci3")),
    ("device-id-unique", A, copied("device_id", across=False)),
    ("device-ip", A, device("device_ip", "192.168.100.300")),
    ("device-ip", A, device("device_ip", "0.0.0.0")),  # noqa: S104
    ("device-ip", A, device("device_ip", "192.168.100.101/24")),
    ("device-ip", A, device("device_ip", "127.0.0.1")),
    ("device-ip", A, device("device_ip", "255.255.255.0")),
    ("device-ip", A, device("device_ip", "fe80::1%eth0")),
    ("device-ip-unique", A, copied("device_ip", across=True)),
    ("device-ip-unique", B, copied("device_ip", across=False)),
    ("device-ip-family", A, device("device_ip", "fd00::1")),
    ("device-ip-required", A, device("device_ip", ...)),
    ("device-ip-required", A, device("device_ip", "")),
    ("device-ip-missing", B, device("device_ip", ...)),
    ("port", A, device("device_port", "0")),
    ("port", A, device("host_port", "65536")),
    # Ranks.
    ("rank-id", A, device("rank_id", "0x3")),
    ("rank-id", A, device("rank_id", "03")),
    ("rank-id-unique", A, copied("rank_id", across=False)),
    ("rank-id-unique", A, copied("rank_id", across=True)),
    ("rank-id-contiguous", A, device("rank_id", "16")),
    ("rank-id-contiguous", A, one_based),
    ("rank-order", A, swapped),
    ("rank-interleaved", A, interleaved),
    # Topology.
    ("ring", A, ids(2, 3, 4, 5)),
    ("ring", A, ids(3, 4)),
    ("device-count", A, ids(0, 1, 2)),
    ("device-count", A, ids(0, 1, 2, 4, 5, 6)),
    ("same-count", A, fewer),
    # Super pods.
    ("missing-key", S, top("super_pod_list", ...)),
    ("super-pod-list", S, top("super_pod_list", [])),
    ("super-pod-version", S, lambda table, rng: top("version", "1.0")(table, rng) and ".super_pod_list"),
    ("super-pod-id", S, pods(pod_without_name)),
    ("super-pod-id-unique", S, pods(pod_twice)),
    ("super-pod-server", S, pods(pod_lacks_server)),
    ("super-pod-server", S, pods(pod_names_server_twice)),
    ("super-pod-server", S, pods(pod_names_stranger)),
    ("super-device-id", S, device("super_device_id", ...)),
    ("super-device-id-unique", S, copied("super_device_id", across=True)),
    # 2.0.
    ("rank-list", L, top("rank_list", [])),
    ("rank-count", L, top("rank_count", 5)),
    ("rank-id-unique", L, same_rank),
    ("rank-id-contiguous", L, rank("rank_id", 9)),
    ("local-id", L, rank("local_id", 65)),
    ("local-id-unique", L, same_local),
    ("level-list", L, rank("level_list", [])),
    ("net-layer", L, layers_reversed),
    ("net-instance", L, level("net_instance_id", "")),
    ("net-type", L, level("net_type", "RING")),
    ("address", L, address("addr", "192.168.10.999")),
    ("address", L, address("addr_type", "MAC")),
    ("address-ports", L, address("ports", [])),
    ("address-ports", L, address("ports", ["eth0"], "[0]")),
    ("address-count", L, one_address_more),
    ("address-unique", L, same_address),
    ("device-ip-family", L, another_family),
    ("not-connected", L, apart),
    ("detour", L, top("detour", "maybe")),
]
DEVICES = {A: "ascend910", B: "ascend910b", S: "ascend910c", L: "ascend950"}


def test_there_are_more_than_sixty() -> None:
    assert len(CORRUPTIONS) >= 60


@pytest.mark.parametrize("base", DEVICES)
def test_the_tables_to_spoil_are_in_order(base: str) -> None:
    assert judge(example(base), DEVICES[base]).findings == ()


@pytest.mark.parametrize("number", range(len(CORRUPTIONS)))
def test_a_corruption_is_found_and_named(number: int) -> None:
    rule, base, spoil = CORRUPTIONS[number]
    for seed in range(5):
        table = example(base)
        path = spoil(table, random.Random(1000 * number + seed))  # noqa: S311
        report = judge(table, DEVICES[base])
        assert (rule, path) in places(report.findings), [(found.rule.id, found.path) for found in report.findings]
        assert bool(report.errors) == (RULES[rule].severity == "error"), report.findings


@pytest.mark.parametrize("number", range(len(CORRUPTIONS)))
def test_it_is_found_without_a_word_on_the_board_too(number: int) -> None:
    """But for ids above 7: a table does not say that it is for a board without them; then another rule sees it."""
    rule, base, spoil = CORRUPTIONS[number]
    table = example(base)
    spoil(table, random.Random(number))  # noqa: S311
    assert any(found.rule.severity == RULES[rule].severity for found in judge(table).findings)


def test_the_corruptions_name_nearly_every_rule() -> None:
    """The others have tests of their own (`test_validate.py`)."""
    left = set(RULES) - {rule for rule, _, _ in CORRUPTIONS}
    assert left == {
        "file-name", "board-version", "device-ip-host", "host-ip-unique", "port-unique", "backup-ip", "rank-size",
        "uneven-count", "uneven-module", "half-chip", "same-device",
    }  # fmt: skip
