"""Names of everything inside a run folder, and of the environment that a stage is started with.

<storage>/runs/<run>/
    plan.json  run.json  events.jsonl  supervisor.{lock,log}
    train/     checkpoints/0-E_S.ckpt  metrics.jsonl  result.json  logs/rank_R.log  logs/attempt_A.log
               attempts/A.json  rank_table.json (of the last start by rank table)  _SUCCESS.json
    evaluate/  lfw.json  scores.npz  roc.png  result.json  logs/…  _SUCCESS.json
    export/    sphereface.mindir  sphereface.onnx  result.json  logs/…  _SUCCESS.json
    infer310/  lfw.json  scores.csv  embeddings.npy  result_Files/  result.json  logs/…  _SUCCESS.json
"""

from __future__ import annotations

from pathlib import Path

RUNS = "runs"

PLAN = "plan.json"
RUN = "run.json"
EVENTS = "events.jsonl"
SUPERVISOR_LOCK = "supervisor.lock"
SUPERVISOR_LOG = "supervisor.log"
CANCEL = "cancel"  # exists while a cancellation is asked for

TRAIN = "train"
EVALUATE = "evaluate"
EXPORT = "export"
INFER310 = "infer310"

SUCCESS = "_SUCCESS.json"
RESULT = "result.json"  # what the stage's own program says of its end; the marker is made from it
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
LOGS = "logs"
ATTEMPTS = "attempts"
STATUS = "status"
LFW = "lfw.json"
SCORES = "scores.npz"
EMBEDDINGS = "embeddings.npy"
ROC = "roc.png"
BAD_IMAGES = "bad_images.txt"
RANK_TABLE = "rank_table.json"  # HCCL takes a file by its suffix

STATUS_DIR_VARIABLE = "SPHEREFACE_STATUS_DIR"
"""Folder in which each rank keeps `rank_R.heartbeat` and, if it fails, leaves `rank_R.failure.json`."""
DONE = "done"
"""Phase of a rank's last heartbeat, once every rank has come to the end of its work."""


def run_folder(storage: Path, run: str) -> Path:
    return storage / RUNS / run


def stage_folder(run: Path, stage: str) -> Path:
    return run / stage


def rank_name(rank: int | str) -> str:
    """What a rank is called in the names of its files, beside `scheduler`, `msrun` and `pod`."""
    return f"rank_{rank}"


def log_file(logs: Path, name: str) -> Path:
    return logs / f"{name}.log"


def attempt_log(stage: Path, attempt: int) -> Path:
    """What the stage's first process printed in that attempt: the lines of all ranks as they came."""
    return log_file(stage / LOGS, f"attempt_{attempt}")


def attempt_file(stage: Path, attempt: int) -> Path:
    """How attempt `attempt` (1, 2, …) of a stage ended, written by the stage's first process."""
    return stage / ATTEMPTS / f"{attempt}.json"


def status_folder(stage: Path, attempt: int) -> Path:
    return stage / STATUS / f"attempt_{attempt}"


def pod_file(status: Path, pod: int) -> Path:
    """Of a pod among several of one attempt: that it is there, and where."""
    return status / f"pod_{pod}.json"


def pod_seen_file(status: Path, pod: int) -> Path:
    """How that pod's ranks are, written again and again."""
    return status / f"pod_{pod}.seen.json"


def pod_end_file(status: Path, pod: int) -> Path:
    """How that pod ended."""
    return status / f"pod_{pod}.end.json"


def pid_file(status: Path, name: str) -> Path:
    return status / f"{name}.pid"


def heartbeat_file(status: Path, rank: int) -> Path:
    return status / f"{rank_name(rank)}.heartbeat"


def failure_file(status: Path, rank: int) -> Path:
    return status / f"{rank_name(rank)}.failure.json"
