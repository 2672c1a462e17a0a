"""What we make is in order by everybody's rules, and reads back as what it was made of; for seeded random machines."""

from __future__ import annotations

import random

import pytest

from launcher.ascend import BOARDS, Board
from launcher.errors import UsageError
from launcher.rank_tables import build, form
from launcher.rank_tables.model import Address, Device, Level, RankTable, Server
from launcher.rank_tables.read import read
from launcher.rank_tables.validate import load, validate

ADDRESSES = ("10.{}.{}.{}", "fd00:{:x}:{:x}::{:x}")


def machines(rng: random.Random, board: Board, version: str) -> list[Server]:
    """Whole servers with names in any order and all addresses."""
    form_of_address = rng.choice(ADDRESSES)
    return [
        Server(
            f"10.0.0.{name}",
            tuple(
                device(version, number, server, form_of_address.format(server, name, number + 1))
                for number in range(min(board.max_device_id + 1, 16))
            ),
            "" if version == "2.0" else f"172.16.0.{name}",
        )
        for server, name in enumerate(rng.sample(range(1, 200), rng.randrange(1, 6)))
    ]


def device(version: str, number: int, server: int, address: str) -> Device:
    if version == "2.0":
        eid = Address("EID", f"{server:016x}{number:016x}", ("0/1",))
        above = Address("IPV6" if ":" in address else "IPV4", address, ("0/4", "0/5"), "0")
        levels = (Level(0, f"rack-{server}", "TOPO_FILE_DESC", (eid,)), Level(1, "all", "CLOS", (above,)))
        return Device(number, local_id=number, levels=levels)
    super_device = server * 4194304 + number * 65537 if version == "1.2" else None
    return Device(number, device_ip=address, super_device_id=super_device, ports={"host_port": 16666 + number})


@pytest.mark.parametrize("board", BOARDS.values(), ids=lambda board: board.name)
@pytest.mark.parametrize("seed", range(40))
def test_a_table_of_random_machines_is_in_order_and_reads_back(board: Board, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    version = rng.choice(board.versions)
    count = 2 * rng.randrange(1, 9) if board.dies else rng.choice(board.counts or (*range(1, 9), 16))
    chosen = [build.choose(server, count, board) for server in machines(rng, board, version)]
    pods = {server.server_id: str(index // 2) for index, server in enumerate(build.in_order(chosen))}
    table = build.build(build.in_order(chosen), version, pods)
    text = form.text(table)
    document = load(text.encode(), "hccl.json")
    assert document == form.document(table)
    assert read(document) == (table, [])
    assert validate(document, board=board, rank_size=count * len(chosen)).findings == ()
    assert sorted(one.rank_id or 0 for one in table.devices) == list(range(count * len(chosen)))


def test_two_pods_of_one_server_are_one_server_with_the_ranks_of_both() -> None:
    def part(*numbers: int) -> Server:
        return Server("10.0.0.1", tuple(Device(number, device_ip=f"10.1.1.{number + 1}") for number in numbers))

    table = build.build([part(4, 5), part(0, 1)], "1.0")
    (server,) = table.servers
    assert [(one.device_id, one.rank_id) for one in server.devices] == [(4, 0), (5, 1), (0, 2), (1, 3)]


@pytest.mark.parametrize(
    ("device_name", "has", "count", "taken"),
    [
        ("ascend910", range(8), 4, [0, 1, 2, 3]),
        ("ascend910", [2, 3, 4, 5, 6, 7], 4, [4, 5, 6, 7]),
        ("ascend910", [3, 4, 5], 2, [4, 5]),
        ("ascend910", range(8), 8, list(range(8))),
        ("ascend910b", range(16), 8, list(range(8))),
        ("ascend910b", range(6, 16), 6, [8, 9, 10, 11, 12, 13]),
    ],
)
def test_devices_of_one_ring_are_taken(device_name: str, has: list[int], count: int, taken: list[int]) -> None:
    server = Server("a", tuple(Device(number) for number in has))
    assert [one.device_id for one in build.choose(server, count, BOARDS[device_name]).devices] == taken


@pytest.mark.parametrize(
    ("has", "count", "said"),
    [
        (range(8), 3, "ascend910 takes 1, 2, 4, 8 devices of a server, not 3"),
        ([2, 3, 4, 5], 4, r"server 'a' has no 4 devices that lie in one ring of 4: it has 2-5; ask for fewer"),
        (range(4), 8, "server 'a' has no 8 devices: it has 0-3"),
    ],
)
def test_devices_that_do_not_go_together(has: list[int], count: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build.choose(Server("a", tuple(Device(number) for number in has)), count, BOARDS["ascend910"])


def test_a_server_has_so_many_devices() -> None:
    with pytest.raises(UsageError, match="a server of ascend910 has at most 8 devices, not 16"):
        build.plain_server("a", 16, BOARDS["ascend910"])


@pytest.mark.parametrize("version", ["1.1", "3.0"])
def test_other_versions_are_not_made(version: str) -> None:
    with pytest.raises(ValueError, match=f"tables of version {version} are not made"):
        form.document(RankTable(version, ()))


def test_a_device_without_a_rank_is_no_table() -> None:
    with pytest.raises(ValueError, match="has no number or no rank"):
        form.document(RankTable("1.0", (Server("a", (Device(0),)),)))
