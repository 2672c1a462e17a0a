"""Tables as Ascend's own tools write them, to be judged and to be corrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from launcher.ascend import BOARDS
from launcher.rank_tables.rules import Finding
from launcher.rank_tables.validate import Report, load, validate

EXAMPLES = Path(__file__).parents[3] / "rank_tables" / "examples"


def example(name: str) -> dict[str, Any]:
    return load((EXAMPLES / f"{name}.json").read_bytes(), name)


def judge(document: Any, device: str = "", **options: Any) -> Report:
    """As a file would be: through its text."""
    data = json.dumps(document).encode()
    return validate(load(data, "hccl.json"), board=BOARDS[device] if device else None, **options)


def places(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    return {(found.rule.id, found.path) for found in findings}


def hccl_tools(count: int = 8) -> dict[str, Any]:
    """What `hccl_tools.py` of MindSpore's models writes on one machine."""
    return {
        "version": "1.0",
        "server_count": "1",
        "server_list": [
            {
                "server_id": "10.155.111.140",
                "device": [
                    {"device_id": str(one), "device_ip": f"192.{1 + one % 4}.27.{6 + one // 4}", "rank_id": str(one)}
                    for one in range(count)
                ],
                "host_nic_ip": "reserve",
            }
        ],
        "status": "completed",
    }


def merge_hccl(servers: int = 2) -> dict[str, Any]:
    """What `merge_hccl.py` makes of the files of several machines."""
    return {
        "version": "1.0",
        "server_count": str(servers),
        "server_list": [
            {
                "server_id": f"10.155.111.{140 + server}",
                "device": [
                    {
                        "device_id": str(one),
                        "device_ip": f"192.{1 + one % 4 + 4 * (server // 200)}.{27 + server % 200}.{6 + one // 4}",
                        "rank_id": str(server * 8 + one),
                    }
                    for one in range(8)
                ],
                "host_nic_ip": "reserve",
            }
            for server in range(servers)
        ],
        "status": "completed",
    }


def operator(servers: int = 2) -> dict[str, Any]:
    """What the Ascend operator writes for 910 and 910B, its keys in Go's order."""
    return {
        "status": "completed",
        "server_list": [
            {
                "device": [
                    {
                        "device_id": str(one),
                        "device_ip": f"192.168.{101 + one}.{16 + server}",
                        "rank_id": str(server * 8 + one),
                    }
                    for one in range(8)
                ],
                "hardware_type": "800I-A2-32G",
                "server_id": f"10.0.0.{1 + server}",
                "host_ip": f"10.0.0.{1 + server}",
                "container_ip": f"192.168.149.{10 + server}",
            }
            for server in range(servers)
        ],
        "server_count": str(servers),
        "version": "1.0",
    }


def operator_super_pod() -> dict[str, Any]:
    """What it writes for A3."""
    table = operator(2)
    for server, entry in enumerate(table["server_list"]):
        entry["hardware_type"] = "800I-A3-64G"
        for one, device in enumerate(entry["device"]):
            device["super_device_id"] = str(37748736 + server * 4194304 + one * 65537)
    pods = [{"super_pod_id": "0", "server_list": [{"server_id": "10.0.0.1"}, {"server_id": "10.0.0.2"}]}]
    return {**table, "version": "1.2", "super_pod_list": pods}


def operator_levels(ranks: int = 4) -> dict[str, Any]:
    """What it writes for 950: keys of 1.x too, empty."""
    return {
        "status": "completed",
        "server_list": [],
        "server_count": "",
        "version": "2.0",
        "rank_list": [
            {
                "rank_id": rank,
                "local_id": rank,
                "device_id": rank,
                "level_list": [
                    {
                        "net_layer": layer,
                        "net_instance_id": f"pod-{layer}",
                        "net_type": "" if layer == 0 else "CLOS",
                        "net_attr": "",
                        "rank_addr_list": [
                            {
                                "addr_type": "EID",
                                "addr": f"{0xDF00 + 256 * layer + rank:032x}",
                                "ports": [f"0/{layer}"],
                                "plane_id": "1",
                            }
                        ],
                    }
                    for layer in (0, 1)
                ],
            }
            for rank in range(ranks)
        ],
        "rank_count": ranks,
    }


def config_map(table: dict[str, Any], job: str = "demo") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"rings-config-{job}", "labels": {"ring-controller.atlas": "ascend-910b"}},
        "data": {"hccl.json": json.dumps(table), "version": "1716175000"},
    }
