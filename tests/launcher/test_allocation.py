from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher import ascend
from launcher.allocation import Given, hccn_tool, own_server
from launcher.ascend import BOARDS, HOST_IP, POD_IP, RT_VISIBLE_DEVICES, VISIBLE_DEVICES
from launcher.errors import LauncherError, WaitTimeout
from launcher.pod_table import ReadyTable, whole_table
from launcher.rank_tables import pods
from launcher.rank_tables.validate import validate
from tests.launcher.fake_ascend import FakeDevicePlugin, FakeHccnConf, FakeHccnTool, address

A910, B910, C910, A950 = (BOARDS[name] for name in ("ascend910", "ascend910b", "ascend910c", "ascend950"))
NO_TOOL = FakeHccnTool({}, FileNotFoundError(2, "No such file or directory"))


class FakeTime:
    """A clock that only sleeping moves; `events` happen at their second."""

    def __init__(self, **events: Callable[[], object]) -> None:
        self.now = 0.0
        self._events = {float(name.removeprefix("at_")): event for name, event in events.items()}

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for due in [moment for moment in self._events if moment <= self.now]:
            self._events.pop(due)()


def ids(given: Given) -> list[int | None]:
    return [device.device_id for device in given.allocation.server.devices]


def ips(given: Given) -> list[str]:
    return [device.device_ip for device in given.allocation.server.devices]


def test_the_annotation_wins_over_the_environment(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path).give([4, 5], server=7)
    FakeHccnConf(tmp_path, range(8))
    given = own_server({VISIBLE_DEVICES: "0,1", HOST_IP: "10.9.9.9"}, tmp_path, A910, 2, NO_TOOL, pod=3)
    assert (ids(given), ips(given)) == ([4, 5], [address(4, 7), address(5, 7)])
    assert (given.allocation.server.server_id, given.allocation.index) == ("10.0.0.7", 3)
    assert given.source.endswith("/etc/podinfo/ascend-910-configuration")


def test_devices_come_in_the_order_in_which_a_container_numbers_them(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path).give([6, 4, 7, 5])
    assert ids(own_server({}, tmp_path, A910, 4, NO_TOOL)) == [4, 5, 6, 7]


@pytest.mark.parametrize("text", ["4,5", "4-5", "Ascend910-4,Ascend910-5", "npu-5,npu-4", " 4 , 5 "])
def test_without_it_the_variable_of_the_container_runtime(tmp_path: Path, text: str) -> None:
    FakeHccnConf(tmp_path, range(8))
    given = own_server({VISIBLE_DEVICES: text, HOST_IP: "10.0.0.1"}, tmp_path, A910, 2, NO_TOOL)
    assert (ids(given), ips(given)) == ([4, 5], [address(4), address(5)])
    assert (given.source, given.notes) == (VISIBLE_DEVICES, ())
    assert (given.allocation.server.server_id, given.allocation.server.host_ip) == ("10.0.0.1", "10.0.0.1")


def test_hccn_tool_is_asked_for_addresses_that_the_file_lacks(tmp_path: Path) -> None:
    FakeHccnConf(tmp_path, [0])
    tool = FakeHccnTool({1: "192.168.9.9"})
    given = own_server({VISIBLE_DEVICES: "0,1"}, tmp_path, A910, 2, tool)
    assert ips(given) == [address(0), "192.168.9.9"]
    assert tool.asked == [[ascend.HCCN_TOOL, "-i", "1", "-ip", "-g"]]


def test_one_server_does_without_addresses_and_says_what_was_not_to_be_had(tmp_path: Path) -> None:
    given = own_server({VISIBLE_DEVICES: "0-3", POD_IP: "10.244.0.9"}, tmp_path, A910, 4, NO_TOOL)
    assert ips(given) == ["", "", "", ""]
    assert given.allocation.server.server_id == "10.244.0.9"
    assert [note.rpartition("/")[2] for note in given.notes] == [
        "hccn.conf: No such file or directory",
        "hccn_tool: No such file or directory",
    ]


def test_a_device_without_address_is_asked_for_and_told(tmp_path: Path) -> None:
    given = own_server({VISIBLE_DEVICES: "0,1"}, tmp_path, A910, 2, FakeHccnTool({1: "192.168.1.1"}))
    assert ips(given) == ["", "192.168.1.1"]


def test_the_process_may_see_only_some_of_its_containers_devices(tmp_path: Path) -> None:
    plugin = FakeDevicePlugin(tmp_path)
    plugin.give([4, 5, 6, 7])
    assert ids(own_server({RT_VISIBLE_DEVICES: "1,3"}, tmp_path, A910, 2, NO_TOOL)) == [5, 7]
    plugin.path.unlink()
    environment = {VISIBLE_DEVICES: "4-7", RT_VISIBLE_DEVICES: "0,1"}
    assert ids(own_server(environment, tmp_path, A910, 2, NO_TOOL)) == [4, 5]
    assert ids(own_server({RT_VISIBLE_DEVICES: "6,7"}, tmp_path, A910, 2, NO_TOOL)) == [6, 7]


