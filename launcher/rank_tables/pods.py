"""Devices that a cluster has given to pods: a device plugin writes them on each, as an annotation.

Read from `kubectl get pods -o json`, or one pod's annotation from inside it; in that form pods tell each other too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launcher import ascend
from launcher.errors import UsageError, one_line
from launcher.rank_tables.json_text import kind, load_object
from launcher.rank_tables.model import Address, Device, Level, Server
from launcher.rank_tables.values import decimal, shown

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
JOB_LABELS = (
    "batch.kubernetes.io/job-name",
    "job-name",
    "training.kubeflow.org/job-name",
    "volcano.sh/job-name",
)
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Allocation:
    """What one pod was given."""

    pod: str
    server: Server
    super_pod: str
    index: int | None
    """The pod's number in its job."""

    @property
    def version(self) -> str:
        devices = self.server.devices
        if any(device.levels for device in devices):
            return ascend.LEVELS
        return ascend.SUPER_POD if any(device.super_device_id is not None for device in devices) else "1.0"


def allocations(data: bytes, name: str) -> tuple[tuple[Allocation, ...], tuple[str, ...]]:
    """Of each pod with devices, in the order of their ranks, and one line for each pod that was passed over.

    Ranks go by the pods' numbers in their job; where one has none, by server_id as text. Raises UsageError for pods of
    several jobs, for a pod that waits for its devices, and for what is not of the form above.
    """
    document = load_object(data, name, "a list of pods")
    found, notes, jobs = [], [], {}
    for pod in _pods(document, name):
        label = f"pod/{_text(pod, ('metadata', 'name'))}"
        phase = _text(pod, ("status", "phase"))
        annotation = _map(pod, ("metadata", "annotations")).get(ascend.POD_ANNOTATION)
        if annotation is None and not _wants_devices(pod):
            notes.append(f"{label} asks for no {ascend.RESOURCE_PREFIX} device and is passed over")
        elif phase in _ENDED:
            notes.append(f"{label} has ended ({phase}) and is passed over")
        elif annotation is None:
            raise UsageError(
                f"{name}: {label} ({phase or 'no phase'}) asks for devices and has no annotation "
                f"{ascend.POD_ANNOTATION} yet; wait until it runs, and see to it that the Ascend device plugin does"
            )
        else:
            found.append(allocation(annotation, f"{name}: {label}", _index(pod)))
            jobs[next((value for key in JOB_LABELS if (value := _map(pod, ("metadata", "labels")).get(key))), "")] = (
                label
            )
    if len(jobs) > 1:
        first, second = list(jobs.items())[:2]
        raise UsageError(
            one_line(f"{name}: {first[1]} is of job {shown(first[0])}, {second[1]} of {shown(second[0])}; ")
            + "list the pods of one job: kubectl get pods -l job-name=NAME -o json"
        )
    if not found:
        raise UsageError(f"{name}: no pod with the annotation {ascend.POD_ANNOTATION}")
    return _ordered(found), tuple(notes)


def _ordered(found: list[Allocation]) -> tuple[Allocation, ...]:
    if any(one.index is None for one in found):
        return tuple(sorted(found, key=lambda one: one.server.server_id))
    indices = [one.index for one in found]
    for position, one in enumerate(found):
        if one.index in indices[:position]:
            other = found[indices.index(one.index)].pod
            raise UsageError(f"{other} and {one.pod} both have the number {one.index} of their job; delete the older")
    return tuple(sorted(found, key=lambda one: one.index or 0))


