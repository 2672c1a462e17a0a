"""Ways in which people and scripts have spoilt tables, written down without a look at the rules: each must be an error.

They are what is seen in forums and issues: a table copied, edited by hand, merged, or made by one's own script.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from launcher.errors import UsageError
from launcher.rank_tables.validate import load
from tests.launcher.rank_tables.tables import example, judge, merge_hccl, operator

Accident = Callable[[dict[str, Any]], Any]


def devices(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [device for server in table["server_list"] for device in server["device"]]


def pasted_server(table: dict[str, Any]) -> None:
    table["server_list"].append(copy.deepcopy(table["server_list"][1]))
    table["server_count"] = "3"


def ranks_begin_again_on_each_server(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["rank_id"] = device["device_id"]


def ranks_from_one(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["rank_id"] = str(int(device["rank_id"]) + 1)


def device_ids_go_on_over_servers(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["device_id"] = device["rank_id"]


def all_as_numbers(table: dict[str, Any]) -> None:
    for device in devices(table):
        device |= {"device_id": int(device["device_id"]), "rank_id": int(device["rank_id"])}


def server_count_counts_devices(table: dict[str, Any]) -> None:
    table["server_count"] = "16"


def a_line_of_hccn_conf(table: dict[str, Any]) -> None:
    devices(table)[2]["device_ip"] = "address_2=192.168.102.101"


def a_host_name_as_address(table: dict[str, Any]) -> None:
    devices(table)[9]["device_ip"] = "npu-9.cluster.local"


def an_address_with_a_port(table: dict[str, Any]) -> None:
    devices(table)[0]["device_ip"] = "192.168.100.101:16666"


def the_host_address_for_every_device(table: dict[str, Any]) -> None:
    for server in table["server_list"]:
        for device in server["device"]:
            device["device_ip"] = server["server_id"]


def a_device_got_lost(table: dict[str, Any]) -> None:
    del table["server_list"][0]["device"][5]


def names_of_devices(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["device_id"] = f"Ascend910-{device['device_id']}"


def devices_as_bare_numbers(table: dict[str, Any]) -> None:
    for server in table["server_list"]:
        server["device"] = [device["device_id"] for device in server["device"]]


def the_key_in_the_plural(table: dict[str, Any]) -> None:
    for server in table["server_list"]:
        server["devices"] = server.pop("device")


def servers_by_name(table: dict[str, Any]) -> None:
    table["server_list"] = {server["server_id"]: server["device"] for server in table["server_list"]}


def full_width_digits(table: dict[str, Any]) -> None:
    devices(table)[3]["rank_id"] = "３"


def nearly_the_status(table: dict[str, Any]) -> None:
    table["status"] = "complete"


def nearly_the_version(table: dict[str, Any]) -> None:
    table["version"] = "1.0.0"


def inside_a_key(table: dict[str, Any]) -> Any:
    return {"hccl.json": table}


def the_template_as_it_is(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["device_ip"] = "xx.xx.xx.xx"


def nothing_in_it(table: dict[str, Any]) -> Any:
    return {}


def still_at_work(table: dict[str, Any]) -> Any:
    return {"status": "initializing"}


def the_old_form(table: dict[str, Any]) -> Any:
    instances = [
        {"devices": [device], "rank_id": device["rank_id"], "server_id": "10.0.0.1"} for device in devices(table)
    ]
    return {"board_id": "0x0000", "status": "completed", "group_list": [{"instance_list": instances}]}


def a_second_server_with_ipv6(table: dict[str, Any]) -> None:
    for index, device in enumerate(table["server_list"][1]["device"]):
        device["device_ip"] = f"fd00::{index + 1:x}"


def one_address_in_two_forms(table: dict[str, Any]) -> None:
    devices(table)[15]["device_ip"] = f"::ffff:{devices(table)[0]['device_ip']}"


ON_TWO_SERVERS = [
    pasted_server, ranks_begin_again_on_each_server, ranks_from_one, device_ids_go_on_over_servers, all_as_numbers,
    server_count_counts_devices, a_line_of_hccn_conf, a_host_name_as_address, an_address_with_a_port,
    the_host_address_for_every_device, a_device_got_lost, names_of_devices, devices_as_bare_numbers,
    the_key_in_the_plural, servers_by_name, full_width_digits, nearly_the_status, nearly_the_version, inside_a_key,
    the_template_as_it_is, nothing_in_it, still_at_work, the_old_form, a_second_server_with_ipv6,
    one_address_in_two_forms,
]  # fmt: skip


@pytest.mark.parametrize("accident", ON_TWO_SERVERS, ids=lambda accident: accident.__name__)
@pytest.mark.parametrize("device", ["", "ascend910"])
def test_an_accident_is_an_error(accident: Accident, device: str) -> None:
    for made in (merge_hccl(), operator(), example("two-servers")):
        table = copy.deepcopy(made)
        spoilt = accident(table)
        hinted = "hardware_type" in json.dumps(table)
        report = judge(table if spoilt is None else spoilt, device)
        # An operator that names the board of its servers is believed: 910B has devices 8..15.
        if not (accident is device_ids_go_on_over_servers and hinted and not device):
            assert report.errors, accident.__name__


def a_pod_of_host_addresses(table: dict[str, Any]) -> None:
    table["super_pod_list"][0]["server_list"] = [{"server_id": "172.16.0.1"}, {"server_id": "172.16.0.2"}]


def names_for_servers_of_a_pod(table: dict[str, Any]) -> None:
    table["super_pod_list"][0]["server_list"] = ["10.0.0.1", "10.0.0.2"]


def device_ids_for_super_device_ids(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["super_device_id"] = device["device_id"]


def hexadecimal_super_device_ids(table: dict[str, Any]) -> None:
    for device in devices(table):
        device["super_device_id"] = hex(int(device["super_device_id"]))


@pytest.mark.parametrize(
    "accident",
    [
        a_pod_of_host_addresses,
        names_for_servers_of_a_pod,
        device_ids_for_super_device_ids,
        hexadecimal_super_device_ids,
    ],
    ids=lambda accident: accident.__name__,
)
def test_an_accident_with_super_pods(accident: Accident) -> None:
    table = example("a3-super-pod")
    accident(table)
    assert judge(table).errors


def strings_as_in_1_0(table: dict[str, Any]) -> None:
    for rank in table["rank_list"]:
        rank["rank_id"] = str(rank["rank_id"])


def an_eid_with_colons(table: dict[str, Any]) -> None:
    table["rank_list"][0]["level_list"][0]["rank_addr_list"][0] |= {"addr_type": "EID", "addr": "fe80::1"}


def one_port_alone(table: dict[str, Any]) -> None:
    table["rank_list"][0]["level_list"][0]["rank_addr_list"][0]["ports"] = "0/1"


def layers_upside_down(table: dict[str, Any]) -> None:
    table["rank_list"][3]["level_list"].reverse()


def another_cluster(table: dict[str, Any]) -> None:
    table["rank_list"][3]["level_list"][1]["net_instance_id"] = "cluster "


@pytest.mark.parametrize(
    "accident",
    [strings_as_in_1_0, an_eid_with_colons, one_port_alone, layers_upside_down, another_cluster],
    ids=lambda accident: accident.__name__,
)
def test_an_accident_with_layers(accident: Accident) -> None:
    table = example("950-two-servers")
    accident(table)
    assert judge(table).errors


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"status": "completed", // done', "hccl.json:1: not JSON"),
        (b'{"status": "completed",\n "version": "1.0",}', "hccl.json:2: not JSON"),
        (b"", "hccl.json:1: not JSON"),
        (b'{"status": "completed", "server_list": [{"device": [', "not JSON"),
        (b"status: completed\n", "not JSON"),
        (b"\x1f\x8b\x08", "not UTF-8"),
        ('{"status": "completed"}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"status": "completed"}', "not JSON"),
    ],
)
def test_a_file_that_is_no_json_is_one_line(data: bytes, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(data, "hccl.json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
