"""STAND-IN for msrun, which takes seconds to import MindSpore: the same processes, signals and words, at once.

As the real one: each rank in a session of its own, a look at them every second, all killed as soon as one has failed,
the scheduler waited for at the end. Tests put it in the place of `mindspore.parallel.cluster.run` (see conftest.py).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker_num", type=int)
    parser.add_argument("--local_worker_num", type=int)
    parser.add_argument("--node_rank", type=int)
    parser.add_argument("--master_port", type=int)
    parser.add_argument("--log_dir", type=Path)
    for name in ("--master_addr", "--cluster_time_out", "--join", "--tail_worker_log"):
        parser.add_argument(name)
    parser.add_argument("argv", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    given.log_dir.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "RANK_SIZE": str(given.worker_num), "MS_SCHED_PORT": str(given.master_port)}
    scheduler = None
    if given.node_rank == 0:
        with (given.log_dir / "scheduler.log").open("w") as log:
            mine = {**environment, "MS_ROLE": "MS_SCHED", "RANK_ID": "0"}
            scheduler = subprocess.Popen(given.argv, stdout=log, stderr=log, env=mine)
    workers = []
    first = given.node_rank * given.local_worker_num
    for rank in range(first, first + given.local_worker_num):
        with (given.log_dir / f"worker_{rank}.log").open("w") as log:
            mine = {**environment, "MS_ROLE": "MS_WORKER", "RANK_ID": str(rank)}
            workers.append(subprocess.Popen(given.argv, stdout=log, stderr=log, env=mine, start_new_session=True))
    failed = join(workers)
    return 1 if (scheduler and scheduler.wait() != 0) or failed else 0


def join(workers: list[subprocess.Popen[bytes]]) -> bool:
    while True:
        codes = [worker.poll() for worker in workers]
        bad = next((worker for worker, code in zip(workers, codes, strict=True) if code), None)
        if bad:
            print(f"Worker process {bad.pid} exit with exception. Error code: {bad.returncode}.", flush=True)
            for worker in workers:
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
            return True
        if all(code == 0 for code in codes):
            return False
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
