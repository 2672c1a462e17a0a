"""Runs of real, tiny stages on the cluster: submitting them, waiting for what is to be seen of them, touching pods."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

import k8s_templates
from launcher import names
from launcher.backends.kubernetes import credentials
from launcher.backends.kubernetes.backend import KubernetesBackend
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.errors import Unreachable
from launcher.plan import Plan, make_plan
from launcher.spec import KubernetesSpec, RunSpec, StagePolicy
from launcher.states import State
from launcher.status import RunStatus, StageStatus
from tests.cluster.access import Kubectl, Namespace, fresh_namespace
from tests.cluster.chores import STORAGE, carry_out

RESOURCE = "huawei.com/Ascend910"
PROFILES = {
    "fake": f"resource: {RESOURCE}",
    "absent": "resource: huawei.com/Ascend310P",
    "elsewhere": "node_selector: {kubernetes.io/hostname: mars}",
    "marked": "node_selector: {seed-test/marked: here}",
    "gpu-there": "resource: nvidia.com/gpu\nnode_selector: {kubernetes.io/hostname: node-b}",
}
"""A user's own device profiles, computed on the processor: what the test cluster counts as accelerators, and places."""
FACES = f"{STORAGE}/faces"
QUICK = StagePolicy(retries=0, backoff_s=0.5)
TRAIN = {
    "net": "sphereface4a",
    "train_data_dir": f"{FACES}/train/landmark.txt",
    "train_img_dir": f"{FACES}/train/images",
    "margin": "cosface",
    "label_smooth": False,
    "lr": 0.01,
    "per_batch_size": 4,
    "max_epoch": 1,
    "log_interval": 1,
}
EVALUATE = {
    "datatxt_src": f"{FACES}/test/landmark.txt",
    "pairtxt_src": f"{FACES}/test/pairs.txt",
    "datasrc": f"{FACES}/test/images",
}
LONG = {"max_epoch": 1000}
"""Trains until somebody stops it."""
PATIENCE_S = 240.0

T = TypeVar("T")


@contextmanager
def laboratory(
    kubectl: Kubectl, image: str, storage: Path | None, scratch: Path, *, faces: bool = True
) -> Iterator[Lab]:
    """A fresh namespace with faces; `storage` is the folder that holds the claims' folders, if this machine does."""
    use_profiles(scratch)
    name = f"t-lab-{uuid.uuid4().hex[:6]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(scratch))
        with fresh_namespace(kubectl, name, storage / name if storage else None) as namespace:
            lab = Lab(kubectl, namespace, image)
            if faces:
                lab.draw_faces()
            yield lab


def use_profiles(config_home: Path) -> None:
    folder = config_home / "launcher" / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in PROFILES.items():
        (folder / f"{name}.yaml").write_text(f"device_target: CPU\n{content}\n")


def until(seen: Callable[[], T], within_s: float = PATIENCE_S, *, what: Callable[[], object] = lambda: "") -> T:
    """What it gives that is true. AssertionError: not in time, with `what` was seen instead."""
    end = time.monotonic() + within_s
    while not (found := seen()):
        assert time.monotonic() < end, f"not seen within {within_s:g} s: {what()}"
        time.sleep(0.3)
    return found


