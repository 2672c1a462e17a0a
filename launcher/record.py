"""The run folder's own files: plan.json (written once), run.json (replaced), events.jsonl (appended), attempts.

What a reader meets is whole or absent, because writers rename; what is foreign or torn all the same becomes one clear
error, or state Unknown, and never a traceback.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from launcher import plan as plans
from launcher.errors import Conflict, LauncherError, NotFound, StorageError
from launcher.facts import Attempt, StageFacts
from launcher.marker import is_complete, read_marker
from launcher.plan import Plan
from launcher.resize import Resize, from_json, resized
from launcher.states import REASONS, State
from launcher.status import Progress, RunStatus, StageStatus
from runfolder import atomic, layout

SCHEMA = 1


@dataclass(frozen=True)
class StageRecord:
    name: str
    state: State = State.PENDING
    reason: str = ""
    message: str = ""
    attempts: int = 0
    """Attempts that were started."""
    forgiven: int = 0
    """Of these, so many no longer count against the retries (`launcher resume`)."""
    started: float | None = None
    ended: float | None = None
    exit_code: int | None = None
    node: str = ""
    image: str = ""
    """That the last attempt ran, by digest; empty for plain processes."""


@dataclass(frozen=True)
class RunRecord:
    """`run.json`: what the driver of a run last knew of it."""

    run: str
    state: State
    backend: str
    device: str
    devices: int
    created: float
    plan_hash: str
    stages: tuple[StageRecord, ...]
    reason: str = ""
    message: str = ""
    ended: float | None = None
    resumes: int = 0
    """How often a person asked to go on (on a cluster: the number that the last runner carried out)."""
    nodes: int = 1
    """Pods in which it trains, each with `devices`."""
    resize: Resize | None = None
    """What a person asked for when it went on with other devices than the plan's; `devices` and `nodes` are of now."""

    def stage(self, name: str) -> StageRecord:
        return next(stage for stage in self.stages if stage.name == name)

    def with_stage(self, changed: StageRecord) -> RunRecord:
        stages = tuple(changed if stage.name == changed.name else stage for stage in self.stages)
        return replace(self, stages=stages)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Says in one line what the operating system refused to write under `path`. Raises StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"{path}: the storage is full; free some space") from None
        raise StorageError(f"{path}: cannot write here: {error.strerror or error}; choose another --storage") from None


def new_run(plan: Plan, backend: str, now: float) -> RunRecord:
    stages = tuple(StageRecord(stage.name) for stage in plan.stages)
    return RunRecord(
        plan.run, State.PENDING, backend, plan.device, plan.devices, now, plan.hash, stages, nodes=plan.nodes
    )


def write_plan(folder: Path, plan: Plan) -> bool:
    """Writes plan.json once: True = written, False = this plan is there already.

    Raises Conflict, with the keys that differ, where another plan has the name; StorageError where it cannot write.
    """
    with storage_errors(folder):
        if atomic.create_json(folder / layout.PLAN, plans.to_json(plan)):
            return True
    theirs = read_plan(folder)
    if theirs.hash != plan.hash:
        raise Conflict(plans.conflict(plan, theirs))
    return False


def read_plan(folder: Path) -> Plan:
    """Raises NotFound where there is none, LauncherError where it cannot be read."""
    path = folder / layout.PLAN
    try:
        return plans.from_json(_read_json(path))
    except FileNotFoundError:
        raise no_run(folder.name, folder.parent.parent) from None
    except (LauncherError, ValueError) as error:
        raise LauncherError(f"{path}: {error}") from None


def effective_plan(folder: Path) -> Plan:
    """The run's plan with the devices that it goes on with now. Raises as `read_plan` and `read_run` do."""
    known = read_run(folder)
    return resized(read_plan(folder), known.resize if known else None)


def no_run(run: str, storage: Path) -> NotFound:
    """Verbs other than submit read no named spec, and so do not know its `storage:`."""
    return NotFound(
        f"no run '{run}' in {storage}; `launcher list` shows what is there, "
        "and --storage DIR looks elsewhere (the storage: of the spec that was submitted)"
    )


def write_run(folder: Path, record: RunRecord) -> None:
    with storage_errors(folder):
        atomic.write_json(folder / layout.RUN, {"schema": SCHEMA, **asdict(record)})


def read_run(folder: Path) -> RunRecord | None:
    """None before the driver first wrote it. Raises LauncherError where it cannot be read."""
    path = folder / layout.RUN
    try:
        value = _read_json(path)
        if value.pop("schema") != SCHEMA:
            raise ValueError(f"this launcher reads schema {SCHEMA}")
        stages = tuple(_stage_record(stage) for stage in value.pop("stages"))
        changed = {"state": State(value["state"]), "stages": stages, "resize": from_json(value.get("resize"))}
        return RunRecord(**{**_known(RunRecord, value), **changed})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LauncherError(f"{path} is not a run's record: {type(error).__name__}: {error}") from None


def append_event(folder: Path, now: float, kind: str, **details: Any) -> None:
    """One line of events.jsonl; `kind` is a CamelCase word, as in `StageStarted`."""
    with storage_errors(folder):
        line = json.dumps({"time": now, "event": kind, **details}, ensure_ascii=False)
        atomic.append_line(folder / layout.EVENTS, line)


