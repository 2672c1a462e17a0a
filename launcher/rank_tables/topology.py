"""Rules of a board: which of its devices may take part together. And which board a table is for."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.ascend import BOARDS, HARDWARE_BOARDS, Board
from launcher.rank_tables.model import RankTable, Server
from launcher.rank_tables.rules import Finding, finding
from launcher.rank_tables.values import listed, shown


def board_of(table: RankTable) -> tuple[Board, str]:
    """The board that a table looks like, and why. Its form alone does not tell 910A from 910B.

    1.0 is taken for 910B where an operator says so (`hardware_type`), or where ids above 7 make sense on it: all of a
    server in one module, or as many in each; and they are not a count of devices that goes on from server to server.
    """
    for server in table.servers:
        words = [word for word in server.hardware.upper().split("-") if word in HARDWARE_BOARDS]
        if words:
            return BOARDS[HARDWARE_BOARDS[words[0]]], f"hardware_type is {shown(server.hardware)}"
    for board in BOARDS.values():
        if board.versions[0] == table.version != "1.0":
            return board, f"version is {table.version}"
    larger, smaller = BOARDS["ascend910b"], BOARDS["ascend910"]
    ids = [_ids(server) for server in table.servers]
    high = [number for own in ids for number in own if number > smaller.max_device_id]
    if high and all(_modules(own, larger.ring) is None for own in ids) and not _goes_on(ids):
        return larger, f"device_id {max(high)}"
    return smaller, "device_ids above 7 lie as on no 910B" if high else "no device_id above 7"


def check(table: RankTable, board: Board, assumed: str, *, whole: bool) -> Iterator[Finding]:
    """`assumed`: why that board, where nobody said which; it goes into the messages."""
    if table.version not in board.versions:
        said = f"{board.name} takes {' or '.join(board.versions)}, the table is of version {table.version}"
        yield finding("board-version", ".version", said)
        return
    hint = f" (for {board.name}, assumed: {assumed})" if assumed else f" (for {board.name})"
    for server in table.servers:
        for device in server.devices:
            if device.device_id is not None and device.device_id > board.max_device_id:
                said = f"device_id is {device.device_id}, above {board.max_device_id}{hint}"
                yield finding("device-id", f"{device.path}.device_id", said)
        # Ids that are wrong or stand twice have their finding; what they would mean here is not known.
        if whole and len(set(_ids(server))) == len(server.devices) > 0 and max(_ids(server)) <= board.max_device_id:
            yield from _server(server, board, hint)
    counts = [len(server.devices) for server in table.servers]
    if whole and board.ring and len(set(counts)) > 1 and 0 not in counts:
        usual = max(counts, key=counts.count)
        rule = "same-count" if board.counts else "uneven-count"
        for server in table.servers:
            if len(server.devices) != usual:
                said = f"server {shown(server.server_id)} has {len(server.devices)} devices, others have {usual}{hint}"
                yield finding(rule, f"{server.path}.device", said)


def _server(server: Server, board: Board, hint: str) -> Iterator[Finding]:
    ids = sorted(_ids(server))
    where = f"{server.path}.device"
    if board.counts and len(ids) not in board.counts:
        yield finding("device-count", where, f"{len(ids)} devices ({listed(ids)}){hint}")
    elif board.counts:
        if len(ids) <= board.ring and len({number // board.ring for number in ids}) > 1:
            yield finding("ring", where, f"devices {listed(ids)} lie in both rings{hint}")
    elif board.ring and (fault := _modules(ids, board.ring)):
        yield finding("uneven-module", where, f"{fault}{hint}")
    elif board.dies:
        halves = [number for number in ids if number ^ 1 not in ids]
        if halves:
            yield finding("half-chip", where, f"the other die of device {listed(halves)} is not there{hint}")


def _modules(ids: list[int], size: int) -> str | None:
    """What is uneven between the two modules of a server; None where nothing is."""
    low = sum(number < size for number in ids)
    if low in (0, len(ids), len(ids) - low):
        return None
    return f"{low} devices in module {{0-{size - 1}}}, {len(ids) - low} in {{{size}-{2 * size - 1}}}"


def _goes_on(ids: list[list[int]]) -> bool:
    """No two servers have a device of one number."""
    return len(ids) > 1 and sum(map(len, ids)) == len({number for own in ids for number in own})


def _ids(server: Server) -> list[int]:
    return [device.device_id for device in server.devices if device.device_id is not None]
