"""Runs as processes of this machine: a run folder, and a detached supervisor that takes the run to its end."""

from __future__ import annotations

import errno
import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from launcher import chain, names, progress, record
from launcher import resize as resizes
from launcher.backends import LogLine, LogQuery, Submission, local_devices, local_logs, supervisor
from launcher.errors import BackendError, LauncherError, UsageError
from launcher.plan import Plan
from launcher.processes import rank
from launcher.record import RunRecord, StageRecord
from launcher.resize import Resize
from launcher.states import REASONS, State
from launcher.status import Progress, RunStatus
from runfolder import atomic, layout

_DRAFT = ".new-"
_REMOVED = ".removed-"
_DRAFT_AGE_S = 3600.0
_UNDER_WAY = (State.STARTING, State.RUNNING, State.RETRYING)


class LocalBackend:
    name = "local"

    def __init__(self, storage: Path, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage.resolve()
        self.where = str(self._storage)
        self._clock = clock

    def submit(self, plan: Plan | str, *, resume: bool = False, resize: Resize | None = None) -> Submission:
        """Also raises UsageError where the machine lacks the devices, StorageError where nothing can be written."""
        if isinstance(plan, str):
            plan = record.read_plan(self._known(plan))
        folder = self._folder(plan.run)
        created = self._create(folder, plan)
        known = self._record(folder)
        if known.state.terminal:
            supervisor.wait_free(folder)  # it has written the end of the run, and ends itself
        now = supervisor.holder(folder)
        if resize is not None:
            trained = any(stage.name == layout.TRAIN and stage.state is State.SUCCEEDED for stage in known.stages)
            resizes.check_state(plan.run, goes_on=now is not None, trained=trained)
        if now is not None:
            resumed = resume and supervisor.wake(now)
            return Submission(plan.run, "resumed" if resumed else "unchanged", known.state)
        if known.state.terminal and not (resume and not self._is_done(folder, plan)):
            return Submission(plan.run, "unchanged", known.state)
        self._require_devices(resizes.resized(plan, resize) if resize else record.effective_plan(folder))
        # Without a supervisor though it has not ended: that one died.
        options = ["--resume"] if not created else []
        if resize is not None:
            options += ["--resize", json.dumps(resizes.to_json(resize))]
        supervisor.start(folder, *options)
        return Submission(plan.run, "created" if created else "resumed", self._record(folder).state)

    def observe(self, run: str | None = None) -> tuple[RunStatus, ...]:
        if run is not None:
            return (self._status(self._known(run)),)
        statuses = (self._status(folder) for folder in record.run_folders(self._storage) if _is_run(folder))
        return tuple(sorted(statuses, key=lambda status: (status.created, status.run)))

    def logs(self, run: str, query: LogQuery) -> Iterator[LogLine]:
        folder = self._known(run)
        stages = [stage.name for stage in record.read_plan(folder).stages if query.stage in (None, stage.name)]
        if query.follow:
            return local_logs.follow(folder, stages, query, lambda: self._status(folder), self._clock)
        return local_logs.read(folder, stages, query, self._clock())

    def cancel(self, run: str) -> bool:
        folder = self._known(run)
        if self._record(folder).state.terminal and supervisor.holder(folder) is None:
            return False
        with record.storage_errors(folder):
            atomic.write_text(folder / layout.CANCEL, "")
        supervisor.stop(folder)
        with supervisor.lock(folder) as held:
            if held is None:
                raise BackendError(f"run '{run}' was resumed by somebody else meanwhile")
            supervisor.sweep(folder)
            (folder / layout.CANCEL).unlink(missing_ok=True)
            known = self._record(folder)
            if not known.state.terminal:  # its supervisor did not live to write it
                record.write_run(folder, _cancelled(known, self._clock()))
                record.append_event(folder, self._clock(), "RunCancelled", reason="CancelledByUser", message="")
        return self._record(folder).state is State.CANCELLED

    def delete(self, run: str) -> tuple[str, ...]:
        folder = self._known(run)
        supervisor.stop(folder)
        with supervisor.lock(folder) as held:
            if held is None:
                raise BackendError(f"run '{run}' was resumed by somebody else meanwhile")
            supervisor.sweep(folder)
            # Renamed first: a removal that is cut short leaves no half of a run under its name.
            removed = folder.with_name(f"{_REMOVED}{run}-{secrets.token_hex(4)}")
            with record.storage_errors(folder):
                folder.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)
        if removed.exists():
            raise BackendError(f"run '{run}' is gone, but {removed} could not be removed whole; remove it by hand")
        return (str(folder),)

    def _create(self, folder: Path, plan: Plan) -> bool:
        """Makes the run folder, with its plan and record, in one step; False where this plan's is there already.

        Raises Conflict where another plan's is there, UsageError for a folder that is no run.
        """
        if (folder / layout.PLAN).exists():
            record.write_plan(folder, plan)
            return False
        self._require_devices(plan)
        runs = folder.parent
        draft = runs / f"{_DRAFT}{plan.run}-{secrets.token_hex(4)}"
        with record.storage_errors(self._storage):
            runs.mkdir(parents=True, exist_ok=True)
        self._tidy(runs)
        try:
            record.write_plan(draft, plan)
            record.write_run(draft, record.new_run(plan, self.name, self._clock()))
            record.append_event(draft, self._clock(), "RunCreated", plan_hash=plan.hash)
            draft.rename(folder)
            return True
        except OSError as error:
            if (folder / layout.PLAN).exists():  # another submit was quicker
                record.write_plan(folder, plan)
                return False
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise UsageError(f"{folder} exists and is not a run; choose another --name") from None
            with record.storage_errors(folder):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _tidy(self, runs: Path) -> None:
        """Removes what submits and deletions left that were killed long ago."""
        for pattern in (f"{_DRAFT}*", f"{_REMOVED}*"):
            for left in runs.glob(pattern):
                if self._clock() - left.lstat().st_mtime > _DRAFT_AGE_S:
                    shutil.rmtree(left, ignore_errors=True)

    def _require_devices(self, plan: Plan) -> None:
        if missing := local_devices.missing(plan):
            raise UsageError(missing)

    def _is_done(self, folder: Path, plan: Plan) -> bool:
        facts = record.stage_facts(folder, plan)
        return isinstance(chain.decide(plan, facts, self._clock()), chain.Done)

    def _folder(self, run: str) -> Path:
        return layout.run_folder(self._storage, run)

    def _known(self, run: str) -> Path:
        folder = self._folder(run)
        if not names.is_run_name(run) or not (folder / layout.PLAN).exists():
            raise record.no_run(run, self._storage)
        return folder

    def _record(self, folder: Path) -> RunRecord:
        known = record.read_run(folder)
        if known is None:
            raise LauncherError(f"{folder} has no {layout.RUN}; remove it with `launcher delete {folder.name}`")
        return known

    def _status(self, folder: Path) -> RunStatus:
        try:
            known = self._record(folder)
            supervised = supervisor.holder(folder) is not None
            if not supervised and not known.state.terminal:
                known = self._record(folder)  # it may just have ended
            if not supervised and not known.state.terminal:
                known = _lost(known)
        except LauncherError as error:
            return record.unknown_status(folder, self.name, str(error))
        found = {stage.name: self._progress(folder, known, stage) for stage in known.stages if stage.attempts}
        return record.to_status(known, folder, {name: far for name, far in found.items() if far})

    def _progress(self, folder: Path, known: RunRecord, stage: StageRecord) -> Progress | None:
        stage_folder = layout.stage_folder(folder, stage.name)
        status = layout.status_folder(stage_folder, stage.attempts)
        ranks = known.devices if stage.name == layout.TRAIN else 1
        far = progress.read(stage_folder, status, ranks=ranks, now=self._clock())
        # A rank that compiles for a minute writes no heartbeat, but here its process can be seen.
        living = rank.living(status, ranks) if stage.state in _UNDER_WAY else 0
        return replace(far, ranks_alive=living) if far else None


def _is_run(folder: Path) -> bool:
    """Not a draft of one, nor the rest of one."""
    return names.is_run_name(folder.name)


def _lost(known: RunRecord) -> RunRecord:
    """What is seen of a run whose supervisor is gone: that it has ended would be as wrong as that it goes on."""
    reason = REASONS["SupervisorLost"].word
    for stage in known.stages:
        if stage.state in _UNDER_WAY:
            known = known.with_stage(replace(stage, state=State.UNKNOWN, reason=reason, message=""))
    return replace(known, state=State.UNKNOWN, reason=reason, message="")


def _cancelled(known: RunRecord, now: float) -> RunRecord:
    reason = REASONS["CancelledByUser"].word
    for stage in known.stages:
        if stage.state in _UNDER_WAY:
            known = known.with_stage(replace(stage, state=State.CANCELLED, reason=reason, message="", ended=now))
    return replace(known, state=State.CANCELLED, reason=reason, message="", ended=now)
