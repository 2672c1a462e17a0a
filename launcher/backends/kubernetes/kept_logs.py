"""The copies of the stages' output on the storage: read as files where this process sees them, else by a short pod."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from launcher import names, read_log, record, render
from launcher.backends.kubernetes import observe
from launcher.backends.kubernetes.api import Api, Object
from launcher.errors import ApiError, BackendError, LauncherError, Unreachable
from launcher.plan import Plan
from launcher.read_log import Record, Wanted

POLL_S = 0.2
LIMIT_S = 120.0
"""In so long the reader's pod must have printed all: it needs a node, its image, and the storage."""
WAITS_S = 20.0
"""After so long it is given up where there is a reason why it does not start."""
TRIES = 4
"""The log of the reader's pod itself may be rotated, or its connection break: then less is asked for."""
_LESS = 8
_JOB: Object = {"metadata": {}, "spec": {"backoffLimit": 0}}
"""`observe.look` is asked for a pod that no Job has."""


class NotKept(BackendError):
    """The copies cannot be read; the message says why, and what can be done."""


class KeptLogs(Protocol):
    def read(self, wanted: Wanted) -> Iterator[Record]:
        """Raises NotKept; or BackendError where the cluster does not answer just now."""


@contextmanager
def opened(api: Api, plan: Plan) -> Iterator[KeptLogs]:
    if _is_here(plan):
        yield FolderLogs(Path(plan.folder))
        return
    pods = ReaderPods(api, plan)
    try:
        yield pods
    finally:
        pods.tidy()


class FolderLogs:
    """For a process in a pod that mounts the claim, or a machine that mounts the same storage at the same path."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def read(self, wanted: Wanted) -> Iterator[Record]:
        return read_log.read(self._folder, wanted, self._clock())


class ReaderPods:
    """One pod for each piece of at most `read_log.MAX_BYTES`; each is removed as soon as it was read."""

    def __init__(
        self,
        api: Api,
        plan: Plan,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        new_suffix: Callable[[], str] = lambda: secrets.token_hex(3),
    ) -> None:
        self._api = api
        self._plan = plan
        self._clock = clock
        self._sleep = sleep
        self._new_suffix = new_suffix
        self._left: set[str] = set()
        self._max_bytes = read_log.MAX_BYTES

    def tidy(self) -> None:
        """Removes every pod that this made and could not remove until now."""
        for name in tuple(self._left):
            with suppress(BackendError):
                self._api.delete("pods", name)
                self._left.discard(name)

    def read(self, wanted: Wanted) -> Iterator[Record]:
        more = bool(wanted.attempts)
        while more:
            records, more = self._piece(wanted)
            yield from records
            if wanted.start < 0 and records:
                # What comes after so many last lines is counted from the beginning; there is one attempt then.
                wanted = replace(wanted, start=records[0].number)
            wanted = replace(wanted, start=wanted.start + len(records))

    def _piece(self, wanted: Wanted) -> tuple[list[Record], bool]:
        for tries in range(TRIES):
            try:
                return self._ask(wanted)
            except read_log.Incomplete as error:
                self._max_bytes //= _LESS if tries else 1
                fault = error
        if isinstance(fault.__cause__, Unreachable):
            raise fault.__cause__  # it is there, and may be read once the connections hold
        raise NotKept(f"logs of run/{self._plan.run} on the storage cannot be read: {fault}")

    def _ask(self, wanted: Wanted) -> tuple[list[Record], bool]:
        words = read_log.arguments(self._plan.folder, self._plan.hash, wanted, self._max_bytes)
        pod = render.reader_pod(self._plan, self._new_suffix(), words)
        name = pod["metadata"]["name"]
        try:
            self._create(pod)
            succeeded = self._wait(name)
            lines = self._printed(name)
        finally:
            # Also after Ctrl-C. One that stays all the same ends by its deadline, and goes with the run.
            self.tidy()
        if not succeeded:
            said = next((line for line in reversed(lines) if line.strip()), "it ended without a word")
            raise NotKept(f"logs of run/{self._plan.run} on the storage cannot be read: {said.removeprefix('error: ')}")
        return read_log.decode(lines)

    def _create(self, pod: Object) -> None:
        try:
            owner = self._api.get("configmaps", names.object_name(self._plan.run, names.PLAN))["metadata"]
            reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}
            self._left.add(pod["metadata"]["name"])
            self._api.create("pods", {**pod, "metadata": {**pod["metadata"], "ownerReferences": [reference]}})
        except ApiError as error:
            if error.temporary:
                raise
            raise NotKept(
                f"a pod that reads logs of run/{self._plan.run} from the storage cannot be made: {error}"
            ) from None

    def _wait(self, name: str) -> bool:
        """Until the pod has ended; whether it ended well. Raises NotKept where it takes too long."""
        began = self._clock()
        while True:
            pod = self._api.get("pods", name)
            if (phase := pod.get("status", {}).get("phase")) in ("Succeeded", "Failed"):
                return bool(phase == "Succeeded")
            waited = self._clock() - began
            if waited > WAITS_S:
                seen = observe.look(_JOB, [pod], self._events(name))
                if seen.reason or waited > LIMIT_S:
                    because = ": ".join(filter(None, (seen.reason, seen.message))) or "it does not end"
                    raise NotKept(f"the pod that reads logs of run/{self._plan.run} from the storage waits: {because}")
            self._sleep(POLL_S)

    def _printed(self, name: str) -> list[str]:
        try:
            return list(self._api.log(name, {"container": names.CONTAINER}))
        except Unreachable as error:
            raise read_log.Incomplete(str(error)) from error

    def _events(self, name: str) -> list[Object]:
        try:
            return list(self._api.list("events", fields=f"involvedObject.name={name}"))
        except BackendError:
            return []


def _is_here(plan: Plan) -> bool:
    try:
        return record.read_plan(Path(plan.folder)).hash == plan.hash
    except LauncherError:
        return False
