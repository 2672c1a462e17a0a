"""From devices to a rank table: which devices of a server take part, and the rank of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from launcher import ascend
from launcher.ascend import Board
from launcher.errors import UsageError
from launcher.rank_tables.model import Device, RankTable, Server, SuperPod, by_instance
from launcher.rank_tables.values import listed


def build(servers: Sequence[Server], version: str, super_pods: Mapping[str, str] | None = None) -> RankTable:
    """Ranks 0, 1, 2, … in the order of the servers and of their devices, as they stand.

    A server that stands twice (two pods of it) becomes one, with the ranks of both. `super_pods`: name by server_id.
    """
    placed: dict[str, Server] = {}
    rank = 0
    for server in servers:
        own = tuple(replace(device, rank_id=rank + index) for index, device in enumerate(server.devices))
        rank += len(own)
        known = placed.get(server.server_id)
        placed[server.server_id] = replace(known or server, devices=(known.devices if known else ()) + own)
    if version == ascend.LEVELS:
        return RankTable(version, by_instance([device for server in placed.values() for device in server.devices]))
    pods: dict[str, list[str]] = {}
    for name in placed if version == ascend.SUPER_POD else ():
        pods.setdefault((super_pods or {}).get(name, "0"), []).append(name)
    return RankTable(
        version, tuple(placed.values()), tuple(SuperPod(name, tuple(members)) for name, members in pods.items())
    )


def in_order(servers: Sequence[Server]) -> tuple[Server, ...]:
    """By server_id as text, the order in which Ascend's tools number servers."""
    return tuple(sorted(servers, key=lambda server: server.server_id))


def choose(server: Server, count: int, board: Board) -> Server:
    """The server with the first `count` of its devices that may take part together on the board.

    Raises UsageError where it has none.
    """
    if board.counts and count not in board.counts:
        counts = ", ".join(map(str, board.counts))
        raise UsageError(f"{board.name} takes {counts} devices of a server, not {count}")
    ids = [device.device_id for device in server.devices if device.device_id is not None]
    groups = _groups(ids, count, board)
    for group in groups:
        if len(group) >= count:
            taken = set(group[:count])
            return replace(server, devices=tuple(one for one in server.devices if one.device_id in taken))
    where = f" that lie in one ring of {board.ring}" if board.ring and count <= board.ring else ""
    raise UsageError(
        f"server '{server.server_id}' has no {count} devices{where}: it has {listed(ids) or 'none'}; ask for fewer"
    )


def _groups(ids: list[int], count: int, board: Board) -> list[list[int]]:
    """Devices among which any `count` may be taken, as far as the board's rings go."""
    if not board.ring or count > board.ring:
        return [ids]
    return [[one for one in ids if one // board.ring == ring] for ring in sorted({one // board.ring for one in ids})]


def plain_server(server_id: str, count: int, board: Board) -> Server:
    """A server of which only the number of devices is known: 0, 1, 2, … Raises UsageError as `choose` does."""
    if count > board.max_device_id + 1:
        raise UsageError(f"a server of {board.name} has at most {board.max_device_id + 1} devices, not {count}")
    return choose(Server(server_id, tuple(Device(number) for number in range(count))), count, board)