def test_the_annotation_is_waited_for(tmp_path: Path) -> None:
    plugin = FakeDevicePlugin(tmp_path)
    time = FakeTime(at_40=lambda: plugin.give([0, 1]))
    given = own_server({}, tmp_path, A910, 2, NO_TOOL, deadline_s=60, clock=time.clock, sleep=time.sleep)
    assert (ids(given), time.now) == ([0, 1], 40)


def test_it_is_not_waited_for_where_the_environment_says_all(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path)
    FakeHccnConf(tmp_path, range(8))
    time = FakeTime()
    own_server({VISIBLE_DEVICES: "0,1"}, tmp_path, A910, 2, NO_TOOL, deadline_s=60, clock=time.clock, sleep=time.sleep)
    assert time.now == 0


def test_of_a_super_pod_the_annotation_says_more_and_is_waited_for(tmp_path: Path) -> None:
    plugin = FakeDevicePlugin(tmp_path)
    FakeHccnConf(tmp_path, range(16))
    own = [{"device_id": str(n), "device_ip": address(n), "super_device_id": str(100 + n)} for n in (0, 1)]
    time = FakeTime(at_5=lambda: plugin.give([], devices=own, super_pod_id=3))
    environment = {VISIBLE_DEVICES: "0,1"}
    given = own_server(environment, tmp_path, C910, 2, NO_TOOL, deadline_s=9, clock=time.clock, sleep=time.sleep)
    assert (given.allocation.version, given.allocation.super_pod) == ("1.2", "3")


def test_after_the_deadline_what_the_environment_says_is_taken(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path)
    time = FakeTime()
    given = own_server(
        {VISIBLE_DEVICES: "0,1"}, tmp_path, A910, 2, NO_TOOL, nodes=2, deadline_s=9, clock=time.clock, sleep=time.sleep
    )
    assert (given.source, time.now) == (VISIBLE_DEVICES, 9)


def test_one_server_needs_no_addresses_and_waits_for_none(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path)
    time = FakeTime()
    environment = {VISIBLE_DEVICES: "0,1"}
    given = own_server(environment, tmp_path, A910, 2, NO_TOOL, deadline_s=9, clock=time.clock, sleep=time.sleep)
    assert (given.source, time.now) == (VISIBLE_DEVICES, 0)


def test_a_tool_is_run_and_read_on_both_streams() -> None:
    program = "import sys; print('ipaddr:192.168.1.1'); print('more', file=sys.stderr); sys.exit(3)"
    assert hccn_tool([sys.executable, "-c", program]) == "ipaddr:192.168.1.1\nmore\n"
    with pytest.raises(OSError, match="No such file"):
        hccn_tool(["/no/such/hccn_tool", "-i", "0", "-ip", "-g"])


def refusal(environment: dict[str, str], root: Path, board: ascend.Board, count: int) -> str:
    time = FakeTime()
    with pytest.raises(LauncherError) as caught:
        own_server(environment, root, board, count, NO_TOOL, deadline_s=30, clock=time.clock, sleep=time.sleep)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nothing_found_says_where_was_looked(tmp_path: Path) -> None:
    text = refusal({VISIBLE_DEVICES: "void"}, tmp_path, A910, 8)
    assert "ascend-910-configuration is not mounted, ASCEND_VISIBLE_DEVICES is 'void'" in text
    assert "ASCEND_RT_VISIBLE_DEVICES is not set; see to it that the Ascend device plugin runs" in text


def test_a_deadline_that_passed_may_be_tried_again(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path)
    time = FakeTime()
    with pytest.raises(WaitTimeout, match="is still empty after 30 s"):
        own_server({}, tmp_path, A910, 8, NO_TOOL, deadline_s=30, clock=time.clock, sleep=time.sleep)


def test_who_is_told_to_stop_waits_no_longer(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path)
    with pytest.raises(LauncherError, match="told to stop"):
        own_server({}, tmp_path, A910, 8, NO_TOOL, deadline_s=30, stopped=lambda: True)


def test_a_board_of_2_0_needs_the_annotation(tmp_path: Path) -> None:
    assert "for ascend950 the annotation alone says enough" in refusal({VISIBLE_DEVICES: "0"}, tmp_path, A950, 1)


@pytest.mark.parametrize(
    ("devices", "count", "words"),
    [
        ("0-3", 8, "was given 4 devices (0-3), its stage asks for 8"),
        ("0-7", 4, "was given 8 devices (0-7), its stage asks for 4"),
        ("2-5", 4, "no 4 devices that lie in one ring of 4: it has 2-5"),
        ("0-2", 3, "takes 1, 2, 4, 8 devices of a server, not 3"),
        ("8,9", 2, "device-id at .server_list[0].device[0].device_id: device_id is 8, above 7"),
    ],
)
def test_devices_that_cannot_be_used(tmp_path: Path, devices: str, count: int, words: str) -> None:
    assert words in refusal({VISIBLE_DEVICES: devices}, tmp_path, A910, count)


@pytest.mark.parametrize("text", ["a", "0,,1", "3-1", "0-99999999999", "-1", "0x1", "Ascend310-0", "0-1-2", "٣"])
def test_a_variable_of_another_form_is_told(tmp_path: Path, text: str) -> None:
    assert "ASCEND_VISIBLE_DEVICES is" in refusal({VISIBLE_DEVICES: text}, tmp_path, A910, 1)


