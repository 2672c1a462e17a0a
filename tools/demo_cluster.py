"""The demo on a cluster: draws synthetic faces into the claim, then train, evaluate and export. `make demo-cluster`.

Without KUBECONFIG it is the test cluster of `make cluster`, where it makes a namespace with a claim. On another one the
namespace (NAMESPACE) must have a ReadWriteMany claim `sphereface`, and IMAGE names the image as its nodes pull it.
Every command is shown as it is called, so that it can be copied.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from tests.cluster import access
from tests.cluster.access import Kubectl
from tests.cluster.boot import layout_of

ROOT = Path(__file__).resolve().parent.parent
SPEC = "examples/demo-cluster.yaml"
FACES = "examples/demo-faces.yaml"
NAMESPACE = "sphereface-demo"
EXAMPLE_IMAGE = "image: sphereface:cpu"


class DemoError(Exception):
    """What is missing and what to do, in one line."""


def main() -> int:
    try:
        kubeconfig = os.environ.get("KUBECONFIG") or _test_cluster()
        os.environ["KUBECONFIG"] = kubeconfig
        image, namespace = _image(), os.environ.get("NAMESPACE", NAMESPACE)
        if Path(kubeconfig) == layout_of().kubeconfig:
            make_namespace(Kubectl(Path(kubeconfig)), namespace, layout_of().storage / namespace)
        draw_faces(namespace, image)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    launcher = str(Path(sys.executable).parent / "launcher")
    run = [SPEC, "-n", namespace, "--image", image]
    return show([launcher, "doctor", *run]) or show([launcher, "submit", *run, "--follow"])


def make_namespace(kubectl: Kubectl, name: str, storage: Path) -> None:
    """One that is kept, with a claim on a folder of this machine; what is there already is left as it is."""
    kubectl.apply(access.namespace_manifest(name))
    if kubectl.run("-n", name, "get", "pvc", access.CLAIM).returncode == 0:
        return
    storage.mkdir(parents=True, exist_ok=True)
    os.chown(storage, access.USER, access.USER)
    storage.chmod(0o2770)
    kubectl.run("delete", "pv", access.volume_name(name), "--ignore-not-found")  # of a namespace that was removed
    volume = access.volume_name(name)
    kubectl.apply(access.volume_manifest(name, storage), access.claim_manifest(name, "", volume))


def draw_faces(namespace: str, image: str) -> None:
    """Raises DemoError where the Job does not complete."""
    manifest = (ROOT / FACES).read_text().replace(EXAMPLE_IMAGE, f"image: {image}")
    show(["kubectl", "delete", "-n", namespace, "-f", FACES, "--ignore-not-found"])
    print(f"$ sed 's|{EXAMPLE_IMAGE}|image: {image}|' {FACES} | kubectl apply -n {namespace} -f -", flush=True)
    subprocess.run(["kubectl", "apply", "-n", namespace, "-f", "-"], input=manifest, text=True, check=False)
    wait = ["kubectl", "wait", "-n", namespace, "--for=condition=complete", "job/demo-faces", "--timeout=15m"]
    if show(wait):
        raise DemoError(f"the faces were not drawn: kubectl describe -n {namespace} job/demo-faces says why")


def show(command: list[str]) -> int:
    """Prints the command and runs it."""
    shown = [Path(command[0]).name, *command[1:]]
    print(f"$ {shlex.join(shown)}", flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _test_cluster() -> str:
    kubeconfig = layout_of().kubeconfig
    if not kubeconfig.exists():
        raise DemoError("no cluster: set KUBECONFIG, or boot the test cluster (make cluster images)")
    return str(kubeconfig)


def _image() -> str:
    named = os.environ.get("IMAGE")
    if named:
        return named
    try:
        return str(json.loads(layout_of().images.read_text())["cpu"])
    except (OSError, ValueError, KeyError):
        raise DemoError("no image: set IMAGE, or build one for the test cluster (make images)") from None


if __name__ == "__main__":
    sys.exit(main())
