"""What must hold of a rank table, each rule with what happens otherwise and what to do: one entry, one finding's words.

`source` names the place where it is documented (`launcher.ascend`); "notes" where we have it from there and could not
find its line again, "house" where it is our own judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Rule:
    id: str
    severity: Severity
    must: str
    """What must hold."""
    consequence: str
    """What happens otherwise."""
    remedy: str
    """What to do."""
    source: str


@dataclass(frozen=True)
class Finding:
    rule: Rule
    path: str
    """Of the part of the JSON that breaks the rule, as `jq` writes it."""
    text: str
    """What is wrong there, with the values."""

    @property
    def is_error(self) -> bool:
        return self.rule.severity is Severity.ERROR


_REFUSED = "HCCL refuses the table (EI0004 or EI0014) and no rank starts"
_HANGS = "ranks wait for each other until HCCL_CONNECT_TIMEOUT and end with EI0006"
_REMAKE = "make the table anew: launcher ranktable from-hccn, from-pods or render"


def _error(name: str, must: str, remedy: str, source: str, consequence: str = _REFUSED) -> Rule:
    return Rule(name, Severity.ERROR, must, consequence, remedy, source)


def _warning(name: str, must: str, consequence: str, remedy: str, source: str) -> Rule:
    return Rule(name, Severity.WARNING, must, consequence, remedy, source)


_ALL = (
    # The file and its form.
    _error("file-name", "the file's name ends with .json", "rename the file", "notes",
           "MindSpore and older HCCL refuse the file by its name"),
    _error("status", "status is completed", "wait until its operator has written it, with a deadline; or make it anew",
           "hcclug, mind", "HCCL takes the table for unfinished and no rank starts"),
    _error("version", "version is 1.0, 1.1, 1.2 or 2.0", _REMAKE, "hcclug, hcomm"),
    _error("board-version", "the table's version is one that the board takes",
           "make the table anew for the board, or name the board that it is for (--device)", "hcclug"),
    _warning("heterogeneous", "version is not 1.1, which is for CPU and NPU ranks together",
             "nothing but its status and version is checked", _REMAKE, "hcomm"),
    _error("missing-key", "every key that HCCL reads is there", "add the key, or " + _REMAKE, "hcclug, hcomm"),
    _error("structure", "lists are lists and their parts are objects", _REMAKE, "hcclug, hcomm"),
    _error("json-string", "in 1.x every value is a JSON string", "put the value in quotes", "hcclug, hcomm"),
    _error("json-integer", "in 2.0 numbers are JSON integers", "write the number without quotes and fraction",
           "hcclug, hcomm"),
    _warning("unknown-key", "every key is one that HCCL or Ascend's tools know", "it is passed over in silence",
             "mend its spelling, or remove it", "hcomm"),
    # Servers and devices.
    _error("server-list", "server_list has at least one server", _REMAKE, "hcomm"),
    _error("server-count", "server_count is the number of servers", "set it to the number of entries in server_list",
           "hcclug, hcomm"),
    _error("server-id", "server_id is 1 to 64 characters without spaces around it",
           "name the server by its address or a short name", "hcclug"),
    _error("server-id-unique", "each server_id stands once", "merge the two servers, or name the second rightly",
           "hcclug, hcomm"),
    _error("host-ip", "host_ip is an IPv4 or IPv6 address", "write the address of the host's network card",
           "hcclug, hcomm"),
    _warning("host-ip-unique", "each host_ip stands once", "two servers claim one machine",
             "look up each host's address (kubectl get nodes -o wide)", "house"),
    _error("device-list", "a server has at least one device", "remove the server, or add its devices", "hcomm"),
    _error("device-id", "device_id is a number that the board has: 0..7 on 910A, 0..15 on 910B and A3",
           "use the physical ids that npu-smi info shows; for another board say --device", "hcclug, hcomm",
           "HCCL refuses the table, or a rank opens a device that is not its own"),
    _error("device-id-unique", "each device_id stands once on its server", "give every rank a device of its own",
           "hcclug", "two ranks open one device; one of them fails"),
    _error("device-ip", "device_ip is an IPv4 or IPv6 address that a network card can have",
           "take it from /etc/hccn.conf (address_N=) or hccn_tool -i N -ip -g", "hcclug, hcomm"),
    _error("device-ip-unique", "each device_ip stands once in the table", "give each device's port its own address "
           "(hccn_tool -i N -ip -s address A netmask M), then make the table anew", "hcclug, hcomm"),
    _warning("device-ip-host", "device_ip is not the address of a host", "the device's own port is not that of its "
             "host's network card; ranks cannot reach it there", "take it from /etc/hccn.conf (address_N=)", "house"),
    _error("device-ip-family", "all device_ip are IPv4, or all are IPv6", "use one family for all devices", "notes",
           "HCCL opens sockets of one family; " + _HANGS),
    _error("device-ip-required", "with more than one server each device has a device_ip",
           "take it from /etc/hccn.conf (address_N=) or hccn_tool -i N -ip -g", "hcclug, hcomm"),
    _warning("device-ip-missing", "each device has a device_ip on a single server too",
             "fine inside one server; the table cannot be joined with another server's, nor RoCE used inside",
             "take it from /etc/hccn.conf where the network is set up", "hcclug, hcomm"),
    _error("port", "a port is a number in 1..65535", "choose a free port, or leave the key out", "hcclug, hcomm"),
    _warning("port-unique", "ranks of one server listen on different host ports", "the second rank cannot listen",
             "give each rank of a server its own host_port", "hcclug"),
    _error("backup-ip", "backup_device_ip is an address, and not the device's own",
           "name the other die's address, or leave the key out", "hcclug, hcomm"),
    # Ranks.
    _error("rank-id", "rank_id is a decimal number", "number the ranks 0, 1, 2, … without gaps", "hcclug, hcomm"),
    _error("rank-id-unique", "each rank_id stands once", "number the ranks 0, 1, 2, … without gaps", "hcomm"),
    _error("rank-id-contiguous", "the rank_ids of n devices are 0..n-1", "number the ranks 0, 1, 2, … without gaps",
           "hcomm"),
    _error("rank-size", "RANK_SIZE is the number of ranks in the table",
           "start as many processes as the table has ranks, or make it for that many", "models",
           "HCCL waits for ranks that never come, or a rank finds no place in the table"),
    _warning("rank-order", "ranks rise over servers in the dictionary order of their server_id",
             "tools that sort servers as text (10.0.0.10 before 10.0.0.9) give other ranks than the table",
             "number the ranks by server_id sorted as text, or see to it that every tool takes them from the table",
             "notes"),
    _warning("rank-interleaved", "ranks of one server follow one another",
             "groups of neighbouring ranks reach over the network where a server's own links would do",
             "number the ranks server by server", "house"),
    # Topology.
    _error("device-count", "910A: 1, 2, 4 or 8 devices of a server take part", "use 1, 2, 4 or 8 devices a server; "
           "for another board say --device", "hcomm, models"),
    _error("ring", "910A: up to 4 devices lie in one ring, {0-3} or {4-7}; only all 8 cross",
           "take the devices of one ring; for another board say --device", "models, hcclug",
           "no HCCS link joins the rings: HCCL fails at its first collective, or falls back to slow links"),
    _error("same-count", "910A: each server has the same number of devices", "use the same number on each server",
           "hcclug"),
    _warning("uneven-count", "each server has the same number of devices",
             "HCCL takes slower algorithms, and every step waits for the fullest server",
             "use the same number on each server", "hcomm"),
    _warning("uneven-module", "910B x 16: devices of both modules, {0-7} and {8-15}, are as many in each",
             "HCCL cannot pair the modules and takes slower algorithms", "take as many devices in each module",
             "hcomm"),
    _warning("half-chip", "A3: both dies of an NPU (devices 2k and 2k+1) take part, or neither",
             "the other die's share of memory and links lies idle, and backup links cannot be set up",
             "take devices in pairs", "hcclug"),
    # 1.2: super pods.
    _error("super-pod-list", "1.2: super_pod_list has at least one super pod", _REMAKE, "hcclug",
           "HCCL takes the servers for separate machines, or refuses the table"),
    _error("super-pod-version", "super_pod_list and super_device_id are for version 1.2",
           "set version to 1.2, or remove both", "hcclug, hcomm",
           "HCCL passes over the super pods and uses the slow network between its servers"),
    _error("super-pod-id", "super_pod_id is not empty", "name the super pod", "hcclug, hcomm"),
    _error("super-pod-id-unique", "each super_pod_id stands once", "merge the two super pods", "hcomm"),
    _error("super-pod-server", "each server of server_list is in exactly one super pod, and no other one is",
           "list every server_id of server_list once under super_pod_list", "hcomm"),
    _error("super-device-id", "1.2: each device has a super_device_id, a decimal number",
           "take it from the pod's annotation or npu-smi info -t spod-info", "hcclug, hcomm"),
    _error("super-device-id-unique", "each super_device_id stands once in its super pod",
           "take it from the pod's annotation or npu-smi info -t spod-info", "hcomm"),
    # 2.0: ranks with layers of network.
    _error("rank-list", "rank_list has at least one rank", _REMAKE, "hcomm"),
    _error("rank-count", "rank_count is the number of ranks", "set it to the number of entries in rank_list", "hcomm"),
    _error("local-id", "local_id is 0..63, or 64 for a spare that names its replaced_local_id (0..63)",
           "take it from the topology file of the driver", "hcomm"),
    _error("local-id-unique", "each local_id stands once in its network instance of the lowest layer",
           "take it from the topology file of the driver", "hcomm"),
    _warning("same-device", "no two ranks of one network instance of the lowest layer have one device_id",
             "if they are on one machine, two ranks open one device; one of them fails",
             "check that they are on different machines", "house"),
    _error("level-list", "level_list has 1 to 8 layers", _REMAKE, "hcomm"),
    _error("net-layer", "the net_layers of a rank are 0..7 and ascend", "sort the layers; each stands once", "hcomm"),
    _error("net-instance", "net_instance_id is 1 to 1024 characters", "name the network instance", "hcomm"),
    _error("net-type", "net_type is one that HCCL knows",
           "write TOPO_FILE_DESC for the layer inside a server, CLOS above it", "hcomm"),
    _error("address", "addr is of its addr_type: EID (32 hexadecimal digits), IPV4 or IPV6",
           "take it from the pod's annotation or the driver", "hcomm"),
    _error("address-ports", "ports are 1 or more texts of the form DIE/PORT", "take them from the topology file",
           "hcclug, hcomm"),
    _error("address-count", "a layer has at most 24 addresses, and ranks of one network instance have as many each",
           "list the same ports for each rank of the instance", "hcomm"),
    _error("address-unique", "no address belongs to two ranks", "take each address from its own device", "hcclug",
           "two ranks claim one address; " + _HANGS),
    _error("not-connected", "one layer has a network instance that holds all ranks",
           "add the layer that joins them (net_type CLOS)", "hcomm", "ranks find no way to each other"),
    _error("detour", "detour is \"true\", \"false\" or left out", "write it as a JSON string, or leave it out",
           "hcomm"),
)  # fmt: skip

RULES: Mapping[str, Rule] = {rule.id: rule for rule in _ALL}


def finding(rule: str, path: str, text: str) -> Finding:
    """`path` "" is the whole document."""
    return Finding(RULES[rule], path or ".", text)