@dataclass(frozen=True)
class Lab:
    """A namespace with faces in its claim; runs in it are submitted as `launcher submit` does."""

    kubectl: Kubectl
    namespace: Namespace
    image: str

    @property
    def backend(self) -> KubernetesBackend:
        environ = {"KUBECONFIG": str(self.kubectl.kubeconfig)}
        return KubernetesBackend(HttpApi(credentials.load(environ=environ), str(self.namespace)))

    def draw_faces(self) -> None:
        counts = "--identities 8 --images 4 --test-identities 20 --test-images 3"
        script = f"sphereface synth {FACES} {counts} > /dev/null"
        carry_out(self.kubectl, self.namespace, "faces", self.image, script)

    def plan(
        self,
        run: str,
        *,
        stages: tuple[str, ...] = ("train",),
        device: str = "fake",
        devices: int = 1,
        nodes: int = 1,
        train: Mapping[str, Any] | None = None,
        policy: StagePolicy = QUICK,
        **kubernetes: Any,
    ) -> Plan:
        """`kubernetes` are fields of KubernetesSpec in place of those that suit a tiny stage."""
        small = {"cpu": "50m", "memory": "1Gi", "shm": "256Mi", "start_deadline_s": 120.0}
        where = {"namespace": str(self.namespace), "image": self.image}
        spec = RunSpec(
            run,
            device=device,
            devices=devices,
            nodes=nodes,
            storage=STORAGE,
            stages=stages,
            train={**TRAIN, **(train or {})},
            evaluate=EVALUATE,
            policy=dict.fromkeys(stages, policy),
            kubernetes=KubernetesSpec(**{**where, **small, **kubernetes}),
        )
        return make_plan(spec)

    def submit(self, run: str, **plan: Any) -> str:
        self.backend.submit(self.plan(run, **plan))
        return run

    def status(self, run: str) -> RunStatus:
        """As soon as the cluster answers."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.backend.observe(run)[0]
            except Unreachable:
                if time.monotonic() > end:
                    raise

    def stage(self, run: str, stage: str = "train") -> StageStatus:
        return next(each for each in self.status(run).stages if each.name == stage)

    def await_end(self, run: str, within_s: float = PATIENCE_S) -> RunStatus:
        until(lambda: self.status(run).state.terminal, within_s, what=lambda: self.status(run))
        return self.status(run)

    def await_reason(self, run: str, reason: str, stage: str = "train", within_s: float = PATIENCE_S) -> StageStatus:
        """The stage as soon as it has that reason. AssertionError: the run has ended for another one."""

        def has() -> bool:
            status = self.status(run)
            assert reason == status.reason or not status.state.terminal, status
            return self.stage(run, stage).reason == reason

        until(has, within_s, what=lambda: self.status(run))
        return self.stage(run, stage)

    def await_step(self, run: str, step: int = 1, within_s: float = PATIENCE_S) -> None:
        """Until training has done so many steps."""

        def done() -> bool:
            progress = self.stage(run).progress
            return progress is not None and progress.step >= step

        until(done, within_s, what=lambda: self.status(run))

    def pods(self, run: str, role: str = names.STAGE) -> list[dict[str, Any]]:
        selector = f"{names.LABEL_RUN}={run},{names.LABEL_ROLE}={role}"
        found: list[dict[str, Any]] = self.kubectl.json("-n", str(self.namespace), "get", "pods", "-l", selector)[
            "items"
        ]
        return found

    def pod(self, run: str, role: str = names.STAGE) -> str:
        """Name of the one that runs."""

        def running() -> str:
            alive = [pod for pod in self.pods(run, role) if pod["status"]["phase"] == "Running"]
            return str(alive[0]["metadata"]["name"]) if alive else ""

        return until(running)

    @contextmanager
    def node(self, name: str, verb: str, what: str) -> Iterator[None]:
        """`kubectl label` or `taint` of a node, taken back afterwards whatever the API server does then."""
        self.kubectl(verb, "node", name, what, "--overwrite")
        try:
            yield
        finally:
            back = [verb, "node", name, f"{what.partition('=')[0]}-"]
            until(lambda: self.kubectl.run(*back).returncode == 0, what=lambda: back)

    def sh(self, run: str, script: str) -> str:
        """In the container of the stage's running pod."""
        return self.kubectl("-n", str(self.namespace), "exec", self.pod(run), "--", "sh", "-euc", script)

    def signal_rank(self, run: str, rank: int, signal: str, attempt: int = 1) -> None:
        """Once that rank has begun."""
        file = f"{STORAGE}/runs/{run}/train/status/attempt_{attempt}/rank_{rank}.pid"
        self.sh(run, f"until [ -s {file} ]; do sleep 0.2; done; kill -{signal} $(cat {file})")

    def read(self, path: str) -> str:
        """What the files say that match `path` below the storage."""
        if self.namespace.storage is not None:
            return "".join(found.read_text() for found in sorted(self.namespace.storage.glob(path)))
        return carry_out(self.kubectl, self.namespace, "read", self.image, f"cat {STORAGE}/{path}")

    def attempts(self, run: str, stage: str = "train") -> list[dict[str, Any]]:
        """As they are on the storage, in order."""
        return list(_objects(self.read(f"runs/{run}/{stage}/attempts/*.json")))

    def await_attempt(self, run: str, attempt: int, within_s: float = PATIENCE_S) -> StageStatus:
        """Until that attempt, or a later one, works."""

        def works() -> bool:
            stage = self.stage(run)
            assert not stage.state.terminal, stage
            return stage.attempts >= attempt and stage.state is State.RUNNING and not stage.reason

        until(works, within_s, what=lambda: self.status(run))
        return self.stage(run)

    def remove(self, run: str) -> None:
        """All that the run has made, so that its devices are free; at once, unlike `launcher delete`."""
        selector = f"{names.LABEL_RUN}={run}"
        place = ("-n", str(self.namespace))
        self.kubectl(*place, "delete", "jobs,configmaps,roles,rolebindings,serviceaccounts", "-l", selector)
        self.kubectl.run(*place, "delete", "pods", "-l", selector, "--grace-period=1", "--wait=false")


def stage_template(old: str, new: str) -> dict[str, str]:
    """A user's own template of a stage's Job, in which something is not as it should be."""
    text = (Path(k8s_templates.__file__).parent / "stage.yaml.j2").read_text()
    assert old in text
    return {"stage.yaml.j2": text.replace(old, new)}


def with_policy(**changes: Any) -> StagePolicy:
    return replace(QUICK, **changes)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON documents one after the other."""
    while text := text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        yield value
        text = text[end:]
