"""`launcher ranktable ACTION`: HCCL rank tables rendered, checked and explained; nothing is sent anywhere."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

from launcher import ascend, names, spec_file
from launcher.ascend import BOARDS, Board
from launcher.errors import UsageError
from launcher.rank_tables import build, form, hccn, inventory, pods, topology, validate
from launcher.rank_tables.json_text import MAX_BYTES
from launcher.rank_tables.model import RankTable
from launcher.terminal import arguments as shared
from launcher.terminal import output, rank_table_views
from launcher.terminal.session import Session

ACTIONS = {
    "render": "print a table for a run or a list of machines",
    "validate": "check a table by all rules",
    "explain": "draw a table, and say what is unusual about it",
    "from-hccn": f"make a table from {ascend.HCCN_CONF} of each server",
    "from-pods": "make a table from the pods of a job",
}

EXIT_INVALID = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Make, check and explain HCCL rank tables (1.0, 1.2, 2.0), which tell each rank of a training on Ascend where\n"
        "all others are. What is known of each board, and where that is documented: docs/rank-tables.md.",
        "launcher ranktable render --inventory machines.yaml --devices 8 > hccl.json",
        "launcher ranktable validate hccl.json --device ascend910 --rank-size 16",
        "launcher ranktable explain hccl.json",
        "launcher ranktable from-hccn 10.0.0.1=a.conf 10.0.0.2=b.conf > hccl.json",
        "kubectl get pods -l job-name=demo -o json | launcher ranktable from-pods > hccl.json",
    )
    for name, action in shared.add_actions(parser, ACTIONS).items():
        _ADD[name](action)


def run(arguments: argparse.Namespace, session: Session) -> int:  # noqa: ARG001  a verb's signature
    return _RUN[arguments.action](arguments)


def _add_render(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Print the rank table of a run: so many devices on each of so many servers. Without an inventory no address\n"
        "is known, which is enough for one server. Ranks go by server_id as text, then by device.",
        "launcher ranktable render --device ascend910 --devices 8",
        "launcher ranktable render run.yaml --inventory machines.yaml --nodes 2",
    )
    parser.add_argument("spec", nargs="?", type=Path, metavar="SPEC",
                        help="YAML file of the run, for device and devices [launcher.yaml here, if any]")  # fmt: skip
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="YAML list of machines (rank_tables/templates/)")
    parser.add_argument("--devices", type=_positive, metavar="N", help="devices of each server")
    parser.add_argument("--nodes", type=_positive, metavar="N", help="servers [all of the inventory, else 1]")
    parser.add_argument(
        "--server", action="append", metavar="ID", help="server_id, once a server, without an inventory"
    )
    _add_board(parser)


def _add_validate(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Check a rank table by all rules; each finding has its place in the JSON, what follows, and what to do.\n\n"
        "Exit code: 0 nothing, or warnings only; 2 errors, or a file that is no table.",
        "launcher ranktable validate hccl.json",
        "launcher ranktable validate hccl.json --device ascend910b --rank-size 16 -o json",
        "kubectl get configmap rings-config-demo -o json | launcher ranktable validate -",
    )
    _add_file(parser)
    parser.add_argument("--rank-size", type=_positive, metavar="N", help="RANK_SIZE of the processes to be started")
    _add_board(parser)
    shared.add_output(parser, "json", "yaml")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Draw a rank table: its servers, and in the order of ranks the ring of each device; and what is unusual.",
        "launcher ranktable explain hccl.json",
    )
    _add_file(parser)
    _add_board(parser)


def _add_hccn(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        f"Make a table from the addresses of devices: {ascend.HCCN_CONF} of each server, or what hccn_tool prints.\n"
        "Ranks go by server_id as text, then by device.",
        "launcher ranktable from-hccn",
        "launcher ranktable from-hccn 10.0.0.1=a.conf 10.0.0.2=b.conf --devices 4 > hccl.json",
        "for i in 0 1 2 3; do hccn_tool -i $i -ip -g; done | launcher ranktable from-hccn 10.0.0.1=-",
    )
    parser.add_argument("files", nargs="*", metavar="SERVER=FILE", default=[ascend.HCCN_CONF],
                        help=f"server_id and its file, - for stdin [this machine's {ascend.HCCN_CONF}]")  # fmt: skip
    parser.add_argument("--devices", type=_positive, metavar="N", help="devices of each server [all]")
    _add_board(parser)


def _add_pods(parser: argparse.ArgumentParser) -> None:
    shared.document(
        parser,
        "Make a table from what the Ascend device plugin wrote on the pods of a job, its annotation\n"
        f"{ascend.POD_ANNOTATION}. Ranks go by the pods' numbers in their job.",
        "kubectl get pods -l job-name=demo -o json | launcher ranktable from-pods > hccl.json",
        "launcher ranktable from-pods pods.json",
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="kubectl's JSON [stdin]")
    _add_board(parser)


def _render(arguments: argparse.Namespace) -> int:
    device, devices = arguments.device, arguments.devices
    if arguments.spec is not None or (arguments.inventory is None and Path(names.SPEC_FILE).exists()):
        spec = spec_file.resolve(
            arguments.spec, {}, [], folder=Path.cwd(), user_config=spec_file.user_config_path(os.environ),
            environment=os.environ, complete=False,
        ).spec  # fmt: skip
        device, devices = device or spec.device, devices or spec.devices
    if arguments.inventory is not None:
        return _render_inventory(arguments, device, devices)
    board = _board(device)
    ids = arguments.server or [f"node_{index}" for index in range(arguments.nodes or 1)]
    if arguments.nodes not in (None, len(ids)):
        raise UsageError(f"--nodes is {arguments.nodes}, but --server names {len(ids)}; give one a server")
    servers = build.in_order([build.plain_server(name, devices or 1, board) for name in ids])
    return _print(build.build(servers, board.versions[0]), board)


def _render_inventory(arguments: argparse.Namespace, device: str | None, devices: int | None) -> int:
    if arguments.server:
        raise UsageError("--server and --inventory both name the servers; give one of them")
    machines = inventory.parse(_read(str(arguments.inventory)).decode(errors="replace"), str(arguments.inventory))
    board = _board(device) if device else machines.board
    nodes = arguments.nodes or len(machines.servers)
    if nodes > len(machines.servers):
        raise UsageError(
            f"{arguments.inventory} has {len(machines.servers)} servers, not {nodes}; ask for fewer --nodes"
        )
    servers = build.in_order(machines.servers)[:nodes]
    if devices:
        servers = tuple(build.choose(server, devices, board) for server in servers)
    return _print(build.build(servers, machines.version, machines.super_pods), board)


def _validate(arguments: argparse.Namespace) -> int:
    report = _report(arguments, arguments.rank_size)
    if arguments.output:
        print(output.document(rank_table_views.data(report, arguments.file), arguments.output))
    else:
        print(rank_table_views.verdict(report, arguments.file))
    return EXIT_INVALID if report.errors else 0


def _explain(arguments: argparse.Namespace) -> int:
    print(rank_table_views.drawing(_report(arguments, None), arguments.file))
    return 0


def _from_hccn(arguments: argparse.Namespace) -> int:
    servers = []
    for given in arguments.files:
        name, equals, file = given.partition("=")
        if not equals:
            name, file = platform.node(), given
        servers.append(hccn.server(_read(file).decode(errors="replace"), name, file))
    twice = [
        one.server_id
        for index, one in enumerate(servers)
        if one.server_id in {two.server_id for two in servers[:index]}
    ]
    if twice:
        raise UsageError(f"server '{twice[0]}' is named twice; write SERVER=FILE with a server_id for each")
    ordered = build.in_order(servers)
    board = _board(arguments.device) if arguments.device else topology.board_of(RankTable("1.0", ordered))[0]
    if arguments.devices:
        ordered = tuple(build.choose(server, arguments.devices, board) for server in ordered)
    return _print(build.build(ordered, "1.0"), board)


def _from_pods(arguments: argparse.Namespace) -> int:
    found, notes = pods.allocations(_read(arguments.file), arguments.file)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    version = max(one.version for one in found)
    made = build.build([one.server for one in found], version, {one.server.server_id: one.super_pod for one in found})
    return _print(made, _board(arguments.device) if arguments.device else None)


def _print(table: RankTable, board: Board | None) -> int:
    """The table, if it is one: what we make is judged by the rules for everybody's."""
    report = validate.validate(form.document(table), board=board)
    if report.refusal:
        raise UsageError(f"the table would be wrong: {report.refusal}")
    for line in rank_table_views.lines(report.warnings):
        print(line, file=sys.stderr)
    print(form.text(table))
    return 0


