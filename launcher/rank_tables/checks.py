"""Rules between the parts of a table of 1.x: servers, addresses, ranks, super pods. (Single values: `read`.)"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from launcher import ascend
from launcher.rank_tables.model import Device, RankTable, Server
from launcher.rank_tables.rules import Finding, finding
from launcher.rank_tables.values import IP, ip, listed, same, shown

_PORTS_OF_HOST = "host_port"

T = TypeVar("T")


def servers(table: RankTable) -> Iterator[Finding]:
    named = [server for server in table.servers if server.server_id]
    for server, first in repeated(named, lambda server: server.server_id):
        said = f"server_id {shown(server.server_id)} is that of {first.path} too"
        yield finding("server-id-unique", f"{server.path}.server_id", said)
    placed = [server for server in table.servers if server.host_ip]
    for server, first in repeated(placed, lambda server: _address(server.host_ip)):
        yield finding("host-ip-unique", f"{server.path}.host_ip", f"{server.host_ip} is the host of {first.path} too")
    for server in table.servers:
        numbered = [device for device in server.devices if device.device_id is not None]
        for device, first_device in repeated(numbered, lambda device: device.device_id):
            said = f"device_id {device.device_id} is that of {first_device.path} too"
            yield finding("device-id-unique", f"{device.path}.device_id", said)


def addresses(table: RankTable, faulty: frozenset[str]) -> Iterator[Finding]:
    """`faulty`: paths that have a finding of their own already."""
    having = [device for device in table.devices if device.device_ip]
    for device, first in repeated(having, lambda device: _address(device.device_ip)):
        said = f"{device.device_ip} is the address of {first.path} too"
        yield finding("device-ip-unique", f"{device.path}.device_ip", said)
    hosts = {
        _address(text): server for server in table.servers for text in (server.host_ip, server.server_id) if ip(text)
    }
    for device in having:
        host = hosts.get(_address(device.device_ip))
        if host is not None:
            said = f"{device.device_ip} is the address of the host of {host.path}"
            yield finding("device-ip-host", f"{device.path}.device_ip", said)
    yield from _one_family(having)
    lacking = [device for device in table.devices if not device.device_ip and f"{device.path}.device_ip" not in faulty]
    if len(lacking) == table.rank_size and len(table.servers) == 1:
        yield finding("device-ip-missing", f"{table.servers[0].path}.device", "no device has a device_ip")
        lacking = []
    for device in lacking:
        rule = "device-ip-required" if len(table.servers) > 1 else "device-ip-missing"
        yield finding(rule, f"{device.path}.device_ip", f"device {_number(device.device_id)} has no device_ip")
    for device in table.devices:
        if device.backup_ip and device.backup_ip == device.device_ip:
            said = f"{device.backup_ip} is the device's own address"
            yield finding("backup-ip", f"{device.path}.backup_device_ip", said)


def ports(table: RankTable) -> Iterator[Finding]:
    for device in table.devices:
        for key, port in device.ports.items():
            if not ascend.PORTS[0] <= port <= ascend.PORTS[1]:
                yield finding("port", f"{device.path}.{key}", f"{key} is {port}")
    for server in table.servers:
        listening = [device for device in server.devices if _PORTS_OF_HOST in device.ports]
        for device, first in repeated(listening, lambda device: device.ports[_PORTS_OF_HOST]):
            said = f"host_port {device.ports[_PORTS_OF_HOST]} is that of {first.path} too"
            yield finding("port-unique", f"{device.path}.{_PORTS_OF_HOST}", said)


def ranks(table: RankTable, *, whole: bool) -> Iterator[Finding]:
    """Not `whole`: parts could not be read, so how many ranks there are is not known."""
    numbered = [device for device in table.devices if device.rank_id is not None]
    twice = list(repeated(numbered, lambda device: device.rank_id))
    for device, first in twice:
        said = f"rank_id {device.rank_id} is that of {first.path} too"
        yield finding("rank-id-unique", f"{device.path}.rank_id", said)
    beyond = [device for device in numbered if _rank(device) >= table.rank_size] if whole else []
    missing = sorted(set(range(table.rank_size)) - {_rank(device) for device in numbered})
    for device in beyond:
        gap = f"; {listed(missing)} is missing" if missing and len(missing) < 9 else ""
        said = (
            f"rank_id is {device.rank_id}, but {table.rank_size} devices have the ranks 0..{table.rank_size - 1}{gap}"
        )
        yield finding("rank-id-contiguous", f"{device.path}.rank_id", said)
    if whole and not twice and not beyond and len(numbered) == table.rank_size:
        yield from _rank_order(table)


def super_pods(table: RankTable, faulty: frozenset[str], *, whole: bool) -> Iterator[Finding]:
    if table.version != ascend.SUPER_POD:
        numbered = [f"{device.path}.super_device_id" for device in table.devices if device.super_device_id is not None]
        for path in [".super_pod_list"] if table.super_pods else numbered[:1]:
            said = f"{path.rpartition('.')[2]} stands in a table of version {table.version}"
            yield finding("super-pod-version", path, said)
        return
    yield from _super_pod_lists(table, faulty, whole=whole)
    pod_of = {server: index for index, pod in enumerate(table.super_pods) for server in pod.server_ids}
    seen: dict[tuple[int, int], Device] = {}
    for server in table.servers:
        for device in server.devices:
            where = f"{device.path}.super_device_id"
            if device.super_device_id is None:
                if where not in faulty:
                    yield finding("super-device-id", where, f"device {_number(device.device_id)} has none")
                continue
            key = (pod_of.get(server.server_id, -1), device.super_device_id)
            first = seen.setdefault(key, device)
            if first is not device:
                said = f"super_device_id {device.super_device_id} is that of {first.path} too"
                yield finding("super-device-id-unique", where, said)


def rank_size(table: RankTable, wanted: int | None) -> Iterator[Finding]:
    if wanted is not None and wanted != table.rank_size:
        yield finding("rank-size", "", f"RANK_SIZE is {wanted}, but the table has {table.rank_size} ranks")


def repeated(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[tuple[T, T]]:
    """Each item whose key an earlier one has, with that earlier one."""
    first: dict[Hashable, T] = {}
    for item in items:
        known = first.setdefault(key(item), item)
        if known is not item:
            yield item, known


def _super_pod_lists(table: RankTable, faulty: frozenset[str], *, whole: bool) -> Iterator[Finding]:
    if not table.super_pods:
        if not faulty & {".super_pod_list", ".super_pod_list[0]"}:
            yield finding("super-pod-list", ".super_pod_list", "super_pod_list is empty")
        return
    named = [pod for pod in table.super_pods if pod.super_pod_id.strip()]
    for pod, first in repeated(named, lambda pod: pod.super_pod_id):
        said = f"super_pod_id {shown(pod.super_pod_id)} is that of {first.path} too"
        yield finding("super-pod-id-unique", f"{pod.path}.super_pod_id", said)
    known = {server.server_id for server in table.servers}
    places: dict[str, str] = {}
    for pod in table.super_pods:
        for index, name in enumerate(pod.server_ids):
            where = f"{pod.path}.server_list[{index}].server_id"
            if where in faulty:
                continue
            if name not in known:
                yield finding("super-pod-server", where, f"server {shown(name)} is not in server_list")
            elif name in places:
                yield finding("super-pod-server", where, f"server {shown(name)} stands at {places[name]} too")
            places.setdefault(name, where)
    for server in table.servers if whole else ():
        if server.server_id and server.server_id not in places:
            yield finding(
                "super-pod-server", f"{server.path}.server_id", f"{shown(server.server_id)} is in no super pod"
            )


def _rank_order(table: RankTable) -> Iterator[Finding]:
    """Of ranks that are in order as numbers."""
    filled = [server for server in table.servers if server.devices]
    for server in filled:
        own = sorted(map(_rank, server.devices))
        if own[-1] - own[0] + 1 != len(own):
            said = f"server {shown(server.server_id)} has the ranks {listed(own)}"
            yield finding("rank-interleaved", f"{server.path}.device", said)
    if table.version == ascend.LEVELS or len({server.server_id for server in filled} - {""}) < len(filled):
        return
    by_rank = sorted(filled, key=lambda server: min(map(_rank, server.devices)))
    for server, expected in zip(by_rank, sorted(filled, key=_name), strict=True):
        if server is not expected:
            said = (
                f"server {shown(server.server_id)} has the lower ranks, "
                f"but {shown(expected.server_id)} comes before it in the dictionary"
            )
            yield finding("rank-order", f"{server.path}.server_id", said)
            return


def _one_family(devices: Sequence[Device]) -> Iterator[Finding]:
    """The fewer are named; of as many, the later."""
    families: dict[int, list[Device]] = {}
    for device in devices:
        address = ip(device.device_ip)
        if address is not None:
            families.setdefault(address.version, []).append(device)
    if len(families) > 1:
        most = max(families.values(), key=len)
        for version, members in families.items():
            for device in members if members is not most else ():
                said = f"{device.device_ip} is IPv{version}, the others are not"
                yield finding("device-ip-family", f"{device.path}.device_ip", said)


def _address(text: str) -> IP | None:
    address = ip(text)
    return same(address) if address else None


def _rank(device: Device) -> int:
    return -1 if device.rank_id is None else device.rank_id


def _name(server: Server) -> str:
    return server.server_id


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)