def read_events(folder: Path) -> tuple[dict[str, Any], ...]:
    return tuple(atomic.read_json_lines(folder / layout.EVENTS))


def begin_attempt(stage_folder: Path, attempt: Attempt) -> bool:
    """Takes the attempt's number, as only one driver can; False where it is taken. Raises StorageError."""
    with storage_errors(stage_folder):
        return atomic.create_json(
            layout.attempt_file(stage_folder, attempt.attempt), {"schema": SCHEMA, **asdict(attempt)}
        )


def write_attempt(stage_folder: Path, attempt: Attempt) -> None:
    """Once when it starts, and again when it has ended."""
    with storage_errors(stage_folder):
        atomic.write_json(layout.attempt_file(stage_folder, attempt.attempt), {"schema": SCHEMA, **asdict(attempt)})


def read_attempt(stage_folder: Path, attempt: int) -> Attempt | None:
    """None where there is none or it cannot be read: its end is then unknown."""
    try:
        values = _known(Attempt, _read_json(layout.attempt_file(stage_folder, attempt)))
        found = Attempt(**{**values, "last_lines": tuple(values.get("last_lines", ()))})
        return replace(found, started=float(found.started), ended=None if found.ended is None else float(found.ended))
    except (OSError, ValueError, TypeError):
        return None


def is_given_up(stage_folder: Path, attempt: int) -> bool:
    """Whether the run has written this attempt's end down itself, or begun a later one."""
    own = read_attempt(stage_folder, attempt)
    return (own is not None and own.ended is not None) or any(later > attempt for later in _numbers(stage_folder))


def read_attempts(stage_folder: Path) -> tuple[Attempt, ...]:
    """All of them in order. One that cannot be read is known to have been, and nothing more."""
    return tuple(read_attempt(stage_folder, number) or _lost(stage_folder, number) for number in _numbers(stage_folder))


def _numbers(stage_folder: Path) -> list[int]:
    found = (stage_folder / layout.ATTEMPTS).glob("*.json")
    return sorted(int(path.stem) for path in found if path.stem.isdecimal())


def stage_facts(folder: Path, plan: Plan, record: RunRecord | None = None) -> dict[str, StageFacts]:
    """What the files say of every stage. Whether an attempt without an end still runs is for the driver to see."""
    facts = {}
    for stage in plan.stages:
        stage_folder = layout.stage_folder(folder, stage.name)
        forgiven = record.stage(stage.name).forgiven if record else 0
        complete = is_complete(stage_folder, stage, plan.hash)
        facts[stage.name] = StageFacts(complete, read_attempts(stage_folder), forgiven)
    return facts


def to_status(record: RunRecord, folder: Path, progress: Mapping[str, Progress] | None = None) -> RunStatus:
    """The record as users see it, with the metrics of the markers and the progress given for stages by name."""
    stages = tuple(
        StageStatus(
            name=stage.name,
            state=stage.state,
            reason=stage.reason,
            message=stage.message,
            attempts=stage.attempts,
            started=stage.started,
            ended=stage.ended,
            exit_code=stage.exit_code,
            node=stage.node,
            progress=(progress or {}).get(stage.name),
            metrics=_metrics(folder, stage),
        )
        for stage in record.stages
    )
    return RunStatus(
        run=record.run,
        state=record.state,
        reason=record.reason,
        message=record.message,
        backend=record.backend,
        device=record.device,
        devices=record.devices,
        created=record.created,
        ended=record.ended,
        folder=str(folder),
        plan_hash=record.plan_hash,
        stages=stages,
        nodes=record.nodes,
    )


def unknown_status(folder: Path, backend: str, message: str) -> RunStatus:
    """A run whose files cannot be read: shown, so that it can be deleted."""
    reason = REASONS["RecordUnreadable"]
    return RunStatus(
        run=folder.name,
        state=State.UNKNOWN,
        reason=reason.word,
        message=f"{message}. {reason.sentence}",
        backend=backend,
        device="",
        devices=0,
        created=_changed(folder),
        ended=None,
        folder=str(folder),
        plan_hash="",
        stages=(),
    )


def run_folders(storage: Path) -> tuple[Path, ...]:
    """Folders of all runs, by name; whatever else lies there is passed over."""
    runs = storage / layout.RUNS
    try:
        return tuple(sorted(path for path in runs.iterdir() if (path / layout.PLAN).exists()))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StorageError(f"{runs}: cannot be read: {error.strerror}") from None


def _metrics(folder: Path, stage: StageRecord) -> Mapping[str, Any]:
    if stage.state is not State.SUCCEEDED:
        return {}
    marker = read_marker(layout.stage_folder(folder, stage.name))
    return marker.metrics if marker else {}


def _stage_record(value: dict[str, Any]) -> StageRecord:
    return StageRecord(**{**_known(StageRecord, value), "state": State(value["state"])})


def _known(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Only fields that `kind` has: a newer launcher may have added some."""
    names = {part.name for part in fields(kind)}
    return {key: item for key, item in value.items() if key in names}


def _read_json(path: Path) -> dict[str, Any]:
    """Raises FileNotFoundError, or ValueError for anything else that is wrong with it."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("is not valid JSON (torn or foreign)") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def _lost(stage_folder: Path, attempt: int) -> Attempt:
    changed = _changed(layout.attempt_file(stage_folder, attempt))
    return Attempt(attempt, started=changed, ended=changed)


def _changed(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
