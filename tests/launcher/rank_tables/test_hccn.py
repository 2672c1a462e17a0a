from __future__ import annotations

import pytest

from launcher.errors import UsageError
from launcher.rank_tables import hccn

CONF = """\
# written by hccn_tool
address_0=192.168.100.101
netmask_0=255.255.255.0
gateway_0=192.168.100.1
address_1 = 192.168.101.101
address_10=fd00::a
send_arp_status_0=1
"""


def test_hccn_conf() -> None:
    assert hccn.addresses(CONF, "hccn.conf") == {0: "192.168.100.101", 1: "192.168.101.101", 10: "fd00::a"}


def test_windows_line_ends_and_an_address_that_is_left_empty() -> None:
    assert hccn.addresses("address_0=192.168.1.1\r\naddress_1=\r\n", "x") == {0: "192.168.1.1", 1: ""}


def test_what_hccn_tool_prints_of_device_after_device() -> None:
    text = "ipaddr:192.168.100.101\nnetmask:255.255.255.0\nipaddr:192.168.101.101\nnetmask:255.255.255.0\n"
    assert hccn.addresses(text, "-") == {0: "192.168.100.101", 1: "192.168.101.101"}


def test_hccn_tool_with_the_calls_that_a_shell_traced() -> None:
    text = (
        "+ hccn_tool -i 4 -ip -g\nipaddr:192.168.100.102\nnetmask:255.255.255.0\n"
        "+ hccn_tool -i 6 -ip -g\nipaddr:192.168.102.102\n"
    )
    assert hccn.addresses(text, "-") == {4: "192.168.100.102", 6: "192.168.102.102"}


def test_a_device_without_an_address_keeps_its_number() -> None:
    text = "Get ipconf failed, because no ip was preset there!\nipaddr:192.168.101.101\n"
    server = hccn.server(text, "10.0.0.1", "-")
    assert [(one.device_id, one.device_ip) for one in server.devices] == [(0, ""), (1, "192.168.101.101")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x: no address of a device"),
        ("netmask_0=255.255.255.0\n", "x: no address of a device"),
        ("address_0=192.168.1.1\naddress_0=192.168.1.2\n", "x:2: device 0 has an address already"),
        ("address_0=192.168.1\n", "x:1: '192.168.1' is no address"),
        ("address_a=192.168.1.1\n", "x:1: address_'a' names no device"),
        ("address_99=192.168.1.1\n", "x:1: address_'99' names no device"),
        ("ipaddr:\x1b[31m\n", r"x:1: '\x1b[31m' is no address"),
    ],
)
def test_other_texts_are_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        hccn.addresses(text, "x")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
