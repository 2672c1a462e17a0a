"""A RankTable as the JSON of Ascend's own tools: 1.x in strings, 2.0 in integers; each device of 1.x on one line."""

from __future__ import annotations

import json
from typing import Any

from launcher import ascend
from launcher.rank_tables.model import Device, RankTable, Server


def text(table: RankTable) -> str:
    return _text(document(table), "")


def document(table: RankTable) -> dict[str, Any]:
    """Raises ValueError for version 1.1, and for a table with a device that has no rank or number."""
    if table.version == ascend.LEVELS:
        ranks = sorted((_rank(device) for device in table.devices), key=lambda rank: int(rank["rank_id"]))
        return {"status": table.status, "version": table.version, "rank_count": len(ranks), "rank_list": ranks}
    if table.version not in ("1.0", ascend.SUPER_POD):
        raise ValueError(f"tables of version {table.version} are not made")
    made = {
        "status": table.status,
        "version": table.version,
        "server_count": str(len(table.servers)),
        "server_list": [_server(server) for server in table.servers],
    }
    if table.version == ascend.SUPER_POD:
        made["super_pod_list"] = [
            {"super_pod_id": pod.super_pod_id, "server_list": [{"server_id": name} for name in pod.server_ids]}
            for pod in table.super_pods
        ]
    return made


def _server(server: Server) -> dict[str, Any]:
    host = {"host_ip": server.host_ip} if server.host_ip else {}
    return {"server_id": server.server_id, **host, "device": [_device(device) for device in server.devices]}


def _device(device: Device) -> dict[str, str]:
    optional = {
        "device_ip": device.device_ip,
        "super_device_id": "" if device.super_device_id is None else str(device.super_device_id),
        "backup_device_ip": device.backup_ip,
        **{key: str(port) for key, port in device.ports.items()},
    }
    given = {key: value for key, value in optional.items() if value}
    return {"device_id": str(_given(device.device_id)), **given, "rank_id": str(_given(device.rank_id))}


def _rank(device: Device) -> dict[str, Any]:
    replaced = {} if device.replaced_local_id is None else {"replaced_local_id": device.replaced_local_id}
    return {
        "rank_id": _given(device.rank_id),
        "local_id": _given(device.device_id if device.local_id is None else device.local_id),
        "device_id": _given(device.device_id),
        **replaced,
        **device.ports,
        "level_list": [
            {
                "net_layer": _given(level.net_layer),
                "net_instance_id": level.net_instance_id,
                "net_type": level.net_type,
                "net_attr": "",
                "rank_addr_list": [
                    {
                        "addr_type": address.addr_type,
                        "addr": address.addr,
                        "ports": list(address.ports),
                        **({"plane_id": address.plane_id} if address.plane_id else {}),
                    }
                    for address in level.addresses
                ],
            }
            for level in device.levels
        ],
    }


def _given(number: int | None) -> int:
    if number is None:
        raise ValueError("a device has no number or no rank")
    return number


def _text(value: Any, indent: str) -> str:
    """JSON with an object on one line wherever nothing in it holds an object."""
    items: list[Any] = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    deeper = indent + "  "
    if not any(isinstance(item, dict) or (isinstance(item, list) and _holds_objects(item)) for item in items):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, dict):
        lines = [f"{deeper}{json.dumps(key)}: {_text(item, deeper)}" for key, item in value.items()]
    else:
        lines = [f"{deeper}{_text(item, deeper)}" for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n" + ",\n".join(lines) + f"\n{indent}{closing}"


def _holds_objects(items: list[Any]) -> bool:
    return any(isinstance(item, (dict, list)) for item in items)
