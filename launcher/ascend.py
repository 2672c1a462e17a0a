"""What is known of Ascend: boards, names on clusters, limits of HCCL's rank tables. Data, each with where it stands.

Sources, by the short names used below:

    hcclug    CANN, HCCL user guide: "Rank Table Configuration", one page a product (Atlas training, A2, A3, Atlas 350)
    hcomm     CANN's source `hcomm`: framework/common/src/topo/topoinfo_ranktable*.cc, communicator attributes; for 2.0
              legacy/ascend950/framework/topo (rank_table_info, new_rank_info, rank_level_info, address_info)
    mind      Ascend `mind-cluster`: docs "hccl.json file description", "labels and annotations"; plugin and operator
    models    MindSpore's models: utils/hccl_tools (hccl_tools.py, merge_hccl.py)
    cannenv   CANN, environment variables: "ASCEND_RT_VISIBLE_DEVICES"
    runtime   Ascend Docker Runtime, "usage": ASCEND_VISIBLE_DEVICES; and mind's reader of it in its NPU exporter
    ms        MindSpore's source: communication/management.py (2.10), ge_device_context.cc, "rank table startup" (2.7.1)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERSIONS = ("1.0", "1.1", "1.2", "2.0")
"""Forms of a rank table that HCCL knows (hcomm). 1.1 is for CPU and NPU ranks together; nobody makes it any more."""
HETEROGENEOUS, SUPER_POD, LEVELS = "1.1", "1.2", "2.0"

COMPLETED, INITIALIZING = "completed", "initializing"
"""Values of `status` (hcclug); an operator's table says the second until every pod has its devices (mind)."""


@dataclass(frozen=True)
class Board:
    """One kind of training board, by the name of its device profile."""

    name: str
    title: str
    versions: tuple[str, ...]
    """Of the rank tables that it takes, the usual first."""
    max_device_id: int
    """Highest physical id of a device on one server."""
    ring: int
    """Devices that are linked directly, from id 0 on: an HCCS ring of 910A, a module of 910B. 0: not so divided."""
    counts: tuple[int, ...]
    """How many devices of a server may take part; (): any number."""
    dies: bool
    """Devices 2k and 2k+1 are two dies of one NPU."""
    source: str


BOARDS: Mapping[str, Board] = {
    board.name: board
    for board in (
        Board(
            "ascend910", "Ascend 910A (Atlas training)", ("1.0",), 7, 4, (1, 2, 4, 8), False,
            "hcomm: device ids 0..7, counts of 1, 2, 4, 8; models: rings {0-3} and {4-7}, only all 8 may cross",
        ),
        Board(
            "ascend910b", "Ascend 910B (Atlas A2)", ("1.0",), 15, 8, (), False,
            "hcomm: device ids 0..15, modules {0-7} and {8-15} of a server of 16",
        ),
        Board(
            "ascend910c", "Ascend 910C (Atlas A3 super pod)", ("1.2", "1.0"), 15, 0, (), True,
            "hcomm: device ids 0..15; hcclug (A3): an NPU is two dies, each a device and rank; 1.0 without super pods",
        ),
        Board(
            "ascend950", "Ascend 950 (Atlas 350, 850, 950)", ("2.0",), 64, 0, (), False,
            "hcomm: device ids 0..64",
        ),
    )
}  # fmt: skip

HARDWARE_BOARDS: Mapping[str, str] = {"A2": "ascend910b", "A3": "ascend910c", "910B": "ascend910b"}
"""Words between the dashes of a server's `hardware_type` ("800I-A2-32G") and the board they mean (mind)."""

MAX_SERVER_ID = 64
"""Characters of a `server_id` (hcclug)."""
MAX_UINT32 = 2**32 - 1
"""Highest value of ranks and super_device_id (hcomm)."""
PORTS = (1, 65535)
"""Of host_port, device_port and their like; 0 is reserved (hcomm)."""

# Keys that HCCL or a tool of Ascend's writes (hcclug, mind, models); another one is passed over, so a typo is silent.
TABLE_KEYS = ("status", "version", "server_count", "server_list")
SERVER_KEYS = (
    "server_id",
    "device",
    "host_ip",
    "container_ip",
    "host_nic_ip",
    "hardware_type",
    "server_ip",
    "pod_name",
)
DEVICE_KEYS = ("device_id", "rank_id", "device_ip", "super_device_id", "device_logical_id", "backup_device_ip")
PORT_KEYS = ("device_port", "device_vnic_port", "backup_device_port", "host_port")
SUPER_POD_KEYS = ("super_pod_id", "server_list")

