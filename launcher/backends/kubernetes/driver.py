"""The process of the runner Job: drives the run from inside the cluster, whatever becomes of whoever submitted it.

    python -m launcher.backends.kubernetes.driver --plan /etc/launcher/plan.json

It keeps nothing that the storage and the cluster's own objects do not say: killed at any moment, it is followed by
another one. Exit code: 0 the run has succeeded, 1 it has failed or was cancelled (and its Job is over), 70 something
else: the Job starts another runner.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from launcher import names, record, render, resize
from launcher import plan as plans
from launcher.backends.kubernetes import credentials, run_status
from launcher.backends.kubernetes.api import Api, Object
from launcher.backends.kubernetes.executor import KubernetesExecutor
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.backends.kubernetes.publish import Publisher
from launcher.errors import BackendError, Conflict, LauncherError, StorageError
from launcher.plan import Plan
from launcher.record import RunRecord
from launcher.resize import Resize
from launcher.runner import Runner
from launcher.states import State

ASK_S = 2.0
"""How often it is looked whether somebody wants the run to stop."""
AGAIN_EXIT = 70


class Wishes:
    """What people ask of a run that goes on, by annotations of its status ConfigMap."""

    def __init__(self, api: Api, run: str) -> None:
        self._api = api
        self._name = names.object_name(run, names.STATUS)
        self._asked = 0.0
        self._cancelled = False

    def resumes(self) -> tuple[int, Resize | None]:
        """How often they asked to go on, and with which devices at last, if with other ones. Raises BackendError where
        the cluster does not say."""
        status_map = run_status.find(self._api, "configmaps", self._name)
        number, text = (
            run_status.annotation(status_map, key) if status_map else ""
            for key in (names.ANNOTATION_RESUME, names.ANNOTATION_RESIZE)
        )
        asked = resize.from_json(json.loads(text)) if text else None
        return int(number) if number.isdecimal() else 0, asked

    def cancelled(self) -> bool:
        """A cluster that does not answer asks for nothing."""
        if time.monotonic() - self._asked >= ASK_S:
            self._asked = time.monotonic()
            try:
                status_map = run_status.find(self._api, "configmaps", self._name)
                asked = run_status.annotation(status_map, names.ANNOTATION_CANCEL) if status_map else ""
                self._cancelled = bool(asked)
            except BackendError as error:
                _say(str(error))
        return self._cancelled


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m launcher.backends.kubernetes.driver", description="Drives one run from inside the cluster."
    )
    parser.add_argument("--plan", type=Path, required=True, help="plan.json, with stages.json beside it")
    given = parser.parse_args(arguments)
    # As the first process of a container it would not even hear of it. Nothing needs to be done before the end.
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
    try:
        plan = plans.from_json(json.loads(given.plan.read_bytes()))
        jobs = json.loads(given.plan.with_name(names.STAGES_KEY).read_bytes())
        namespace = plan.kubernetes.namespace if plan.kubernetes else ""
        api = HttpApi(credentials.of_service_account(os.environ), namespace)
        return drive(plan, jobs, api)
    except (LauncherError, OSError) as error:
        _say(f"error: {error}")
    except Exception as error:
        traceback.print_exc()
        _say(f"error: unexpected {type(error).__name__}: {error}")
    return AGAIN_EXIT


def drive(plan: Plan, jobs: Mapping[str, Object], api: Api) -> int:
    """Until the run has ended and everybody can see it. Raises BackendError where another runner has to go on."""
    folder = Path(plan.folder)
    publisher = Publisher(api, folder)
    last = _carry_out(plan, jobs, api, publisher)
    publisher.finish(last)
    _say(f"run {last.state}{f', {last.reason}: {last.message}' if last.reason else ''}")
    if last.state is State.SUCCEEDED:
        return 0
    # No other runner is to follow, and `kubectl wait` is to see that the Job has failed.
    over: dict[str, Any] = {"spec": {"backoffLimit": 0}}
    api.patch("jobs", names.object_name(plan.run, names.RUNNER), over)
    return 1


def _carry_out(plan: Plan, jobs: Mapping[str, Object], api: Api, publisher: Publisher) -> RunRecord:
    """Returns the record of the run's end."""
    folder, wishes = Path(plan.folder), Wishes(api, plan.run)
    resumes, asked = wishes.resumes()
    try:
        if record.write_plan(folder, plan):
            record.append_event(folder, time.time(), "RunCreated", plan_hash=plan.hash)
        if asked is not None:
            plan = resize.resized(plan, asked)
            jobs = render.stage_manifests(plan)
        owner = _Owner(api, plan.run)
        executor = KubernetesExecutor(api, plan, jobs, owner)
        runner = Runner(
            plan,
            folder,
            executor,
            backend=run_status.BACKEND,
            cancelled=wishes.cancelled,
            sleep=lambda seconds: _pause(seconds, publisher, runner),
        )
    except Conflict as error:
        return _refused(plan, "StorageConflict", str(error))
    except StorageError as error:
        return _refused(plan, "StorageFull", str(error))
    except LauncherError as error:
        return _refused(plan, "RecordUnreadable", str(error))
    try:
        runner.begin(resume=resumes > runner.record.resumes, resumes=resumes, resize=asked)
        publisher.offer(runner.record)
        runner.run()
    except StorageError as error:
        _say(str(error))  # the record that could not be written says it too
        if not runner.record.state.terminal:
            return replace(runner.record, state=State.FAILED, reason="StorageFull", message=str(error))
    return runner.record


class _Owner:
    """The plan's ConfigMap, which owns the Jobs of its stages: deleting it deletes them."""

    def __init__(self, api: Api, run: str) -> None:
        self._api = api
        self._name = names.object_name(run, names.PLAN)
        self._found: Object | None = None

    def __call__(self) -> Object:
        if self._found is None:
            self._found = self._api.get("configmaps", self._name)
        return self._found


def _pause(seconds: float, publisher: Publisher, runner: Runner) -> None:
    publisher.offer(runner.record)
    time.sleep(seconds)


def _refused(plan: Plan, reason: str, message: str) -> RunRecord:
    """Of a run that cannot begin on this storage; nothing is written there."""
    now = time.time()
    new = record.new_run(plan, run_status.BACKEND, now)
    return replace(new, state=State.FAILED, reason=reason, message=message, ended=now)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
