"""What a user asks for: a run, as frozen dataclasses, and where each of its values came from.

Parsing and the merge of flags, files and defaults are in `launcher.spec_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from launcher.names import DEFAULT_CLAIM

STAGES = ("train", "evaluate", "export", "infer310")
DEFAULT_STAGES = STAGES[:3]
DEVICE_COUNTS = (1, 2, 4, 8)
MAX_NODES = 512
"""Pods of one stage: their names and the plan hold three digits of an index."""

DRIVER_OF_RUNTIME, DRIVER_OF_HOST = "runtime", "host"
"""Who brings the driver of a device into a pod."""

MAX_SECONDS = 10 * 365 * 86_400
"""Ten years: longer than anybody waits, and a number that every field of Kubernetes takes."""


@dataclass(frozen=True)
class StagePolicy:
    """How long an attempt of a stage may take, how its silence is judged, and how often it is tried again."""

    retries: int = 2
    """Further attempts after the first, for failures that another attempt can help."""
    backoff_s: float = 5.0
    """Seconds before the second attempt; doubled for each one after."""
    deadline_s: float = 0.0
    """Seconds that one attempt may take; 0 = no limit."""
    heartbeat_s: float = 40.0
    """Seconds after which a rank that is stopped, or neither works nor progresses, counts as hung."""
    stall_s: float = 1800.0
    """Seconds without a training step after which a rank counts as hung even if it is busy."""


@dataclass(frozen=True)
class KubernetesSpec:
    """What a run needs to know of the cluster that it is for. Quantities are Kubernetes' own (`500m`, `8Gi`)."""

    namespace: str = "default"
    """Where all objects of the run are; without it the namespace of the kubeconfig's context."""
    image: str = "sphereface:cpu"
    """Holds both packages; name it by digest where you can. For other devices the default is their profile's."""
    image_pull_policy: str = "IfNotPresent"
    """`Always`, `IfNotPresent` or `Never`."""
    image_pull_secret: str = ""
    """Name of a Secret in the namespace; never its content."""
    claim: str = DEFAULT_CLAIM
    """PersistentVolumeClaim (ReadWriteMany) that every pod of the run mounts at the spec's `storage`."""
    cpu: str = "1"
    """Processor that each stage's pod requests; it may use more where the node has more."""
    memory: str = "8Gi"
    """Memory that each stage's pod requests and may not exceed."""
    shm: str = "2Gi"
    """Size of /dev/shm; what lies there counts as memory. The device's profile may have another default."""
    driver: str = DRIVER_OF_RUNTIME
    """`runtime`: the container runtime brings the driver of the device. `host`: stages mount it from their node,
    read-only, by the `mounts` of its profile; only a namespace of the level `privileged` takes such pods."""
    user: int = 10001
    """User and group id of every process; the storage must be writable for it."""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the nodes for every pod of the run; stages take those of the device's profile too."""
    tolerations: tuple[str, ...] = ()
    """Taints that every pod of the run may meet, as in `kubectl taint`: `key=value:Effect`, `key:Effect` or `key`."""
    priority_class: str = ""
    """PriorityClass of every pod of the run."""
    queue: str = ""
    """LocalQueue of Kueue, whose quota the stages' Jobs wait for; runner and cleaner do not wait."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Further labels of every object."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Further annotations of every object."""
    start_deadline_s: float = 900.0
    """Seconds in which a pod must have started; after that the attempt is ended with the reason it waited for."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """The user's own templates by file name (`stage.yaml.j2`), in place of those of `k8s_templates`. In a spec the key
    is the folder that holds them."""


@dataclass(frozen=True)
class RunSpec:
    """One run as the user says it. A field called as a stage holds configuration keys of `sphereface`."""

    name: str
    device: str = "cpu"
    """Name of a device profile (`launcher/profiles/*.yaml`)."""
    devices: int = 1
    """Devices of each pod (or of this machine), and so training processes there: 1, 2, 4 or 8."""
    storage: str = "."
    """Folder (absolute) under which `runs/<run>/` is kept."""
    stages: tuple[str, ...] = DEFAULT_STAGES
    train: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    export: Mapping[str, Any] = field(default_factory=dict)
    infer310: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of every stage; names that look like secrets are refused."""
    policy: Mapping[str, StagePolicy] = field(default_factory=dict)
    """By stage; a stage that is not named has the defaults."""
    kubernetes: KubernetesSpec | None = None
    """None: the run is for this machine."""
    nodes: int = 1
    """Pods that train together, each with so many devices; more than 1 only on a cluster."""


@dataclass(frozen=True)
class Resolved:
    """A spec and, by dotted key (`train.lr`), the place that each value came from (`flag --set`, `demo.yaml:7`)."""

    spec: RunSpec
    origins: Mapping[str, str]
    notes: tuple[str, ...] = ()
    """What was passed over on purpose, one line each, for stderr."""
