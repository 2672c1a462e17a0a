"""The first process of an index of a batch: judges the checkpoint of its line, unless that is done already.

    python -P -m launcher.batch.judge --name NAME --storage /storage --list FILE -- --datatxt_src=… --pairtxt_src=…

What follows `--` goes to `python -m sphereface evaluate` as it is. The index is JOB_COMPLETION_INDEX. Each index is a
run folder of one stage, so that `launcher.pod` starts, watches and marks it as it does in every run. Exit code: 0 it is
judged, 42 no other attempt can help (the Job fails this index and goes on with the others), 1, 74 or 143 another may.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from launcher import plan, pod, record, states
from launcher.batch import checkpoints
from launcher.errors import CONFIGURATION_EXIT, STORAGE_EXIT, LauncherError, StorageError, UsageError
from launcher.marker import is_complete
from launcher.plan import Plan, Stage
from launcher.processes import process_tree
from launcher.processes.orders import Stop
from launcher.profiles import Profile
from launcher.spec import StagePolicy
from runfolder import atomic, layout

ENV_INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes for each pod of an Indexed Job."""

_CGROUP = Path("/sys/fs/cgroup")
_OOM_COUNTERS = ("memory.events", "memory/memory.oom_control")
"""Of a container's own cgroup, version 2 and 1; both have a line `oom_kill N`."""


@dataclass(frozen=True)
class Batch:
    name: str
    storage: Path
    checkpoints: tuple[str, ...]
    options: tuple[str, ...]
    """Of `sphereface evaluate`, without checkpoint and output."""
    policy: StagePolicy


def main(arguments: list[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    stop = Stop()
    stop.listen(None)
    process_tree.adopt_orphans()
    policy = StagePolicy(deadline_s=given.deadline, heartbeat_s=given.heartbeat, stall_s=given.stall)
    try:
        index = os.environ.get(ENV_INDEX, "")
        if not index.isdecimal():
            raise UsageError(f"{ENV_INDEX} is not set; this is for pods of an Indexed Job")
        lines = checkpoints.load_list(given.list)
        return judge(Batch(given.name, given.storage, lines, tuple(given.options), policy), int(index), stop)
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return STORAGE_EXIT if isinstance(error, StorageError) else CONFIGURATION_EXIT


def judge(batch: Batch, index: int, stop: Stop) -> int:
    """Raises UsageError for an index that the list does not have, StorageError where nothing can be written."""
    made = index_plan(batch, index)
    folder, stage = Path(made.folder), made.stages[0]
    stage_folder = layout.stage_folder(folder, stage.name)
    if is_complete(stage_folder, stage, made.hash):
        print(f"{batch.checkpoints[index]} is judged already; its result is in {stage_folder}")
        return 0
    with record.storage_errors(folder):
        atomic.write_json(folder / layout.PLAN, plan.to_json(made))
    attempt = 1 + max((one.attempt for one in record.read_attempts(stage_folder)), default=0)
    killed = oom_kills()
    code = pod.run(folder, stage.name, attempt, stop)
    if code == 1:
        if oom_kills() > killed:
            _tell_out_of_memory(stage_folder, attempt)
        ended = record.read_attempt(stage_folder, attempt)
        return 1 if ended is None or ended.retry else CONFIGURATION_EXIT
    return code


def index_plan(batch: Batch, index: int) -> Plan:
    """What index `index` does, with the content of its checkpoint in the hash: another file is another judgement.

    A folder, of which `sphereface` takes the newest checkpoint, or a file that is not there, counts as its path only.
    """
    if index >= len(batch.checkpoints):
        raise UsageError(
            f"index {index} has no checkpoint: the list has {len(batch.checkpoints)}; "
            f"set completions of the Job to {len(batch.checkpoints)}"
        )
    checkpoint = batch.checkpoints[index]
    path = batch.storage / checkpoint
    folder = checkpoints.judged_folder(checkpoints.batch_folder(batch.storage, batch.name), index, checkpoint)
    output = layout.stage_folder(folder, layout.EVALUATE)
    argv = ("python", "-m", "sphereface", layout.EVALUATE, *batch.options)
    stage = Stage(
        name=layout.EVALUATE,
        argv=(*argv, f"--ckpt_files={path}", f"--output={output}"),
        processes=1,
        env={},
        needs=(),
        artifacts=(layout.LFW, layout.SCORES),
        policy=batch.policy,
    )
    profile = Profile("", "CPU")  # for the plan's form: the options say which device it is
    spec = {"batch": batch.name, "index": index, "checkpoint": checkpoint, "sha256": _sha256(path)}
    return plan.sealed(Plan(batch.name, profile, 1, 1, str(folder), (stage,), None, spec, hash=""))


def oom_kills(root: Path = _CGROUP) -> int:
    """Processes of this container that the kernel has killed for want of memory; 0 where it does not say."""
    for name in _OOM_COUNTERS:
        try:
            lines = (root / name).read_text().splitlines()
        except OSError:
            continue
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    return 0


def _tell_out_of_memory(stage_folder: Path, attempt: int) -> None:
    """The stage's first process saw a SIGKILL and no more; the kernel's counter says whose."""
    ended = record.read_attempt(stage_folder, attempt)
    if ended is not None and ended.reason in ("Killed", "RankFailed"):
        reason = states.REASONS["OOMKilled"]
        told = replace(ended, reason=reason.word, message=reason.sentence, retry=reason.retry)
        record.write_attempt(stage_folder, told)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m launcher.batch.judge", description="One index of a batch.")
    parser.add_argument("--name", required=True, help="of the batch")
    parser.add_argument("--storage", type=Path, required=True, help="paths are relative to it")
    parser.add_argument("--list", type=Path, required=True, help="file with one checkpoint a line")
    usual = StagePolicy()
    parser.add_argument("--deadline", type=float, default=usual.deadline_s, help="seconds; 0 = no limit")
    parser.add_argument(
        "--heartbeat", type=float, default=usual.heartbeat_s, help="seconds of silence until it counts as hung"
    )
    parser.add_argument("--stall", type=float, default=usual.stall_s, help="the same, without progress")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="of sphereface evaluate")
    return parser


if __name__ == "__main__":
    sys.exit(main())
