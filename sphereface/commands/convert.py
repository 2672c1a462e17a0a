"""sphereface convert: turn weights of Caffe or PyTorch into a checkpoint, and back."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Formats go by the suffix: .ckpt (ours and the model zoo's), .pth and .pt (state dicts of sphereface_pytorch), "
        ".npz, .safetensors; read only: .caffemodel. An existing TARGET is replaced."
    )
    parser.add_argument("source", metavar="SOURCE", help="file with the weights")
    parser.add_argument("target", metavar="TARGET", help="file to write, as in sphere20a.ckpt")


def run(arguments: argparse.Namespace) -> int:
    from sphereface.convert import convert

    target = Path(arguments.target)
    done = convert(Path(arguments.source), target)
    head = "no head" if done.classes is None else f"a head for {done.classes} identities"
    bias = "with" if done.conv_bias else "without"
    print(f"{target}: {done.net} {bias} biases in its convolutions, {head}, {done.parameters:,} parameters")
    return 0
