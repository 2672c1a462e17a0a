from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import SpecError
from launcher.rank_tables import inventory

FOLDER = Path(__file__).parents[3] / "rank_tables"

FILES = sorted([*(FOLDER / "templates").glob("*.yaml"), *(FOLDER / "inputs").glob("*.yaml")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_we_ship_is_read(path: Path) -> None:
    machines = inventory.parse(path.read_text(), path.name)
    assert machines.version in machines.board.versions
    assert all(server.devices for server in machines.servers)


def test_there_is_a_template_for_each_version() -> None:
    assert {path.stem for path in FILES if path.parent.name == "templates"} == {"1.0", "1.2", "2.0"}


@pytest.mark.parametrize(("version", "board"), [("1.0", "ascend910"), ("'1.2'", "ascend910c"), ("2.0", "ascend950")])
def test_the_version_alone_names_a_board(version: str, board: str) -> None:
    text = f"version: {version}\nservers: [{{server_id: a, devices: 1}}]"
    assert inventory.parse(text, "x.yaml").board.name == board


def test_devices_are_counted_or_listed() -> None:
    text = "servers: [{server_id: a, devices: 2}, {server_id: b, devices: [4, 6]}]"
    assert [[one.device_id for one in server.devices] for server in inventory.parse(text, "x").servers] == [
        [0, 1],
        [4, 6],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.yaml: servers is missing"),
        ("servers: []", "x.yaml: servers is missing"),
        ("servers: 3", "x.yaml: servers must be a list, not 3"),
        ("servers: [a]", "x.yaml: servers[0] must be a mapping of keys to values, not 'a'"),
        ("servers: [{devices: 1}]", "x.yaml: servers[0].server_id is missing"),
        ("servers: [{server_id: 5, devices: 1}]", "x.yaml: servers[0].server_id must be text in quotes, not 5"),
        ("servers: [{server_id: a}]", "x.yaml: servers[0].devices is missing"),
        ("servers: [{server_id: a, devices: 0}]", "x.yaml: servers[0].devices must be 1 to 64, not 0"),
        ("servers: [{server_id: a, devices: [-1]}]", "servers[0].devices must hold whole numbers from 0 on, not -1"),
        ("servers: [{server_id: a, device: 1}]", "servers[0].device is unknown (did you mean 'devices'?)"),
        ("servers: [{server_id: a, devices: 2, device_ips: [10.0.0.1]}]", "device_ips has 1 entries for 2 devices"),
        ("servers: [{server_id: a, devices: 1, device_ips: [1.5]}]", "must hold texts; put 1.5 in quotes"),
        (
            "servers: [{server_id: a, devices: 1}, {server_id: a, devices: 1}]",
            "servers[1].server_id is that of servers[0]",
        ),
        ("device: ascend91\nservers: [{server_id: a, devices: 1}]", "device must be one of ascend910"),
        ("version: 1.1\nservers: [{server_id: a, devices: 1}]", "tables of version 1.1 are not made"),
        ("version: 1.2\ndevice: ascend910\nservers: []", "device ascend910 takes version 1.0, not 1.2"),
        ("servers: [{server_id: a, devices: 1, levels: [{net_layer: x}]}]", "net_layer must be a whole number"),
        ("server: 1\nserver: 2", "x.yaml:2: key 'server' is given twice"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        inventory.parse(text, "x.yaml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
