"""The rank table of an attempt: of what its pods were given, or the one that an operator writes. Judged before use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import ascend
from launcher.ascend import Board
from launcher.errors import LauncherError, WaitTimeout, one_line
from launcher.rank_tables import build, form, validate
from launcher.rank_tables.json_text import MAX_BYTES
from launcher.rank_tables.model import Device, RankTable, Server
from launcher.rank_tables.pods import Allocation
from launcher.rank_tables.validate import Report
from launcher.rank_tables.values import listed, shown
from runfolder import atomic

POLL_S = 1.0


@dataclass(frozen=True)
class ReadyTable:
    """A table without an error."""

    table: RankTable
    text: str
    """What the ranks are to read: an operator's own is not written anew."""
    warnings: tuple[str, ...]
    """One line each."""


def whole_table(allocations: Sequence[Allocation], board: Board) -> ReadyTable:
    """The table of all pods, which come in the order of their numbers: so do their ranks.

    Pods that share a server become one server of it. Raises LauncherError, which names the rule and what to do, for a
    table that HCCL would refuse.
    """
    version = max((one.version for one in allocations), default=board.versions[0])
    super_pods = {one.server.server_id: one.super_pod for one in allocations}
    made = build.build([one.server for one in allocations], version, super_pods)
    report = validate.validate(form.document(made), board=board)
    names = ", ".join(one.server.server_id for one in allocations)
    return _ready(report, form.text(made), f"the rank table of what the pods were given (servers {names}) is wrong")


def operator_writes(folder: Path = Path(ascend.OPERATOR_MOUNT)) -> bool:
    """Whether this pod has an operator's ConfigMap, and so a table that others make."""
    return folder.is_dir()


def operator_table(
    board: Board,
    ranks: int,
    folder: Path = Path(ascend.OPERATOR_MOUNT),
    *,
    deadline_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
) -> ReadyTable:
    """The table that an operator has written into its ConfigMap, once it says `completed`.

    Raises WaitTimeout after `deadline_s` seconds without one, and LauncherError for a file that is no table, for a
    table that is not for `ranks` ranks or that HCCL would refuse, and where `stopped` says that nobody waits any more.
    """
    path = folder / ascend.OPERATOR_KEY
    began = clock()
    while True:
        data = _read(path)
        document = validate.load(data, str(path)) if data.strip() else {}
        if document.get("status") == ascend.COMPLETED:
            break
        if stopped():
            raise LauncherError(f"{path}: told to stop before the operator's table was there")
        if clock() - began >= deadline_s:
            raise WaitTimeout(_overdue(path, document.get("status"), bool(data), clock() - began))
        sleep(POLL_S)
    report = validate.validate(document, board=board, rank_size=ranks)
    size = report.table.rank_size
    if not report.errors or [one.rule.id for one in report.errors] == ["rank-size"]:
        if report.table.version == ascend.HETEROGENEOUS:
            raise LauncherError(f"{path}: a table of version {ascend.HETEROGENEOUS} is not for ranks on devices alone")
        if size != ranks:
            raise LauncherError(
                f"{path}: completed with {size} ranks, this run has {ranks}; give the operator's job as many pods and "
                "devices as the run has"
            )
    return _ready(report, data.decode(), f"{path}: the operator's rank table is wrong")


def require_ranks(ready: ReadyTable, own: Allocation, first: int) -> None:
    """Raises LauncherError unless the table gives the devices of this pod the ranks from `first` on, in their order."""
    found = [_find(ready.table, own.server, device) for device in own.server.devices]
    missing = [device.device_id for device, one in zip(own.server.devices, found, strict=True) if one is None]
    server = shown(own.server.server_id)
    if missing:
        ids = listed([number for number in missing if number is not None])
        raise LauncherError(
            f"the operator's rank table has no device {ids} of server {server}, which this pod was given; it is stale: "
            "delete the job and its ConfigMap, and submit again"
        )
    ranks = [one.rank_id for one in found if one]
    if ranks != list(range(first, first + len(ranks))):
        raise LauncherError(
            f"the operator's rank table gives this pod's devices on server {server} the ranks "
            f"{', '.join(map(str, ranks))}, the run expects {first} to {first + len(ranks) - 1}; use one pod, or a "
            "profile with start: msrun"
        )


def write(ready: ReadyTable, path: Path) -> None:
    """Raises OSError."""
    atomic.write_text(path, ready.text if ready.text.endswith("\n") else ready.text + "\n")


def _ready(report: Report, text: str, what: str) -> ReadyTable:
    if report.refusal:
        raise LauncherError(one_line(f"{what}: ") + report.refusal)
    warnings = [f"{one.rule.id} at {one.path}: {one.text}; {one.rule.consequence}" for one in report.warnings]
    return ReadyTable(report.table, text, tuple(map(one_line, warnings)))


def _read(path: Path) -> bytes:
    """b"" where it is not there yet."""
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise LauncherError(f"{path}: cannot read the operator's rank table: {error.strerror}") from None


def _overdue(path: Path, status: object, there: bool, waited_s: float) -> str:
    if not there:
        return (
            f"{path}: no file after {waited_s:.0f} s; mount the ConfigMap {ascend.OPERATOR_CONFIG_MAP}JOB there as a "
            "folder (not with subPath, which is never updated), or use a profile without an operator's table"
        )
    said = "has no status" if status is None else f"is still {shown(status)}"
    return (
        f"{path}: {said} after {waited_s:.0f} s; the operator writes {ascend.COMPLETED} once every pod has its "
        "devices: see its log, and whether all pods of the job are running"
    )


def _find(table: RankTable, server: Server, device: Device) -> Device | None:
    """By its address, which is its own in the whole cluster; without one, by its server and number there."""
    addresses = {address.addr for level in device.levels for address in level.addresses}
    for other in table.servers:
        for one in other.devices:
            if device.device_ip and one.device_ip:
                same = device.device_ip == one.device_ip
            elif addresses:
                same = any(address.addr in addresses for level in one.levels for address in level.addresses)
            else:
                same = (other.server_id, one.device_id) == (server.server_id, device.device_id)
            if same:
                return one
    return None
