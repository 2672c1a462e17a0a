"""Kills and restarts parts of the test cluster: what chaos tests hold in their hands."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.boot import start_part
from tests.cluster.layout import Layout
from tests.cluster.parts import parts
from tests.cluster.processes import kill, running


@dataclass(frozen=True)
class Control:
    """Parts by name: etcd, apiserver, controller-manager, scheduler, kubelet-node-b, containerd-node-a, …"""

    layout: Layout

    @property
    def names(self) -> list[str]:
        return [part.name for part in parts(self.layout)]

    def pid(self, name: str) -> int | None:
        """None: not running."""
        return running(self.layout, name)

    def kill(self, name: str) -> int | None:
        """SIGKILL; returns once the process is gone, with the pid it had (None: it was dead already)."""
        return kill(self.layout, name)

    def start(self, name: str) -> int:
        """Starts it with the flags it had, waits until it answers (a kubelet: until its node is Ready); its pid."""
        return start_part(self.layout, name)

    def mend(self) -> list[str]:
        """Starts every dead part; their names."""
        dead = [name for name in self.names if self.pid(name) is None]
        for name in dead:
            self.start(name)
        return dead
