"""Fakes of what stands around a pod on a server with Ascend devices: files and tools of others, none of them real.

Their texts have the form of the real ones (`launcher.ascend` names where each is documented); none was seen on a
machine with such devices here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher import allocation, ascend


def address(device: int, server: int = 1) -> str:
    return f"192.168.{100 + device}.{server}"


def annotation(numbers: Sequence[int], server: int = 1, **more: Any) -> dict[str, Any]:
    """What a device plugin writes on a pod that it has given these devices."""
    own = [{"device_id": str(number), "device_ip": address(number, server)} for number in numbers]
    host = f"10.0.0.{server}"
    return {"pod_name": "demo", "server_id": host, "host_ip": host, "devices": own, **more}


class FakeHccnConf:
    """`/etc/hccn.conf` of a server, as its driver's tools write it."""

    def __init__(self, root: Path, devices: Sequence[int], server: int = 1) -> None:
        self.path = root / ascend.HCCN_CONF.lstrip("/")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [line for n in devices for line in (f"address_{n}={address(n, server)}", f"netmask_{n}=255.255.255.0")]
        self.path.write_text("\n".join(lines) + "\n")


class FakeHccnTool:
    """`hccn_tool -i N -ip -g`; remembers what it was asked."""

    def __init__(self, addresses: dict[int, str], error: OSError | None = None) -> None:
        self.addresses = addresses
        self.error = error
        self.asked: list[list[str]] = []

    def __call__(self, argv: list[str]) -> str:
        self.asked.append(argv)
        if self.error:
            raise self.error
        found = self.addresses.get(int(argv[2]))
        return f"ipaddr:{found}\nnetmask:255.255.255.0\n" if found else f"Cmd failed, {ascend.NO_IP_WORDS}\n"


class FakeDevicePlugin:
    """The annotation of a pod, as the device plugin writes it and Kubernetes shows it to the pod: empty at first."""

    def __init__(self, root: Path) -> None:
        self.path = root / allocation.ANNOTATION_FILE.lstrip("/")
        self.path.parent.mkdir(parents=True)
        self.path.write_text("")

    def give(self, numbers: Sequence[int], server: int = 1, **more: Any) -> None:
        self.path.write_text(json.dumps(annotation(numbers, server, **more)))


class FakeOperator:
    """An operator's ConfigMap, mounted: says `initializing` until the operator has its table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ascend.OPERATOR_KEY
        folder.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        self.path.write_text(json.dumps({"status": ascend.INITIALIZING}))

    def complete(self, servers: int, devices: Sequence[int]) -> None:
        ranks = iter(range(servers * len(devices)))
        self.path.write_text(
            json.dumps(
                {
                    "status": ascend.COMPLETED,
                    "version": "1.0",
                    "server_count": str(servers),
                    "server_list": [
                        {
                            "server_id": f"10.0.0.{server}",
                            "host_ip": f"10.0.0.{server}",
                            "hardware_type": "800T-A2-64G",
                            "device": [
                                {"device_id": str(n), "device_ip": address(n, server), "rank_id": str(next(ranks))}
                                for n in devices
                            ],
                        }
                        for server in range(1, servers + 1)
                    ],
                }
            )
        )
