"""A rank table of any version as frozen data. What a file does not say, or says wrongly, is None or empty.

`path` says where in its JSON a part was read, as `jq` writes it (`.server_list[0].device[3]`); it does not count when
two tables are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Address:
    """2.0: one address of a device on one layer of the network."""

    addr_type: str
    """EID, IPV4 or IPV6."""
    addr: str
    ports: tuple[str, ...]
    """Ports of the device behind it, each `DIE/PORT`."""
    plane_id: str = ""
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class Level:
    """2.0: how a device takes part in one layer of the network; devices of one instance reach each other on it."""

    net_layer: int | None
    net_instance_id: str
    net_type: str = ""
    addresses: tuple[Address, ...] = ()
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class Device:
    device_id: int | None
    """Physical number on its server."""
    rank_id: int | None = None
    device_ip: str = ""
    super_device_id: int | None = None
    """1.2: its number in the super pod."""
    backup_ip: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    """`host_port`, `device_port` and their like, where they are given."""
    local_id: int | None = None
    """2.0: its number in the topology file of its rack."""
    replaced_local_id: int | None = None
    levels: tuple[Level, ...] = ()
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class Server:
    """One machine; in 2.0, which names none, the devices of one instance of the lowest layer."""

    server_id: str
    devices: tuple[Device, ...]
    host_ip: str = ""
    hardware: str = field(default="", compare=False)
    """What an operator calls the product (`800I-A2-32G`)."""
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class SuperPod:
    super_pod_id: str
    server_ids: tuple[str, ...]
    path: str = field(default="", compare=False)


@dataclass(frozen=True)
class RankTable:
    version: str
    servers: tuple[Server, ...]
    super_pods: tuple[SuperPod, ...] = ()
    status: str = "completed"

    @property
    def devices(self) -> tuple[Device, ...]:
        return tuple(device for server in self.servers for device in server.devices)

    @property
    def rank_size(self) -> int:
        """How many ranks it is for: the RANK_SIZE of every process."""
        return sum(len(server.devices) for server in self.servers)


def by_instance(ranks: Iterable[Device]) -> tuple[Server, ...]:
    """2.0: ranks by their instance of the lowest layer, in the order given; those without a layer under ""."""
    groups: dict[str, list[Device]] = {}
    for rank in ranks:
        groups.setdefault(rank.levels[0].net_instance_id if rank.levels else "", []).append(rank)
    return tuple(Server(name, tuple(members), path=members[0].path) for name, members in groups.items())
