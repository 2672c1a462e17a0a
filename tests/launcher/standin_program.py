"""STAND-IN for a stage's program, so that the tests of its supervision need no training: real processes, no MindSpore.

It keeps the contract of a stage: heartbeats, failure files, checkpoints written by rename, result.json last, SIGTERM
answered with a checkpoint and 143. Ranks go step by step together, as an all-reduce makes them: none begins a step
before all have done the last but one. `--trouble RANK:STEP:KIND` makes one rank misbehave, in attempt `--until` last.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from runfolder import atomic, layout


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("stage")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--step_s", type=float, default=0.05)
    parser.add_argument("--save_every", type=int, default=2)
    parser.add_argument("--trouble", default="")
    parser.add_argument("--until", type=int, default=99)
    for name in ("--accumulate_steps", "--elastic_batch", "--is_distributed"):
        parser.add_argument(name)  # what a run with other devices gives; here nothing is computed
    given = parser.parse_args()
    status = Path(os.environ[layout.STATUS_DIR_VARIABLE])
    ranks = int(os.environ["RANK_SIZE"])
    if os.environ.get("MS_ROLE") == "MS_SCHED":
        return schedule(status, ranks)
    return Rank(given, status, int(os.environ["RANK_ID"]), ranks).work()


def schedule(status: Path, ranks: int) -> int:
    print("the stand-in's scheduler begins", flush=True)
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", int(os.environ["MS_SCHED_PORT"])))
        except OSError as error:
            print(f"Failed to call bind: {error.strerror}", flush=True)
            return 1
        return serve(status, ranks)


def serve(status: Path, ranks: int) -> int:
    atomic.write_text(status / "serving", "")
    while not all((status / f"done_{rank}").exists() for rank in range(ranks)):
        time.sleep(0.1)
    return 0


class Rank:
    def __init__(self, given: argparse.Namespace, status: Path, rank: int, ranks: int) -> None:
        self.given, self.status, self.rank, self.ranks = given, status, rank, ranks
        self.told = False
        signal.signal(signal.SIGTERM, self.on_term)
        self.checkpoints = given.output / layout.CHECKPOINTS
        self.trouble: tuple[int, int, str] | None = None
        if given.trouble and int(os.environ["LAUNCHER_ATTEMPT"]) <= given.until:
            rank_text, step_text, kind = given.trouble.split(":")
            self.trouble = (int(rank_text), int(step_text), kind)

    def on_term(self, _number: int, _frame: object) -> None:
        self.told = True

    def work(self) -> int:
        while "MS_ROLE" in os.environ and not (self.status / "serving").exists() and not self.told:
            time.sleep(0.05)
        first = self.newest()
        print(f"rank {self.rank} begins at step {first}", flush=True)
        for step in range(first, self.given.steps):
            self.beat("train", step)
            if self.trouble and self.trouble[:2] == (self.rank, step):
                self.misbehave(self.trouble[2])
            self.wait_for_others(step)
            time.sleep(self.given.step_s)
            print(f"step {step} done", flush=True)
            if self.rank == 0:
                atomic.append_line(self.given.output / "steps.log", f"{os.environ['LAUNCHER_ATTEMPT']} {step}")
                if (step + 1) % self.given.save_every == 0 or self.told:
                    self.save(step + 1)
            if self.told:
                return 143
        if self.rank == 0:
            self.save(self.given.steps)
            files = [path.relative_to(self.given.output).as_posix() for path in self.checkpoints.glob("*.ckpt")]
            result = {"schema": 1, "stage": self.given.stage, "metrics": {"steps": self.given.steps}, "files": files}
            atomic.write_json(self.given.output / layout.RESULT, result)
        atomic.write_text(self.status / f"done_{self.rank}", "")
        while not all((self.status / f"done_{rank}").exists() for rank in range(self.ranks)) and not self.told:
            time.sleep(0.05)
        self.beat("done", self.given.steps)
        if self.trouble and self.trouble[:2] == (self.rank, self.given.steps):
            self.misbehave(self.trouble[2])
        return 0

    def newest(self) -> int:
        """Every checkpoint that is there must be whole, as a real one is read whole."""
        found = [0]
        for path in sorted(self.checkpoints.glob("*.ckpt")):
            step, body = path.read_text().split("\n", 1)
            if body != "weights\n" * 1000:
                sys.exit(f"{path} is torn")
            found.append(int(step))
        return max(found)

    def save(self, step: int) -> None:
        self.beat("save", step)
        atomic.write_text(self.checkpoints / f"0-1_{step}.ckpt", f"{step}\n" + "weights\n" * 1000)

    def beat(self, phase: str, step: int) -> None:
        value = {"schema": 1, "pid": os.getpid(), "rank": self.rank, "time": time.time(), "phase": phase}
        value |= {"epoch": 1, "step": step, "steps": self.given.steps}
        atomic.write_json(layout.heartbeat_file(self.status, self.rank), value)

    def wait_for_others(self, step: int) -> None:
        others = [layout.heartbeat_file(self.status, rank) for rank in range(self.ranks)]
        while not self.told:
            with contextlib.suppress(FileNotFoundError):
                if all(json.loads(path.read_bytes())["step"] >= step - 1 for path in others):
                    return
            time.sleep(0.1)

    def misbehave(self, kind: str) -> None:
        print(f"now comes: {kind}", flush=True)
        if kind == "exit1":
            self.fail("StageFailed", "the stand-in was told to fail", retry=True, code=1)
        if kind == "nan":
            self.fail("Diverged", "loss is NaN at step 3", retry=False, code=1)
        if kind == "exit2":
            print("error: no such key", file=sys.stderr, flush=True)
            sys.exit(2)
        if kind == "noresult":
            atomic.write_text(self.status / f"done_{self.rank}", "")
            sys.exit(0)
        if kind == "silent":
            time.sleep(600)
        if kind == "busy":
            while True:
                pass
        if kind.startswith("busy_"):
            until = time.monotonic() + float(kind.removeprefix("busy_"))
            while time.monotonic() < until:
                pass
        if kind == "bytes":
            sys.stdout.buffer.write(b"\xff\xfe not text\nno end")
            sys.stdout.buffer.flush()
        if kind in ("SIGKILL", "SIGSEGV", "SIGSTOP"):
            os.kill(os.getpid(), getattr(signal, kind))

    def fail(self, reason: str, message: str, *, retry: bool, code: int) -> None:
        value = {"schema": 1, "rank": self.rank, "time": time.time(), "reason": reason, "message": message}
        atomic.write_json(layout.failure_file(self.status, self.rank), value | {"retry": retry, "exit_code": code})
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