# Of 2.0 (hcomm).
RANK_KEYS = ("rank_id", "local_id", "device_id", "level_list", "replaced_local_id", "control_plane")
RANK_PORT_KEYS = ("device_port", "host_port")
LEVEL_KEYS = (
    "net_layer",
    "net_instance_id",
    "net_type",
    "net_attr",
    "rank_addr_list",
    "pcie_fallback",
    "elec_group_id",
)
ADDRESS_KEYS = ("addr_type", "addr", "ports", "plane_id", "backup_addr")
BACKUP_LOCAL_ID = 64
"""The spare device of a rack of 64; it names the one that it stands for (`replaced_local_id`)."""
MAX_LEVELS = 8
MAX_NET_LAYER = 7
MAX_NET_INSTANCE = 1024
MAX_ADDRESSES = 24
NET_TYPES = ("TOPO_FILE_DESC", "CLOS", "1DMESH", "2DMESH", "A3_SERVER", "A2_AX_SERVER")
ADDRESS_TYPES = ("EID", "IPV4", "IPV6")
EID_DIGITS = 32
"""Hexadecimal digits of an EID, the address of a device on the unified bus."""

# On a machine and on a cluster.
HCCN_CONF = "/etc/hccn.conf"
"""Lines `address_N=IP`: the address of device N's network port (models)."""
HCCN_TOOL = "/usr/local/Ascend/driver/tools/hccn_tool"
"""`hccn_tool -i N -ip -g` prints the address of device N (hcclug); in the driver's tree, where others call it too."""
NO_IP_WORDS = "no ip was preset"
"""What `hccn_tool -i N -ip -g` says in place of `ipaddr:IP` for a device without an address."""
POD_ANNOTATION = "ascend.kubectl.kubernetes.io/ascend-910-configuration"
"""On a pod, by the device plugin after it has given devices: JSON {pod_name, server_id, host_ip, devices} (mind)."""
VISIBLE_DEVICES = "ASCEND_VISIBLE_DEVICES"
"""Of a container, by the device plugin or the user: physical ids of the devices that the runtime brings into it, as
`0,1`, `0-3`, `0-2,4`, `Ascend910-0,Ascend910-1` or `npu-0,npu-1` (runtime)."""
VISIBLE_PREFIXES = ("Ascend910-", "npu-")
NO_DEVICES = "void"
"""In its place: none (runtime)."""
RT_VISIBLE_DEVICES = "ASCEND_RT_VISIBLE_DEVICES"
"""Of a process: which devices of its container it may use, by their numbers there, ascending: `0,2` (cannenv).

Inside a container devices are numbered 0, 1, … in the order of their physical ids, and of those that stand here again
0, 1, …: that number is the DEVICE_ID of a process. A rank table has physical ids; HCCL compares its device_id with the
physical id behind DEVICE_ID (cannenv, hcomm; tested by others: vllm-ascend, pull request 16256 and issue 2618)."""
RANK_TABLE_FILE = "RANK_TABLE_FILE"
"""Path of the table for MindSpore's init(), with RANK_ID and DEVICE_ID of the process, where no MS_ROLE is set (ms)."""
RANK_TABLE_FILE_OLD = "MINDSPORE_HCCL_CONFIG_PATH"
"""An older name; where it is set, MindSpore takes its path in place of that one (ms)."""
ANNOTATION_FOLDER, ANNOTATION_ITEM = "/etc/podinfo", "ascend-910-configuration"
"""Where a pod of ours sees that annotation's value (a volume of the downward API); the file is empty until the device
plugin has written it, which it does after the pod was started."""
HOST_IP, POD_IP = "HOST_IP", "POD_IP"
"""Environment of a pod of ours: addresses of its node and its own."""
LEVEL_LIST = "levelList"
"""In a device of that annotation, for 2.0: [{level, info: {network: layer}}], a layer as in `level_list` (mind)."""
SCALE_OUT = (("RoCE", 3), ("UBoE", 2), ("UBG", 2))
"""Networks above the super pod, the one to take first, and the layer that each is (mind)."""
RANK_INDEX_ANNOTATION = "hccl/rankIndex"
"""On a pod, by Volcano or the operator: its number among the pods of its job (mind)."""
RESOURCE_PREFIX = "huawei.com/"
OPERATOR_CONFIG_MAP = "rings-config-"
"""+ name of the job: the ConfigMap that an operator fills with a table (mind)."""
OPERATOR_KEY = "hccl.json"
OPERATOR_MOUNT = "/user/serverid/devindex/config"
OPERATOR_LABEL = "ring-controller.atlas"
"""Label of that ConfigMap and of the pods: `ascend-910` or `ascend-910b` (mind)."""
