"""Version 2.0, in which each rank lists the layers of the network that it takes part in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from launcher import ascend
from launcher.rank_tables.model import Address, Device, Level, RankTable, by_instance
from launcher.rank_tables.reader import Reader
from launcher.rank_tables.values import ip, shown

_PORT = re.compile(r"[0-9]{1,3}/[0-9]{1,4}")
_EID = re.compile(rf"[0-9a-fA-F]{{{ascend.EID_DIGITS}}}")


def table(reader: Reader, document: Mapping[str, Any], status: str) -> RankTable:
    # An operator writes the keys of 1.x too, and leaves them empty.
    empty = [key for key in ("server_list", "server_count") if not document.get(key)]
    reader.known(document, "", ("status", "version", "rank_count", "rank_list", "detour", *empty))
    detour = reader.text(document, "detour", "")
    if detour not in (None, "", "true", "false"):
        reader.report("detour", ".detour", f"detour is {shown(detour)}")
    listed = reader.objects(document, "rank_list", "")
    if listed == [] and not document["rank_list"]:
        reader.report("rank-list", ".rank_list", "rank_list is empty")
    ranks = tuple(_rank(reader, item, path) for path, item in listed or ())
    count = reader.integer(document, "rank_count", "")
    if count is not None and listed is not None and count != len(document["rank_list"]):
        reader.report("rank-count", ".rank_count", f"rank_count is {count}, rank_list has {len(document['rank_list'])}")
    return RankTable(ascend.LEVELS, by_instance(ranks), status=status)


def _rank(reader: Reader, item: Mapping[str, Any], path: str) -> Device:
    reader.known(item, path, (*ascend.RANK_KEYS, *ascend.RANK_PORT_KEYS))
    ports = {}
    for key in ascend.RANK_PORT_KEYS:
        number = reader.integer(item, key, path, required=False)
        if number is not None:
            ports[key] = number
    listed = reader.objects(item, "level_list", path)
    if listed is not None and not 1 <= len(item["level_list"]) <= ascend.MAX_LEVELS:
        reader.report("level-list", f"{path}.level_list", f"level_list has {len(item['level_list'])} layers")
    return Device(
        reader.integer(item, "device_id", path),
        reader.integer(item, "rank_id", path),
        ports=ports,
        local_id=reader.integer(item, "local_id", path),
        replaced_local_id=reader.integer(item, "replaced_local_id", path, required=False),
        levels=tuple(_level(reader, level, where) for where, level in listed or ()),
        path=path,
    )


def _level(reader: Reader, item: Mapping[str, Any], path: str) -> Level:
    reader.known(item, path, ascend.LEVEL_KEYS)
    layer = reader.integer(item, "net_layer", path)
    instance = reader.text(item, "net_instance_id", path, required=True)
    if instance is not None and not 1 <= len(instance) <= ascend.MAX_NET_INSTANCE:
        reader.report("net-instance", f"{path}.net_instance_id", f"net_instance_id has {len(instance)} characters")
    net_type = reader.text(item, "net_type", path)
    if net_type and net_type not in ascend.NET_TYPES:
        reader.report(
            "net-type", f"{path}.net_type", f"net_type is {shown(net_type)}, not {', '.join(ascend.NET_TYPES)}"
        )
    reader.text(item, "net_attr", path)
    listed = reader.objects(item, "rank_addr_list", path)
    if listed is not None and len(item["rank_addr_list"]) > ascend.MAX_ADDRESSES:
        count = len(item["rank_addr_list"])
        reader.report("address-count", f"{path}.rank_addr_list", f"rank_addr_list has {count} addresses")
    addresses = tuple(_address(reader, address, where) for where, address in listed or ())
    return Level(layer, instance or "", net_type or "", addresses, path)


def _address(reader: Reader, item: Mapping[str, Any], path: str) -> Address:
    reader.known(item, path, ascend.ADDRESS_KEYS)
    addr_type = reader.text(item, "addr_type", path, required=True)
    if addr_type is not None and addr_type not in ascend.ADDRESS_TYPES:
        known = ", ".join(ascend.ADDRESS_TYPES)
        reader.report("address", f"{path}.addr_type", f"addr_type is {shown(addr_type)}, not {known}")
        addr_type = None
    addr = reader.text(item, "addr", path, required=True)
    if addr is not None and addr_type is not None and not _fits(addr, addr_type):
        reader.report("address", f"{path}.addr", f"addr is {shown(addr)}, which is no {addr_type}")
        addr = None
    reader.text(item, "plane_id", path)
    return Address(addr_type or "", addr or "", _ports(reader, item, path), str(item.get("plane_id", "")), path)


def _fits(addr: str, addr_type: str) -> bool:
    if addr_type == "EID":
        return _EID.fullmatch(addr) is not None
    address = ip(addr)
    return address is not None and address.version == int(addr_type[-1])


def _ports(reader: Reader, item: Mapping[str, Any], path: str) -> tuple[str, ...]:
    ports = item.get("ports")
    if ports is None and "ports" not in item:
        reader.report("missing-key", f"{path}.ports", "ports is missing")
    elif not isinstance(ports, list):
        reader.report("structure", f"{path}.ports", f"ports is {shown(ports)}; it must be a list")
    elif not ports:
        reader.report("address-ports", f"{path}.ports", "ports is an empty list")
    else:
        for index, port in enumerate(ports):
            if not isinstance(port, str) or not _PORT.fullmatch(port):
                reader.report("address-ports", f"{path}.ports[{index}]", f'{shown(port)} is not a port, as in "0/1"')
        return tuple(port for port in ports if isinstance(port, str))
    return ()
