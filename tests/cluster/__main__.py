"""`python3.11 -m tests.cluster up | down [--all] | status | build`: a real Kubernetes on this machine, for tests."""

from __future__ import annotations

import argparse
import os

from tests.cluster.boot import build, down, layout_of, up
from tests.cluster.parts import parts
from tests.cluster.processes import running


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3.11 -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="build, boot and prepare it; mends or replaces what a killed one left")
    downs = verbs.add_parser("down", help="stop it and leave nothing behind but the caches")
    downs.add_argument("--all", action="store_true", help="remove the caches too (built programs, registry)")
    verbs.add_parser("status", help="each part and its pid")
    verbs.add_parser("build", help="build its programs, and Kueue, which the tests that need it start; each once")
    arguments = parser.parse_args()
    os.umask(0o022)
    if arguments.verb == "up":
        print(f"export KUBECONFIG={up().kubeconfig}")
    elif arguments.verb == "down":
        down(everything=arguments.all)
        print("test cluster is down")
    elif arguments.verb == "build":
        print(*build(), sep="\n")
    else:
        status()


def status() -> None:
    """Exit code 1 where a part does not run."""
    layout = layout_of()
    pids = {part.name: running(layout, part.name) for part in parts(layout)}
    for name, pid in pids.items():
        print(f"{name:22} {'not running' if pid is None else pid}")
    print(f"KUBECONFIG={layout.kubeconfig}")
    raise SystemExit(0 if all(pids.values()) else 1)


if __name__ == "__main__":
    main()
