"""A table drawn for people: its servers, then device by device the ring and the rank; and what is unusual about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher import ascend
from launcher.ascend import Board
from launcher.errors import one_line
from launcher.rank_tables.model import Device, RankTable, Server
from launcher.rank_tables.validate import Report
from launcher.rank_tables.values import listed

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Headers and rows."""


def summary(report: Report) -> str:
    """`version 1.0, 2 servers, 16 ranks; for ascend910 (assumed: …)`."""
    table = report.table
    place = "network instance" if table.version == ascend.LEVELS else "server"
    parts = [f"version {table.version}", _count(len(table.servers), place), _count(table.rank_size, "rank")]
    if table.super_pods:
        parts.insert(1, _count(len(table.super_pods), "super pod"))
    assumed = f", assumed: {report.assumed}" if report.assumed else ""
    return f"{', '.join(parts)}; for {report.board.name}{assumed}"


def servers(report: Report) -> Table:
    table = report.table
    pods = {name: pod.super_pod_id for pod in table.super_pods for name in pod.server_ids}
    ring = _ring_word(report.board)
    headers = [
        "SERVER",
        "HOST_IP",
        "DEVICES",
        f"{ring}S" if ring else "",
        "SUPER POD" if table.super_pods else "",
        "RANKS",
    ]
    rows = [
        (
            one_line(server.server_id),
            server.host_ip,
            listed([device.device_id for device in server.devices if device.device_id is not None]),
            ", ".join(_rings(server, report.board)),
            one_line(pods.get(server.server_id, "")),
            listed([device.rank_id for device in server.devices if device.rank_id is not None]),
        )
        for server in table.servers
    ]
    if table.version == ascend.LEVELS:
        headers[0] = "NETWORK"
    return _without_empty(headers, rows)


def devices(report: Report) -> Table:
    """One row a device, in the order of ranks."""
    board, levels = report.board, report.table.version == ascend.LEVELS
    headers = [
        "RANK",
        "NETWORK" if levels else "SERVER",
        _ring_word(board),
        "DEVICE",
        "DEVICE_IP",
        "SUPER_DEVICE",
        "LAYERS",
    ]
    rows = [
        (
            _number(device.rank_id),
            one_line(server.server_id),
            _ring(device, board),
            _number(device.device_id),
            device.device_ip,
            "" if device.super_device_id is None else str(device.super_device_id),
            "; ".join(one_line(f"{level.net_layer} {level.net_instance_id}") for level in device.levels),
        )
        for server, device in sorted(_pairs(report.table), key=lambda pair: _rank(pair[1]))
    ]
    return _without_empty(headers, rows)


def unusual(report: Report) -> tuple[str, ...]:
    """What is allowed and still seldom meant, besides the warnings of the rules."""
    return tuple(_unusual(report))


def _unusual(report: Report) -> Iterator[str]:
    board = report.board
    if report.assumed and report.table.version == "1.0" and not any(one.hardware for one in report.table.servers):
        yield f"its form does not say which board it is for; {board.name} is assumed ({report.assumed})"
    for server in report.table.servers:
        name = one_line(server.server_id)
        ordered = [device for device in server.devices if device.device_id is not None and device.rank_id is not None]
        by_device = sorted(ordered, key=lambda device: device.device_id or 0)
        if [device.rank_id for device in by_device] != sorted(_rank(device) for device in ordered):
            yield f"server {name}: ranks do not rise with the devices, so LOCAL_RANK is not the device's number"
        if board.ring and len(ordered) < min(board.ring, 4) and report.table.rank_size > 1:
            used = listed([device.device_id or 0 for device in ordered])
            yield f"server {name}: only {_count(len(ordered), 'device')} ({used}) of a ring of {board.ring} at work"
        if by_device and by_device[0].device_id and not board.dies and report.table.version != ascend.LEVELS:
            yield f"server {name}: device 0 takes no part"
    if any(device.ports for device in report.table.devices):
        keys = sorted({key for device in report.table.devices for key in device.ports})
        yield f"ports are given ({', '.join(keys)}); HCCL listens there, so they must be free on every server"


def _ring_word(board: Board) -> str:
    return "RING" if board.counts else "MODULE" if board.ring else "NPU" if board.dies else ""


def _ring(device: Device, board: Board) -> str:
    size = board.ring or (2 if board.dies else 0)
    if device.device_id is None or not size:
        return ""
    low = device.device_id // size * size
    return str(device.device_id // 2) if board.dies else f"{low}-{low + size - 1}"


def _rings(server: Server, board: Board) -> list[str]:
    if board.dies:
        return [listed(sorted({device.device_id // 2 for device in server.devices if device.device_id is not None}))]
    return list(dict.fromkeys(_ring(device, board) for device in server.devices if _ring(device, board)))


def _pairs(table: RankTable) -> Iterator[tuple[Server, Device]]:
    for server in table.servers:
        for device in server.devices:
            yield server, device


def _rank(device: Device) -> int:
    return ascend.MAX_UINT32 + 1 if device.rank_id is None else device.rank_id


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _without_empty(headers: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """Columns that some row fills, and that have a name."""
    kept = [index for index, header in enumerate(headers) if header and any(row[index] for row in rows)]
    return tuple(headers[index] for index in kept), [tuple(row[index] for index in kept) for row in rows]
