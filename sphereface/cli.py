"""`sphereface`: the table of verbs, and what becomes of an error. A verb's module is imported when it is called."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence

from sphereface import __version__, status
from sphereface.errors import SpherefaceError, StorageError

VERBS = {
    "synth": "draw synthetic faces with landmarks, a training list and pairs",
    "align": "cut aligned 112x96 faces out of images with landmarks",
    "pack": "pack a training list into one file of aligned faces",
    "train": "train a network from a list, a folder of faces, or a packed file",
    "evaluate": "judge a checkpoint on LFW-style pairs",
    "export": "write a checkpoint as MINDIR, LITE, ONNX or AIR",
    "infer310": "judge an exported model in C++, on an Ascend 310 or a CPU",
    "convert": "turn weights of Caffe or PyTorch into a checkpoint, and back",
    "verify": "say whether two images show the same person",
}
STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = _parser(words[0] if words else "").parse_args(words)
        return int(importlib.import_module(f"sphereface.commands.{arguments.verb}").run(arguments))
    except SpherefaceError as error:
        return _fail(error)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno in STORAGE_ERRORS:
            return _fail(
                StorageError(f"{error.filename or 'storage'}: {error.strerror}; make room or mend the permissions")
            )
        return _unexpected(error)
    except Exception as error:
        return _unexpected(error)


def _parser(verb: str) -> argparse.ArgumentParser:
    """The parser; only the called verb brings its flags."""
    parser = argparse.ArgumentParser(prog="sphereface", description="SphereFace on MindSpore: train, judge and export.")
    parser.add_argument("--version", action="version", version=f"sphereface {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, text in VERBS.items():
        child = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        if name == verb:
            importlib.import_module(f"sphereface.commands.{name}").add_arguments(child)
    return parser


def _fail(error: SpherefaceError) -> int:
    message = " ".join(str(error).split())
    print(f"sphereface: error: {message}", file=sys.stderr)
    status.report_failure(
        os.environ, reason=error.reason, message=message, retry=error.retry, exit_code=error.exit_code, now=time.time()
    )
    return error.exit_code


def _unexpected(error: Exception) -> int:
    """A fault of ours: the traceback belongs into a stage's log, and nowhere else."""
    if status.folder(os.environ):
        traceback.print_exc()
    return _fail(SpherefaceError(f"unexpected {type(error).__name__}: {error}"))
