"""`up` and `down`: from whatever the machine holds to a ready cluster, and back to nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.cluster import objects
from tests.cluster.api import Api
from tests.cluster.build import PROGRAMS, built
from tests.cluster.images import push_program
from tests.cluster.layout import BOOTED, FAKE_ACCELERATORS, NODES, PAUSE_IMAGE, Layout, Node, folders
from tests.cluster.machine import has_link, install_missing, locked, prepare, remember
from tests.cluster.parts import Part, parts
from tests.cluster.pki import make_pki
from tests.cluster.processes import recorded, running, start, until, wait_for, write
from tests.cluster.settings import settings
from tests.cluster.sweep import sweep


def layout_of(kube: Path | None = None) -> Layout:
    state, cache = folders()
    return Layout(state, cache, kube or cache / "kube")


def up() -> Layout:
    """A ready cluster. Running it again mends what died; one of another version or half a one is replaced."""
    state, cache = folders()
    with locked(state):
        install_missing()
        layout = Layout(state, cache, built("kube", cache))
        pod = built("pod", cache)
        began = time.monotonic()
        if same(layout):
            mended = [part.name for part in parts(layout) if restart(layout, part)]
            made_ready(layout)
            print(f"test cluster was up already{'; restarted: ' + ', '.join(mended) if mended else ''}")
        else:
            clear(layout)
            boot(layout, pod)
            print(f"test cluster is up after {time.monotonic() - began:.1f} s")
        return layout


def build() -> list[Path]:
    """All programs that are compiled, at the cost of minutes where they are not there yet."""
    cache = folders()[1]
    return [built(program, cache) for program in PROGRAMS]


def fingerprint(layout: Layout) -> str:
    """Changes with every command line, setting and bridge."""
    bridges = [[node.bridge, node.address, node.hardware_address] for node in NODES]
    everything = [[part.argv for part in parts(layout)], {str(k): v for k, v in settings(layout).items()}, bridges]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def same(layout: Layout) -> bool:
    """Whether a cluster of just this kind was booted whole and part of it lives, as do its bridges."""
    try:
        booted = (layout.state / BOOTED).read_text()
    except FileNotFoundError:
        return False
    alive = any(running(layout, part.name) for part in parts(layout))
    bridges = all(has_link(node.bridge) for node in NODES)
    return booted == fingerprint(layout) and alive and bridges


def restart(layout: Layout, part: Part) -> bool:
    """Starts a part that died, with its old flags; whether it had to."""
    if running(layout, part.name) is not None:
        return False
    start(layout, part)
    wait_for(layout, part)
    if part.name == "apiserver":
        until(Api(layout).ready, "the API server to be ready", 60)
    return True


def boot(layout: Layout, pod: Path) -> None:
    """From nothing to two ready nodes."""
    layout.state.mkdir(parents=True, mode=0o711)  # pods reach their hostPath folders through it
    remember(layout)
    for folder in ("log", "run", "storage", *(f"{node.name}/cni" for node in NODES)):
        (layout.state / folder).mkdir(parents=True)
    for file, text in settings(layout).items():
        file.write_text(text)
    make_pki(layout)
    prepare(layout)
    first, rest = split(parts(layout))
    for part in first:
        start(layout, part)
    for part in first:
        wait_for(layout, part)
    push_program(pod, PAUSE_IMAGE)
    api = Api(layout)
    until(api.ready, f"the API server to be ready (log: {layout.log('apiserver')})", 60)
    for part in rest:
        start(layout, part)
    for path, manifest in objects.first_objects():
        api.apply(path, manifest)
    for part in rest:
        wait_for(layout, part)
    made_ready(layout)
    keep_images(layout.cache / "images.json", layout.images)
    write(layout.state / BOOTED, fingerprint(layout))


def split(everything: list[Part]) -> tuple[list[Part], list[Part]]:
    """Parts up to the API server, and those that need it."""
    after = [part.name for part in everything].index("apiserver") + 1
    return everything[:after], everything[after:]


def made_ready(layout: Layout, nodes: Sequence[Node] = NODES) -> None:
    """Waits until the nodes are Ready and offer their fake accelerators, which are written into their status here."""
    api = Api(layout)

    def done(name: str) -> bool:
        node = api.node(name)
        if node is None:
            return False
        if not objects.offers(node):
            api.merge(f"/api/v1/nodes/{name}", objects.fake_note())
            api.merge(f"/api/v1/nodes/{name}/status", objects.fake_capacity())
        return objects.ready(node)

    for node in nodes:
        until(partial(done, node.name), f"{node.name} to be Ready", 60)
    numbers = ", ".join(f"{name}: {count}" for name, count in FAKE_ACCELERATORS.items())
    names = " and ".join(node.name for node in nodes)
    print(f"Ready: {names}; fake accelerators on each (numbers in its status, no device): {numbers}")


def start_part(layout: Layout, name: str) -> int:
    """Starts one part again as it was; a kubelet's node is Ready after it. KeyError: never started."""
    with locked(layout.state):
        restart(layout, recorded(layout, name))
    for node in NODES:
        if name == f"kubelet-{node.name}":
            made_ready(layout, [node])
    pid = running(layout, name)
    if pid is None:
        raise SystemExit(f"error: {name} ended again at once (log: {layout.log(name)})")
    return pid


def down(*, everything: bool = False) -> None:
    """Leaves nothing but the caches; with `everything` not even them."""
    layout = layout_of()
    with locked(layout.state):
        clear(layout)
        if everything:
            shutil.rmtree(layout.cache, ignore_errors=True)


def clear(layout: Layout) -> None:
    """Sweeps; the list of built images stays beside the registry that holds them."""
    keep_images(layout.images, layout.cache / "images.json")
    sweep(layout)


def keep_images(source: Path, target: Path) -> None:
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target, source.read_text())
