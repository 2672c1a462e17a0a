"""From the JSON of a table to a RankTable, with a finding for each value that is not of the form it must have.

What is wrong is left out of the table, and whatever else can be read is read, so that one fault does not hide another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher import ascend
from launcher.rank_tables import read_levels
from launcher.rank_tables.model import Device, RankTable, Server, SuperPod
from launcher.rank_tables.reader import Reader
from launcher.rank_tables.rules import Finding
from launcher.rank_tables.values import shown


def read(document: Mapping[str, Any]) -> tuple[RankTable, list[Finding]]:
    reader = Reader()
    status = reader.status(document)
    if status == ascend.INITIALIZING and not ("server_list" in document or "rank_list" in document):
        return RankTable(str(document.get("version", "")), (), status=status), reader.findings
    version = reader.version(document)
    listing = "rank_list" if version == ascend.LEVELS else "server_list"
    # A table that nobody has filled in yet lacks all the rest.
    if version == ascend.HETEROGENEOUS or (status != ascend.COMPLETED and not document.get(listing)):
        return RankTable(version, (), status=status), reader.findings
    if version == ascend.LEVELS:
        return read_levels.table(reader, document, status), reader.findings
    return _table(reader, document, version, status), reader.findings


def _table(reader: Reader, document: Mapping[str, Any], version: str, status: str) -> RankTable:
    super_pods = "super_pod_list" in document
    reader.known(document, "", (*ascend.TABLE_KEYS, "super_pod_list"))
    listed = reader.objects(document, "server_list", "")
    if listed == [] and not document["server_list"]:
        reader.report("server-list", ".server_list", "server_list is empty")
    servers = tuple(_server(reader, item, path) for path, item in listed or ())
    count = reader.number(document, "server_count", "", "server-count")
    if count is not None and listed is not None and count != len(document["server_list"]):
        said = f"server_count is {count}, but server_list has {len(document['server_list'])}"
        reader.report("server-count", ".server_count", said)
    pods: tuple[SuperPod, ...] = ()
    if version == ascend.SUPER_POD or super_pods:
        pods = tuple(
            _super_pod(reader, item, path) for path, item in reader.objects(document, "super_pod_list", "") or ()
        )
    return RankTable(version, servers, pods, status)


def _server(reader: Reader, item: Mapping[str, Any], path: str) -> Server:
    reader.known(item, path, ascend.SERVER_KEYS)
    for key in ("container_ip", "host_nic_ip", "server_ip", "pod_name"):
        reader.text(item, key, path)
    server_id = reader.text(item, "server_id", path, required=True)
    if server_id is not None:
        fault = _server_id_fault(server_id)
        if fault:
            reader.report("server-id", f"{path}.server_id", f"server_id {shown(server_id)} {fault}")
    listed = reader.objects(item, "device", path)
    if listed == [] and not item["device"]:
        reader.report("device-list", f"{path}.device", "device is an empty list")
    return Server(
        server_id or "",
        tuple(_device(reader, device, where) for where, device in listed or ()),
        reader.address(item, "host_ip", path, "host-ip"),
        reader.text(item, "hardware_type", path) or "",
        path,
    )


def _server_id_fault(text: str) -> str:
    if not text.strip():
        return "is empty"
    if text != text.strip() or not text.isprintable():
        return "has spaces around it or signs that cannot be printed"
    return f"has {len(text)} characters, more than {ascend.MAX_SERVER_ID}" if len(text) > ascend.MAX_SERVER_ID else ""


def _device(reader: Reader, item: Mapping[str, Any], path: str) -> Device:
    reader.known(item, path, (*ascend.DEVICE_KEYS, *ascend.PORT_KEYS))
    reader.text(item, "device_logical_id", path)
    ports = {}
    for key in ascend.PORT_KEYS:
        number = reader.number(item, key, path, "port", required=False)
        if number is not None:
            ports[key] = number
    return Device(
        reader.number(item, "device_id", path, "device-id"),
        reader.number(item, "rank_id", path, "rank-id"),
        reader.address(item, "device_ip", path, "device-ip"),
        reader.number(item, "super_device_id", path, "super-device-id", required=False),
        reader.address(item, "backup_device_ip", path, "backup-ip"),
        ports,
        path=path,
    )


def _super_pod(reader: Reader, item: Mapping[str, Any], path: str) -> SuperPod:
    reader.known(item, path, ascend.SUPER_POD_KEYS)
    name = reader.text(item, "super_pod_id", path, required=True)
    if name is not None and not name.strip():
        reader.report("super-pod-id", f"{path}.super_pod_id", "super_pod_id is empty")
    servers = []
    for where, server in reader.objects(item, "server_list", path) or ():
        reader.known(server, where, ("server_id",))
        # A name that is missing stays in the list as "", so that positions in it are those of the file.
        servers.append(reader.text(server, "server_id", where, required=True) or "")
    return SuperPod(name or "", tuple(servers), path)
