"""The pods of one attempt that work together: each is a process of its own, and all see one storage.

They wait for each other before any rank begins, and each leaves there how it ended: pod 0 speaks for all of them. Files
are the only way between them, so a pod that is lost is simply one that says nothing more.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launcher.processes.endings import Ending
from launcher.processes.hang import Seen
from runfolder import atomic, layout

LOOK_S = 0.5
NAME_S = 60.0
"""How long the name of pod 0 may take to be known: it is, as soon as its pod has an address."""
END_S = 60.0
"""How long another pod may take to tell its end, once one has ended well."""
TOLD_S = 15.0
"""So long a pod that failed stays, so that pod 0 tells why before the cluster ends it too."""


@dataclass(frozen=True)
class Card:
    """That a pod is there."""

    pod: int
    host: str
    """Its host name; with the run's headless Service it is a name in the cluster's DNS."""
    port: int
    """Free for the scheduler, which pod 0 runs."""
    given: Mapping[str, Any] | None = None
    """Its devices, where the ranks start by a table of all pods' (`rank_start.own`)."""


@dataclass(frozen=True)
class End:
    """How a pod ended: what `Ending` holds, when it was seen, and the last lines of whoever failed."""

    pod: int
    time: float
    ending: Ending
    last_lines: tuple[str, ...] = ()


class Gang:
    """Pod `pod` of `nodes`, and what it sees of the others in the attempt's status folder."""

    def __init__(self, status: Path, nodes: int, pod: int) -> None:
        self._status = status
        self._nodes = nodes
        self.pod = pod
        self._looked = 0.0
        self._shown: dict[int, tuple[object, float]] = {}
        """By pod: what it wrote last and when that was seen, by this machine's steady clock."""

    def enter(self, host: str, port: int, given: Mapping[str, Any] | None = None) -> None:
        """Raises OSError."""
        atomic.write_json(layout.pod_file(self._status, self.pod), asdict(Card(self.pod, host, port, given)))

    def cards(self) -> dict[int, Card]:
        """Of all pods that are there, by number."""
        read = (_read(layout.pod_file(self._status, pod)) for pod in range(self._nodes))
        return {card["pod"]: Card(**card) for card in read if card}

    def tell(self, end: End) -> None:
        """Raises OSError."""
        atomic.write_json(layout.pod_end_file(self._status, self.pod), asdict(end))

    def ends(self) -> dict[int, End]:
        read = (_read(layout.pod_end_file(self._status, pod)) for pod in range(self._nodes))
        return {
            end["pod"]: End(end["pod"], end["time"], Ending(**end["ending"]), tuple(end["last_lines"]))
            for end in read
            if end
        }

    def first_failure(self) -> End | None:
        """Of any pod, by time: the others failed for it."""
        failed = [end for end in self.ends().values() if end.ending.exit_code]
        return min(failed, key=lambda end: end.time, default=None)

    def failed(self) -> Ending | None:
        """Whether another pod has failed; looks at the storage twice a second at most."""
        if self._nodes == 1 or time.monotonic() - self._looked < LOOK_S:
            return None
        self._looked = time.monotonic()
        end = self.first_failure()
        return None if end is None or end.pod == self.pod else end.ending

    def show(self, seen: Sequence[Seen]) -> None:
        """For pod 0, which judges the ranks of all: how this pod's are. A storage that takes it not just now takes the
        next one."""
        if self._nodes > 1:
            value = {"at": time.time(), "ranks": [asdict(look) for look in seen]}
            with suppress(OSError):
                atomic.write_bytes(
                    layout.pod_seen_file(self._status, self.pod), json.dumps(value).encode(), durable=False
                )

    def others(self) -> list[Seen]:
        """The living ranks of the other pods, as these showed them last."""
        ended = self.ends()
        found: list[Seen] = []
        for pod in range(self._nodes):
            value = _read(layout.pod_seen_file(self._status, pod)) if pod not in (self.pod, *ended) else None
            if value:
                if self._shown.get(pod, (None, 0.0))[0] != value["at"]:
                    self._shown[pod] = (value["at"], time.monotonic())
                found += [Seen(**look) for look in value["ranks"]]
        return found

    def silent(self, limit_s: float) -> Ending | None:
        """Whether a pod that showed its ranks before has shown nothing for `limit_s`: it may be lost with its node, or
        its first process stopped."""
        ended = self.ends()
        for pod, (_, since) in self._shown.items():
            quiet_s = time.monotonic() - since
            if pod not in ended and quiet_s >= limit_s:
                return Ending(1, "PodSilent", f"pod {pod} has told nothing of its ranks for {quiet_s:.0f} s")
        return None

    def complete(self, limit_s: float, over: Callable[[], Ending | None]) -> Ending:
        """Waits until every pod has ended well. Pod 0 does so before it writes the marker."""
        until = time.monotonic() + limit_s
        while len(ends := self.ends()) < self._nodes or any(end.ending.exit_code for end in ends.values()):
            if ending := self.failed() or over():
                return ending
            if time.monotonic() > until:
                silent = _listed(pod for pod in range(self._nodes) if pod not in ends)
                return Ending(1, "RankFailed", f"{silent} did not tell its end within {limit_s:g} s of the others")
            time.sleep(LOOK_S)
        return Ending(0)

    def meet(self, limit_s: float, over: Callable[[], Ending | None], say: Callable[[str], None]) -> Ending | None:
        """Waits for the others, for `limit_s` (0: as long as it takes); None: all are there."""
        since, told = time.monotonic(), ""
        while len(cards := self.cards()) < self._nodes:
            absent = _listed(pod for pod in range(self._nodes) if pod not in cards)
            waits = f"waits for {absent} ({len(cards)} of {self._nodes} are here)"
            if waits != told:
                say(told := waits)
            if ending := self.failed() or over():
                return ending
            if limit_s and time.monotonic() - since > limit_s:
                message = f"only {len(cards)} of {self._nodes} pods began within {limit_s:g} s; {absent} did not"
                return Ending(1, "GangIncomplete", message)
            time.sleep(LOOK_S)
        return None

    def address(self, service: str, limit_s: float = NAME_S) -> str:
        """Of pod 0, by its name in the cluster's DNS. Raises OSError, with the name."""
        name = f"{self.cards()[0].host}.{service}" if service else self.cards()[0].host
        until = time.monotonic() + limit_s
        while True:
            try:
                return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
            except OSError as error:
                if time.monotonic() > until:
                    words = f"pod 0 is not found by its name {name} ({error.strerror}); is the Service {service} there?"
                    raise OSError(words) from None
            time.sleep(LOOK_S)

    def port(self) -> int:
        """Of the scheduler, in pod 0."""
        return self.cards()[0].port

    def forget(self, names: Iterable[str]) -> None:
        """What an earlier start of this pod under the same attempt left of the processes of these names, and of the pod
        itself; files of other pods may be new. Raises OSError."""
        own = {*names, layout.pod_file(self._status, self.pod).stem}
        for path in self._status.iterdir() if self._status.is_dir() else ():
            if path.is_file() and path.name.partition(".")[0] in own:
                path.unlink(missing_ok=True)


def _listed(pods: Any) -> str:
    numbers = [str(pod) for pod in pods]
    return f"pod{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def _read(path: Path) -> Any:
    """None for what is not there yet, or is another program's."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
