"""What comes after a run was submitted or resumed: say so, then follow it, wait for it, or leave it to itself."""

from __future__ import annotations

import argparse
import sys

from launcher.backends import Backend, Submission
from launcher.errors import INTERRUPTED_EXIT
from launcher.states import State
from launcher.status import RunStatus
from launcher.terminal import follow, output, progress_display
from launcher.terminal.session import Session


def attend(backend: Backend, submission: Submission, arguments: argparse.Namespace, session: Session) -> int:
    """Exit code of the call; of the run, where it is waited for (RunFailed where it failed)."""
    if submission.outcome == "unchanged" and submission.state in (State.FAILED, State.CANCELLED):
        print(f"'launcher resume {submission.run}' goes on from what is finished.", file=sys.stderr)
    try:
        run = _watched(backend, submission, arguments, session)
    except KeyboardInterrupt:
        print(
            f"\nrun/{submission.run} goes on without this terminal; 'launcher status {submission.run} --watch' shows "
            f"it, 'launcher cancel {submission.run}' stops it",
            file=sys.stderr,
        )
        return INTERRUPTED_EXIT
    if run is None:
        return 0
    if arguments.output is None:
        follow.print_end(run, session.clock())
    else:
        _print_document(run, submission, arguments.output)
    follow.check_succeeded(backend, run)
    return 0


def _watched(
    backend: Backend, submission: Submission, arguments: argparse.Namespace, session: Session
) -> RunStatus | None:
    """The run once it has ended; None where nobody wants to wait for that."""
    stays = arguments.wait or arguments.follow
    if arguments.output is None:
        print(_line(submission), flush=True)
    elif not stays:
        _print_document(backend.observe(submission.run)[0], submission, arguments.output)
    if not stays:
        return None
    display = progress_display.on_stderr(session.clock) if arguments.follow else progress_display.Silent()
    return follow.until_end(backend, submission.run, session, display, arguments.timeout)


def _line(submission: Submission) -> str:
    """As `kubectl apply` says it."""
    state = f" ({submission.state})" if submission.outcome == "unchanged" else ""
    return f"run/{submission.run} {submission.outcome}{state}"


def _print_document(run: RunStatus, submission: Submission, form: str) -> None:
    if form == "name":
        print(f"run/{run.run}")
    else:
        print(output.document({"outcome": submission.outcome, **output.run_data(run)}, form))
