"""An exported model judged on pairs of faces in C++: the stage around `sphereface_infer310` of ascend310_infer/.

The program reads, aligns, computes, judges and writes; here it is told what to do, watched, and vouched for.
MindSpore is not imported. `python -m sphereface.infer310 --config …` is `sphereface infer310 --config …`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from runfolder import layout, programs
from sphereface import lfw_file, lite, stage, status
from sphereface.config import Config
from sphereface.errors import ConfigError, InputError, SpherefaceError, StorageError

FILES = (layout.LFW, layout.EMBEDDINGS, "scores.csv", "images.txt", "time_Result/test_perform_static.txt")
"""What the program leaves, beside `result_Files/`: two small files a pair, too many to be vouched for one by one."""
_ERROR = f"{programs.INFER}: error: "
_END_S = 10.0
"""So long after SIGTERM the program gets SIGKILL."""


def infer310(config: Config, heartbeat: status.Heartbeat, environ: Mapping[str, str] = os.environ) -> str:
    """Has the program write FILES, and writes result.json, under `config.output`; returns `LFWACC=… std=… thd=…`.

    Raises UnsupportedError where there is no program, and what the program itself says of a failure as InputError,
    StorageError or SpherefaceError; it leaves what was there before then.
    """
    flags = _flags(config)
    program = lite.program(programs.INFER, environ)
    output = stage.open_output(config, ())
    line = _carry_out([program, *(f"--{name}={value}" for name, value in flags.items())], heartbeat)
    try:
        lfw = json.loads((output / layout.LFW).read_bytes())
        metrics, images = lfw_file.metrics(lfw, line), int(lfw["images"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SpherefaceError(f"{program} ended well, but {output / layout.LFW} is none of its own") from None
    heartbeat.beat(layout.INFER310, step=images, steps=images)
    stage.write_result(output, layout.INFER310, metrics, FILES)
    return line


def _flags(config: Config) -> dict[str, str | int]:
    """The program's own, for our keys. Raises ConfigError for one that is missing: it would name its flag."""
    needed = {
        "mindir_path": config.mindir_path,
        "pairtxt_src": config.pairtxt_src,
        "datatxt_src": config.datatxt_src,
        "datasrc": config.datasrc,
    }
    if absent := [key for key, value in needed.items() if not value]:
        raise ConfigError(
            f"{', '.join(absent)}: not set; infer310 needs a model (of `sphereface export --format lite`), pairs, "
            "their landmark list and images"
        )
    return {
        "mindir_path": config.mindir_path,
        "pairs": config.pairtxt_src,
        "landmarks": config.datatxt_src,
        "image_path": config.datasrc,
        "device": config.infer_device,
        "device_id": config.device_id,
        "batch_size": config.batch_size,
        "output": config.output,
    }


def _carry_out(words: Sequence[str], heartbeat: status.Heartbeat) -> str:
    """Returns the line that the program prints at its end. It does not outlive a SIGTERM that ends this process."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  for mypy
        assert process.stderr is not None  # noqa: S101
        try:
            told = _listen(process.stderr, heartbeat)
            printed = process.stdout.read().decode(errors="replace")
            code = process.wait()
        finally:
            _end(process)
    if code:
        raise _failure(code, told)
    return (printed.splitlines() or [""])[-1]


@dataclass
class _Said:
    """What the program has said on stderr so far."""

    done: int = 0
    images: int = 0
    last: str = ""

    def hear(self, raw: bytes) -> None:
        """A line of it. Its error is kept for our own line; everything else goes on into the log."""
        line = raw.decode(errors="replace").rstrip()
        if not line:
            return
        self.last = line
        if not line.startswith(_ERROR):
            print(line, file=sys.stderr, flush=True)
        words = line.split()
        if words[1:2] == ["of"] and words[3:4] == ["images,"] and words[0].isdecimal() and words[2].isdecimal():
            self.done, self.images = int(words[0]), int(words[2])


def _listen(stream: IO[bytes], heartbeat: status.Heartbeat) -> str:
    """Until the program closes its stderr; returns the last line. A heartbeat a second, with how far it is."""
    said, rest = _Said(), b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            heartbeat.beat(layout.INFER310 if said.images else "compile", step=said.done, steps=said.images)
            if not selector.select(status.INTERVAL):
                continue
            chunk = os.read(stream.fileno(), 1 << 16)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                said.hear(line)
            if not chunk:
                said.hear(rest)
                return said.last


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _failure(code: int, last: str) -> SpherefaceError:
    """In the program's own words; exit codes as ascend310_infer/src/errors.h has them."""
    if not last.startswith(_ERROR):
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return SpherefaceError(f"{programs.INFER} {how}" + (f"; its last line: {last}" if last else ""))
    message = last.removeprefix(_ERROR).replace("--device cpu", "infer_device cpu")
    if code == InputError.exit_code:
        return InputError(message)
    if ": cannot be written: " in message:
        return StorageError(message)
    return SpherefaceError(message)


if __name__ == "__main__":
    from sphereface.cli import main

    raise SystemExit(main(["infer310", *sys.argv[1:]]))
