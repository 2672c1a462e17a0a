"""The process of the summary Job: waits until the batch has ended, writes its summary on the storage and prints it.

    python -P -m launcher.batch.summarize --name NAME --storage /storage --list FILE

Exit code 0 once the summary is written, whatever it says: `kubectl wait --for=condition=complete job/NAME-summary`. The
account may read that one Job and nothing else.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from launcher import record
from launcher.backends.kubernetes.api import Api
from launcher.batch import checkpoints, indexed_job, summary
from launcher.batch.indexed_job import IndexedJob
from launcher.batch.summary import Found
from launcher.errors import ApiError, BackendError, LauncherError
from launcher.marker import read_marker
from runfolder import atomic, layout

JSON, CSV, MARKDOWN = "summary.json", "summary.csv", "summary.md"
POLL_S = 3.0
ABSENT_S = 60.0
"""kubectl applies one object after the other, so that this process may be there before the Job that it waits for."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m launcher.batch.summarize", description="Summary of a batch.")
    parser.add_argument("--name", required=True, help="of the batch, and so of its Job")
    parser.add_argument("--storage", type=Path, required=True, help="folder that holds batch/")
    parser.add_argument("--list", type=Path, required=True, help="file with one checkpoint a line")
    given = parser.parse_args(arguments)
    try:
        lines = checkpoints.load_list(given.list)
        job = wait_for_end(_open_api(), given.name, clock=time.monotonic, sleep=time.sleep)
        print(write(given.storage, given.name, lines, job), end="", flush=True)
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def wait_for_end(api: Api, name: str, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> IndexedJob:
    """Asks every few seconds, through any outage. Raises ApiError where the Job is not there or may not be read."""
    began = clock()
    told = ""
    while True:
        try:
            job = indexed_job.read_job(api.get("jobs", name))
            if job.ended:
                return job
        except ApiError as error:
            if error.status == 404 and clock() - began < ABSENT_S:
                pass
            elif error.status < 500 and error.status != 429:
                raise
        except BackendError as error:
            if str(error) != told:
                told = str(error)
                print(f"warning: {error}; trying again", file=sys.stderr, flush=True)
        sleep(POLL_S)


def write(storage: Path, name: str, lines: Sequence[str], job: IndexedJob) -> str:
    """Writes the three files, each atomically, and returns the Markdown. Raises StorageError."""
    batch = checkpoints.batch_folder(storage, name)
    ranked = summary.verdicts(look(batch, lines), job)
    text = summary.as_markdown(name, ranked)
    with record.storage_errors(batch):
        atomic.write_json(batch / JSON, summary.as_json(name, ranked))
        atomic.write_text(batch / CSV, summary.as_csv(ranked))
        atomic.write_text(batch / MARKDOWN, text)
    return text


def look(batch: Path, lines: Sequence[str]) -> Iterator[Found]:
    """What the storage holds of each line of the list."""
    for index, checkpoint in enumerate(lines):
        folder = checkpoints.judged_folder(batch, index, checkpoint)
        stage_folder = layout.stage_folder(folder, layout.EVALUATE)
        marker = read_marker(stage_folder)
        attempts = record.read_attempts(stage_folder)
        yield Found(index, checkpoint, str(folder), marker.metrics if marker else None, attempts)


def _open_api() -> Api:
    """As the account of the pod that this runs in."""
    from launcher.backends.kubernetes import credentials
    from launcher.backends.kubernetes.http_api import HttpApi

    return HttpApi(credentials.of_service_account(os.environ))


if __name__ == "__main__":
    sys.exit(main())