@pytest.mark.parametrize("text", ["1,0", "0,0", "0-1", "x", "0, 1"])
def test_cann_reads_ascending_numbers_alone(tmp_path: Path, text: str) -> None:
    assert "it must be ascending numbers" in refusal({RT_VISIBLE_DEVICES: text}, tmp_path, A910, 1)


def test_a_number_that_the_container_has_not(tmp_path: Path) -> None:
    environment = {VISIBLE_DEVICES: "4-7", RT_VISIBLE_DEVICES: "4,5"}
    assert "this container has 4 devices (4-7), which are numbered from 0" in refusal(environment, tmp_path, A910, 2)


def test_a_device_that_stands_twice(tmp_path: Path) -> None:
    FakeDevicePlugin(tmp_path).give([3, 3])
    assert "device 3 stands there twice" in refusal({}, tmp_path, A910, 2)


def test_pods_tell_each_other_in_the_annotations_form(tmp_path: Path) -> None:
    layers = [("inside", 0, "rack"), ("RoCE", 3, "all")]
    levels = [
        {"level": layer, "info": {network: {
            "net_layer": layer, "net_instance_id": name, "net_type": "CLOS",
            "rank_addr_list": [{"addr_type": "IPV4", "addr": f"10.1.{layer}.1", "ports": ["0/1"], "plane_id": "0"}],
        }}}
        for network, layer, name in layers
    ]  # fmt: skip
    device = {"device_id": "3", "device_ip": "192.168.0.1", "super_device_id": "77", ascend.LEVEL_LIST: levels}
    FakeDevicePlugin(tmp_path).give([], devices=[device], super_pod_id="5")
    own = own_server({}, tmp_path, A950, 1, NO_TOOL, pod=2).allocation
    assert len(own.server.devices[0].levels) == 2
    told = json.loads(json.dumps(pods.annotation(own)))
    assert pods.allocation(json.dumps(told), own.pod, 2) == own


def table_or_words(make: Callable[[], ReadyTable]) -> ReadyTable | str:
    try:
        return make()
    except LauncherError as error:
        return str(error)


def damaged(chance: random.Random, text: str) -> str:
    """One seeded change of a text: a stretch cut out, doubled or replaced, or a value of its JSON by another kind."""
    if chance.random() < 0.6 and text.startswith("{"):
        document = json.loads(text)
        holders: list[Any] = [document]
        for holder in holders:
            inner = holder.values() if isinstance(holder, dict) else holder
            holders += [one for one in inner if isinstance(one, (dict, list)) and one]
        holder = chance.choice(holders)
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if chance.random() < 0.2:
            del holder[key]
        else:
            values: list[Any] = [None, 1, -1, 1.5, True, "", "x", "0", [], {}, [{}], {"a": 1}, "9" * 30, "\n"]
            holder[key] = chance.choice(values)
        return json.dumps(document)
    begin = chance.randrange(len(text))
    end = min(len(text), begin + chance.randrange(1, 20))
    return text[:begin] + chance.choice(["", text[begin:end] * 2, "\0", '"', "=", "\n", "é", "999"]) + text[end:]


@pytest.mark.parametrize("seed", range(200))
def test_damaged_inputs_give_one_line_or_a_table_without_an_error(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    plugin, hccn = FakeDevicePlugin(tmp_path), FakeHccnConf(tmp_path, range(8))
    board = chance.choice([A910, B910, C910, A950])
    environment = {VISIBLE_DEVICES: "0-3", HOST_IP: "10.0.0.1"}
    if chance.random() < 0.6:
        address = {"addr_type": "IPV4", "addr": "10.1.0.1", "ports": ["0/1"], "plane_id": "0"}
        layer = {"net_layer": 0, "net_instance_id": "rack", "net_type": "CLOS", "rank_addr_list": [address]}
        plugin.give([0, 1, 2, 3], super_pod_id="1")
        document = json.loads(plugin.path.read_text())
        for position, device in enumerate(document["devices"]):
            if board is A950:
                own = {**layer, "rank_addr_list": [{**address, "addr": f"10.1.0.{position + 1}"}]}
                device[ascend.LEVEL_LIST] = [{"level": 0, "info": {"inside": own}}]
            elif board is C910:
                device["super_device_id"] = str(position)
        text = json.dumps(document)
        plugin.path.write_text(text)
        if board is not A950:
            own_server(environment, tmp_path, board, 4, NO_TOOL)  # whole, it is a table
        plugin.path.write_text(damaged(chance, text))
    else:
        hccn.path.write_text(damaged(chance, hccn.path.read_text()))
    tool = FakeHccnTool({0: damaged(chance, "192.168.7.1")})
    made = table_or_words(lambda: whole_table([own_server(environment, tmp_path, board, 4, tool).allocation], board))
    if isinstance(made, str):
        assert made
        assert "\n" not in made
    else:
        assert validate(json.loads(made.text), board=board, rank_size=4).errors == ()