def _report(arguments: argparse.Namespace, rank_size: int | None) -> validate.Report:
    name = "" if arguments.file == "-" else Path(arguments.file).name
    return validate.validate(
        validate.load(_read(arguments.file), arguments.file),
        name=name,
        board=_board(arguments.device) if arguments.device else None,
        rank_size=rank_size,
    )


def _board(device: str | None) -> Board:
    if device is None or device not in BOARDS:
        known = ", ".join(BOARDS)
        raise UsageError(f"device {device or 'cpu'} has no rank table; say --device with one of {known}")
    return BOARDS[device]


def _read(file: str) -> bytes:
    """At most one byte more than a table may have, so that nothing endless is read. Raises UsageError."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot read it: {error.strerror}") from None


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rank table, or an operator's ConfigMap as JSON; - for stdin")


def _add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=tuple(BOARDS), help="board of the servers [what the table looks like]")


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 6 and int(text)):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not '{text}'")
    return int(text)


_ADD = {
    "render": _add_render,
    "validate": _add_validate,
    "explain": _add_explain,
    "from-hccn": _add_hccn,
    "from-pods": _add_pods,
}
_RUN = {
    "render": _render,
    "validate": _validate,
    "explain": _explain,
    "from-hccn": _from_hccn,
    "from-pods": _from_pods,
}
