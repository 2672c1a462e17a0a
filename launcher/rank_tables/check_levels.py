"""Rules of version 2.0 between ranks and their layers of the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from launcher import ascend
from launcher.rank_tables.checks import repeated
from launcher.rank_tables.model import Address, Device, Level, RankTable
from launcher.rank_tables.rules import Finding, finding
from launcher.rank_tables.values import ip, shown


def check(table: RankTable) -> Iterator[Finding]:
    for rank in table.devices:
        yield from _local_id(rank)
        yield from _layers(rank)
    for server in table.servers:
        if not server.server_id:
            continue
        local = [rank for rank in server.devices if rank.local_id is not None]
        for rank, first in repeated(local, lambda rank: rank.local_id):
            said = f"local_id {rank.local_id} is that of {first.path} too, in {shown(server.server_id)}"
            yield finding("local-id-unique", f"{rank.path}.local_id", said)
        for rank, first in repeated(local, lambda rank: rank.device_id):
            said = f"device_id {rank.device_id} is that of {first.path} too, in {shown(server.server_id)}"
            yield finding("same-device", f"{rank.path}.device_id", said)
    yield from _addresses(table)
    yield from _connected(table)


def _local_id(rank: Device) -> Iterator[Finding]:
    where = f"{rank.path}.local_id"
    if rank.local_id is None or rank.local_id < ascend.BACKUP_LOCAL_ID:
        return
    if rank.local_id > ascend.BACKUP_LOCAL_ID:
        yield finding("local-id", where, f"local_id is {rank.local_id}")
    elif rank.replaced_local_id is None or rank.replaced_local_id >= ascend.BACKUP_LOCAL_ID:
        yield finding("local-id", where, f"the spare {rank.local_id} names no replaced_local_id in 0..63")


def _layers(rank: Device) -> Iterator[Finding]:
    before = -1
    for level in rank.levels:
        if level.net_layer is None:
            continue
        where = f"{level.path}.net_layer"
        if level.net_layer > ascend.MAX_NET_LAYER:
            yield finding("net-layer", where, f"net_layer is {level.net_layer}, above {ascend.MAX_NET_LAYER}")
        elif level.net_layer <= before:
            yield finding("net-layer", where, f"net_layer {level.net_layer} comes after {before}")
        before = max(before, level.net_layer)


def _addresses(table: RankTable) -> Iterator[Finding]:
    owners: dict[str, tuple[Device, Address]] = {}
    families: dict[str, str] = {}
    instances: dict[tuple[int, str], list[Level]] = {}
    for rank in table.devices:
        for level in rank.levels:
            if level.net_layer is not None and level.net_instance_id:
                instances.setdefault((level.net_layer, level.net_instance_id), []).append(level)
            for address in level.addresses:
                if not address.addr or not address.addr_type:
                    continue
                owner, first = owners.setdefault(_canonical(address), (rank, address))
                if owner is not rank:
                    yield finding("address-unique", f"{address.path}.addr", f"{address.addr} is at {first.path} too")
                if address.addr_type != "EID":
                    families.setdefault(address.addr_type, address.path)
                    if len(families) == 2 and families[address.addr_type] == address.path:
                        other = next(name for name in families if name != address.addr_type)
                        said = f"{address.addr_type} here, {other} at {families[other]}"
                        yield finding("device-ip-family", f"{address.path}.addr_type", said)
    for levels in instances.values():
        yield from _as_many(levels)


def _as_many(levels: list[Level]) -> Iterator[Finding]:
    usual = Counter(len(level.addresses) for level in levels).most_common(1)[0][0]
    for level in levels:
        if len(level.addresses) != usual:
            said = f"{len(level.addresses)} addresses; other ranks of {shown(level.net_instance_id)} have {usual}"
            yield finding("address-count", f"{level.path}.rank_addr_list", said)


def _connected(table: RankTable) -> Iterator[Finding]:
    """Layers whose every part could be read are judged; a rank without any has its finding."""
    ranks = [rank for rank in table.devices if rank.levels]
    if any(level.net_layer is None or not level.net_instance_id for rank in ranks for level in rank.levels):
        return
    members = Counter(
        key for rank in ranks for key in {(level.net_layer, level.net_instance_id) for level in rank.levels}
    )
    if ranks and max(members.values()) < len(ranks):
        largest, count = members.most_common(1)[0]
        said = f"the largest, {shown(largest[1])} of layer {largest[0]}, holds {count} of {len(ranks)} ranks"
        yield finding("not-connected", ".rank_list", said)


def _canonical(address: Address) -> str:
    parsed = ip(address.addr) if address.addr_type != "EID" else None
    return str(parsed) if parsed else address.addr.lower()
