"""Waiting for a run to end, looking at it again and again, and telling at the end how it ended."""

from __future__ import annotations

import sys
from pathlib import Path

from launcher.backends import Backend, LogQuery
from launcher.errors import BackendError, LauncherError, RunFailed, WaitTimeout
from launcher.states import State
from launcher.status import RunStatus
from launcher.terminal import durations, tree, views
from launcher.terminal.progress_display import Display
from launcher.terminal.session import Session

LOOK_EVERY_S = 0.5
LOST_AFTER_S = 5.0
"""A run may be Unknown for a moment, as while its supervisor starts; for longer, nobody drives it."""
OUTAGE_S = 300.0
"""A cluster that does not answer for so long is not waited for any more; a shorter outage ends no waiting."""
LAST_LINES = 15


def until_end(
    backend: Backend, run: str, session: Session, display: Display, timeout_s: float | None = None
) -> RunStatus:
    """The run once it has ended. Raises WaitTimeout, and BackendError where nobody drives the run any more."""
    began = session.clock()
    lost_since: float | None = None
    try:
        while True:
            status = look(backend, run, session, None if timeout_s is None else began + timeout_s)
            display.show(status)
            now = session.clock()
            if status.state.terminal:
                return status
            lost_since = (lost_since or now) if status.state is State.UNKNOWN else None
            if lost_since is not None and now - lost_since >= LOST_AFTER_S:
                raise BackendError(_lost(status))
            if timeout_s is not None and now - began >= timeout_s:
                raise WaitTimeout(_still(status, timeout_s))
            session.sleep(LOOK_EVERY_S)
    finally:
        display.close()


def look(backend: Backend, run: str, session: Session, until: float | None = None) -> RunStatus:
    """The run now; where the cluster does not answer, as soon as it does, but not later than at `until`.

    Raises BackendError for an outage of OUTAGE_S or until then, or where asking again does not help.
    """
    began: float | None = None
    while True:
        try:
            (status,) = backend.observe(run)
            return status
        except BackendError as error:
            now = session.clock()
            if began is None and error.temporary:
                print(f"{error}; waiting for it", file=sys.stderr)
            began = now if began is None else began
            end = began + OUTAGE_S if until is None else min(until, began + OUTAGE_S)
            if not error.temporary or now >= end:
                raise
        session.sleep(LOOK_EVERY_S)


def print_end(run: RunStatus, now: float) -> None:
    """The result, the stages and the files of a run that ended, on stdout."""
    for line in views.result_lines(run):
        print(line)
    print(f"\n{views.stages_table(run, now)}")
    folder = Path(run.folder)
    if folder.is_dir():
        print(f"\n{tree.draw(folder)}")


def check_succeeded(backend: Backend, run: RunStatus) -> None:
    """Raises RunFailed for a run that failed or was cancelled, after its last lines have gone to stderr."""
    if run.state in (State.SUCCEEDED, State.SKIPPED):
        return
    stage = views.current_stage(run)
    if stage and stage.attempts and run.state is State.FAILED:
        _print_last_lines(backend, run.run, stage.name)
    raise_unless_succeeded(run)


def raise_unless_succeeded(run: RunStatus) -> None:
    """Raises RunFailed, with the reason, for a run that failed or was cancelled."""
    if run.state in (State.SUCCEEDED, State.SKIPPED):
        return
    stage = views.current_stage(run)
    where = f" in {stage.name}" if stage else ""
    because = "; ".join(views.why(run))
    raise RunFailed(f"run/{run.run} {run.state}{where}{': ' if because else ''}{because}")


def _print_last_lines(backend: Backend, run: str, stage: str) -> None:
    """What hinders that must not hide how the run ended."""
    try:
        lines = list(backend.logs(run, LogQuery(stage=stage, tail=LAST_LINES)))
    except LauncherError as error:
        print(f"its last lines cannot be shown: {error}", file=sys.stderr)
        return
    for line in lines[-LAST_LINES:]:
        print(f"{views.log_prefix(line)}{line.text}", file=sys.stderr)


def _lost(status: RunStatus) -> str:
    because = "; ".join(views.why(status)) or "nobody drives it any more"
    return f"run/{status.run} cannot be followed: {because}"


def _still(status: RunStatus, timeout_s: float) -> str:
    stage = views.current_stage(status)
    at = f", {stage.name}" if stage else ""
    if stage and stage.progress:
        at += f" at {views.progress_words(stage.progress)}"
    return f"timed out after {durations.human(timeout_s)} waiting for run/{status.run} (still {status.state}{at})"