def _pods(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    if document.get("kind") == "Pod":
        return [document]
    items = document.get("items")
    if not isinstance(items, list) or not all(
        isinstance(item, dict) and item.get("kind", "Pod") == "Pod" for item in items
    ):
        raise UsageError(f"{name}: not a list of pods; give it the output of 'kubectl get pods -o json'")
    return items


def allocation(annotation: Any, where: str, index: int | None) -> Allocation:
    """What the annotation of one pod says. `where` it was read goes into messages; its last part names the pod.

    Raises UsageError, one line, for what no device plugin writes.
    """
    if not isinstance(annotation, str):
        raise UsageError(f"{where}: annotation {ascend.POD_ANNOTATION} is {kind(annotation)}, not text")
    given = load_object(annotation.encode(errors="replace"), f"{where}: annotation", "what a device plugin writes")
    reader = _Annotation(where)
    devices = reader.listing(given, "devices")
    networks = {network for device in devices for network in _networks(reader, device)}
    scale_out = next(((network, layer) for network, layer in ascend.SCALE_OUT if network in networks), None)
    server = Server(
        reader.word(given, "server_id"),
        tuple(_device(reader, device, scale_out) for device in devices),
        reader.word(given, "host_ip", required=False),
    )
    if not server.devices:
        raise UsageError(f"{where}: its annotation names no device")
    super_pod = given.get("super_pod_id", 0)
    return Allocation(where.rpartition(": ")[2], server, str(super_pod), index)


def annotation(own: Allocation) -> dict[str, Any]:
    """As a device plugin would write it: what `allocation` reads again."""
    return {
        "pod_name": own.pod,
        "server_id": own.server.server_id,
        "host_ip": own.server.host_ip,
        "super_pod_id": own.super_pod,
        "devices": [_written(device) for device in own.server.devices],
    }


def _written(device: Device) -> dict[str, Any]:
    made: dict[str, Any] = {"device_id": str(device.device_id), "device_ip": device.device_ip}
    if device.super_device_id is not None:
        made["super_device_id"] = str(device.super_device_id)
    if device.levels:
        networks = {layer: network for network, layer in reversed(ascend.SCALE_OUT)}
        made[ascend.LEVEL_LIST] = [
            {
                "level": level.net_layer,
                "info": {
                    networks.get(level.net_layer or 0, "inside"): {
                        "net_layer": level.net_layer,
                        "net_instance_id": level.net_instance_id,
                        "net_type": level.net_type,
                        "rank_addr_list": [
                            {"addr_type": one.addr_type, "addr": one.addr, "ports": one.ports, "plane_id": one.plane_id}
                            for one in level.addresses
                        ],
                    }
                },
            }
            for level in device.levels
        ]
    return made


class _Annotation:
    def __init__(self, where: str) -> None:
        self._where = where

    def error(self, key: str, value: Any, wanted: str) -> UsageError:
        return UsageError(one_line(f"{self._where}: annotation: {key} is {shown(value)}; it must be {wanted}"))

    def word(self, holder: Mapping[str, Any], key: str, *, required: bool = True) -> str:
        value = holder.get(key, "")
        if not isinstance(value, str) or (required and not value):
            raise self.error(key, value, "a string")
        return value

    def number(self, holder: Mapping[str, Any], key: str) -> int:
        number = decimal(self.word(holder, key))
        if number is None:
            raise self.error(key, holder[key], "decimal digits in a string")
        return number

    def layer(self, holder: Mapping[str, Any], key: str) -> int:
        value = holder.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, value, "an integer")
        return value

    def words(self, holder: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = holder.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, value, "a list of strings")
        return tuple(value)

    def listing(self, holder: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
        value = holder.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(key, value, "a list of objects")
        return value


def _device(reader: _Annotation, item: Mapping[str, Any], scale_out: tuple[str, int] | None) -> Device:
    number = reader.number(item, "device_id")
    levels = tuple(_levels(reader, item, scale_out))
    return Device(
        number,
        device_ip=reader.word(item, "device_ip", required=False),
        super_device_id=reader.number(item, "super_device_id") if item.get("super_device_id") else None,
        local_id=number if levels else None,
        levels=levels,
    )


def _levels(reader: _Annotation, item: Mapping[str, Any], scale_out: tuple[str, int] | None) -> Iterator[Level]:
    """As the operator takes them: layers 0 and 1, and above those the one network that is best."""
    for entry in reader.listing(item, ascend.LEVEL_LIST):
        layer, info = reader.layer(entry, "level"), _map(entry, ("info",))
        chosen = next(iter(info), None) if layer < 2 else scale_out[0] if scale_out and scale_out[1] == layer else None
        if chosen in info:
            yield _level(reader, _map(info, (chosen,)))


def _level(reader: _Annotation, item: Mapping[str, Any]) -> Level:
    return Level(
        reader.layer(item, "net_layer"),
        reader.word(item, "net_instance_id"),
        reader.word(item, "net_type", required=False),
        tuple(
            Address(
                reader.word(address, "addr_type"),
                reader.word(address, "addr"),
                reader.words(address, "ports"),
                reader.word(address, "plane_id", required=False),
            )
            for address in reader.listing(item, "rank_addr_list")
        ),
    )


def _networks(reader: _Annotation, device: Mapping[str, Any]) -> Iterator[str]:
    for entry in reader.listing(device, ascend.LEVEL_LIST):
        yield from _map(entry, ("info",))


def _wants_devices(pod: Mapping[str, Any]) -> bool:
    containers = _map(pod, ("spec",)).get("containers")
    for container in containers if isinstance(containers, list) else ():
        wanted = _map(container, ("resources", "limits")) | _map(container, ("resources", "requests"))
        if any(resource.startswith(ascend.RESOURCE_PREFIX) for resource in wanted):
            return True
    return False


def _index(pod: Mapping[str, Any]) -> int | None:
    annotations = _map(pod, ("metadata", "annotations"))
    raw = annotations.get(COMPLETION_INDEX, annotations.get(ascend.RANK_INDEX_ANNOTATION))
    return decimal(raw) if isinstance(raw, str) else None


def _map(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _text(value: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    found = _map(value, keys[:-1]).get(keys[-1])
    return one_line(found) if isinstance(found, str) else ""
