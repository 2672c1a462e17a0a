"""Addresses of a server's devices, from its `/etc/hccn.conf` or from what `hccn_tool -i N -ip -g` printed."""

from __future__ import annotations

import re

from launcher import ascend
from launcher.errors import UsageError, one_line
from launcher.rank_tables.model import Device, Server
from launcher.rank_tables.values import decimal, ip, shown

_CONF = re.compile(r"\s*address_(?P<device>[^=\s]*)\s*=(?P<address>.*)")
_TOOL = re.compile(r"\s*ipaddr\s*:(?P<address>.*)")
_CALL = re.compile(r"hccn_tool\s+-i\s+(?P<device>[0-9]{1,3})\b")

_LAST = 63
"""Highest number of a device that is taken for one."""


def server(text: str, server_id: str, name: str) -> Server:
    """The server with the devices that the text names, by number. `name` of the text is for messages.

    Raises UsageError, one line, for a text of neither form, a device named twice, or an address that is none.
    """
    found = addresses(text, name)
    devices = tuple(Device(number, device_ip=address) for number, address in sorted(found.items()))
    return Server(server_id, devices)


def addresses(text: str, name: str) -> dict[int, str]:
    """Address by device; "" for one that has none. Raises UsageError as `server` does."""
    found: dict[int, str] = {}
    called: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        if conf := _CONF.fullmatch(line):
            device = decimal(conf["device"], _LAST)
            if device is None:
                raise UsageError(f"{where}: address_{shown(conf['device'])} names no device; lines are address_N=IP")
            _add(found, device, conf["address"], where)
        elif tool := _TOOL.fullmatch(line):
            _add(found, _next(found) if called is None else called, tool["address"], where)
            called = None
        elif ascend.NO_IP_WORDS in line:
            _add(found, _next(found) if called is None else called, "", where)
            called = None
        elif call := _CALL.search(line):
            called = int(call["device"])
    if not found:
        raise UsageError(
            f"{name}: no address of a device; give {ascend.HCCN_CONF} (address_0=192.168.100.101), or what "
            "'for i in 0 1 2 3 4 5 6 7; do hccn_tool -i $i -ip -g; done' prints"
        )
    return found


def _add(found: dict[int, str], device: int, raw: str, where: str) -> None:
    address = raw.strip()
    if device in found:
        raise UsageError(f"{where}: device {device} has an address already; keep one")
    if address and ip(address) is None:
        raise UsageError(one_line(f"{where}: {shown(address)} is no address that a network card can have"))
    found[device] = address


def _next(found: dict[int, str]) -> int:
    """The tool's output does not say of which device it is: devices follow one another."""
    return max(found, default=-1) + 1
