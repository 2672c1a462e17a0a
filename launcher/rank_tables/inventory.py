"""A list of machines, written by a person in YAML, from which tables are made. `rank_tables/templates/` shows each key.

device: ascend910          a board of `launcher.ascend`; in its place or besides: version
servers:
  - server_id: 10.0.0.1
    host_ip: 10.0.0.1      optional
    super_pod: "0"         1.2
    devices: 8             how many, from 0 on, or their ids: [4, 5, 6, 7]
    device_ips: [192.168.100.1, …]     one a device, in the same order
    super_device_ids: [0, …]           1.2: one a device
    local_ids: [0, …]                  2.0; without it the ids
    levels:                            2.0
      - {net_layer: 0, net_instance_id: rack-0, net_type: TOPO_FILE_DESC, addr_type: EID, ports: ["0/0"], addresses: […]}
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launcher import ascend
from launcher.ascend import BOARDS, Board
from launcher.errors import SpecError, one_line
from launcher.rank_tables.model import Address, Device, Level, Server
from launcher.rank_tables.values import shown
from runfolder import strict_yaml
from runfolder.strict_yaml import did_you_mean

_KEYS = ("version", "device", "servers")
_SERVER_KEYS = (
    "server_id", "host_ip", "super_pod", "devices", "device_ips", "super_device_ids", "local_ids", "levels",
)  # fmt: skip
_LEVEL_KEYS = ("net_layer", "net_instance_id", "net_type", "addr_type", "addresses", "ports", "plane_id")

MAX_DEVICES = 64


@dataclass(frozen=True)
class Inventory:
    board: Board
    version: str
    servers: tuple[Server, ...]
    super_pods: Mapping[str, str]
    """Name by server_id."""


def parse(text: str, name: str) -> Inventory:
    """Raises SpecError that names the file and the key."""
    try:
        document = strict_yaml.parse(text, name)
    except strict_yaml.StrictYamlError as error:
        raise SpecError(str(error)) from None
    whole = _Part(document.values, name, "")
    whole.known(_KEYS)
    version, device = whole.word("version", ascend.VERSIONS), whole.word("device", tuple(BOARDS))
    if device:
        board = BOARDS[device]
    else:
        takers = [one for one in BOARDS.values() if one.versions[0] == (version or "1.0")]
        if not takers:
            raise SpecError(f"{name}: tables of version {version} are not made; say 1.0, 1.2 or 2.0")
        board = takers[0]
    version = version or board.versions[0]
    if version not in board.versions:
        raise SpecError(f"{name}: device {board.name} takes version {' or '.join(board.versions)}, not {version}")
    parts = whole.parts("servers")
    if not parts:
        raise SpecError(f"{name}: servers is missing; list at least one")
    servers = tuple(_server(part) for part in parts)
    names = [server.server_id for server in servers]
    for index, server_id in enumerate(names):
        if server_id in names[:index]:
            raise parts[index].error("server_id", f"is that of servers[{names.index(server_id)}] too: '{server_id}'")
    pods = {server.server_id: part.text("super_pod") for server, part in zip(servers, parts, strict=True)}
    return Inventory(board, version, servers, {name: pod for name, pod in pods.items() if pod})


class _Part:
    """A mapping of the file, with the words for where it stands."""

    def __init__(self, values: Any, name: str, path: str) -> None:
        self._name, self._path = name, path
        if not isinstance(values, Mapping):
            raise self.error("", f"must be a mapping of keys to values, not {shown(values)}")
        self._values = values

    def error(self, key: str, text: str) -> SpecError:
        where = ".".join(part for part in (self._path, key) if part)
        return SpecError(one_line(f"{self._name}: {where} {text}"))

    def known(self, keys: tuple[str, ...]) -> None:
        for key in self._values:
            if key not in keys:
                raise self.error(str(key), f"is unknown{did_you_mean(str(key), keys)}; keys are {', '.join(keys)}")

    def text(self, key: str, *, required: bool = False) -> str:
        value = self._values.get(key)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or not value:
            raise self.error(key, "is missing" if value is None else f"must be text in quotes, not {shown(value)}")
        return value

    def word(self, key: str, choices: tuple[str, ...]) -> str:
        value = self._values.get(key)
        if value is None:
            return ""
        # A version without quotes is a number to YAML; it reads back as it was written.
        if str(value) not in choices:
            raise self.error(key, f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)

    def number(self, key: str) -> int:
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ascend.MAX_UINT32:
            raise self.error(key, f"must be a whole number from 0 on, not {shown(value)}")
        return value

    def numbers(self, key: str) -> list[int]:
        values = self.items(key)
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ascend.MAX_UINT32:
                raise self.error(key, f"must hold whole numbers from 0 on, not {shown(value)}")
        return values

    def texts(self, key: str) -> list[str]:
        values = self.items(key)
        for value in values:
            if not isinstance(value, str):
                raise self.error(key, f"must hold texts; put {shown(value)} in quotes")
        return values

    def items(self, key: str) -> list[Any]:
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self.error(key, f"must be a list, not {shown(value)}")
        return value

    def parts(self, key: str) -> list[_Part]:
        where = ".".join(part for part in (self._path, key) if part)
        return [_Part(value, self._name, f"{where}[{index}]") for index, value in enumerate(self.items(key))]

    def ids(self) -> list[int]:
        """Of the devices: listed, or counted from 0 on."""
        value = self._values.get("devices")
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= MAX_DEVICES:
                raise self.error("devices", f"must be 1 to {MAX_DEVICES}, not {value}")
            return list(range(value))
        ids = self.numbers("devices")
        if not ids:
            raise self.error("devices", "is missing; say how many, or list their ids")
        return ids


def _server(part: _Part) -> Server:
    part.known(_SERVER_KEYS)
    ids = part.ids()
    ips = _one_each(part, "device_ips", part.texts("device_ips"), len(ids))
    super_ids = _one_each(part, "super_device_ids", part.numbers("super_device_ids"), len(ids))
    local_ids = _one_each(part, "local_ids", part.numbers("local_ids"), len(ids))
    levels = [_level(level, len(ids)) for level in part.parts("levels")]
    devices = tuple(
        Device(
            number,
            device_ip=ips[index] or "",
            super_device_id=super_ids[index],
            local_id=(number if local_ids[index] is None else local_ids[index]) if levels else None,
            levels=tuple(level[index] for level in levels),
        )
        for index, number in enumerate(ids)
    )
    return Server(part.text("server_id", required=True), devices, part.text("host_ip"))


def _level(part: _Part, count: int) -> list[Level]:
    """The layer as each device has it."""
    part.known(_LEVEL_KEYS)
    ports, plane = tuple(part.texts("ports")), part.text("plane_id")
    kind = part.word("addr_type", ascend.ADDRESS_TYPES) or "IPV4"
    addresses = _one_each(part, "addresses", part.texts("addresses"), count)
    return [
        Level(
            part.number("net_layer"),
            part.text("net_instance_id", required=True),
            part.word("net_type", ascend.NET_TYPES) or "CLOS",
            () if address is None else (Address(kind, address, ports, plane),),
        )
        for address in addresses
    ]


def _one_each(part: _Part, key: str, values: list[Any], count: int) -> list[Any]:
    if values and len(values) != count:
        raise part.error(key, f"has {len(values)} entries for {count} devices; give one a device, in the same order")
    return values or [None] * count
