"""Fixtures of the cluster tests: where the cluster is, kubectl, a fresh namespace, the image, process control."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.access import Kubectl, Namespace, fresh_namespace
from tests.cluster.boot import layout_of
from tests.cluster.control import Control
from tests.cluster.layout import Layout
from tests.cluster.runs import Lab, laboratory

IMAGES = {"cpu": "SEED_TEST_IMAGE", "infer310": "SEED_TEST_INFER310_IMAGE"}
"""Environment: our images as another cluster can pull them."""


def give_up(request: pytest.FixtureRequest, reason: str) -> None:
    """Fails where cluster tests were asked for (`-m cluster`), skips elsewhere."""
    wanted = request.config.getoption("markexpr")
    if "cluster" in wanted and "not cluster" not in wanted:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def layout() -> Layout:
    return layout_of()


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest, layout: Layout) -> Path:
    """KUBECONFIG where it is set (kind, k3s, …), else the test cluster's."""
    path = Path(os.environ.get("KUBECONFIG") or layout.kubeconfig)
    if not path.exists():
        give_up(request, f"no cluster: {path} does not exist; `make cluster` boots one")
    if shutil.which("kubectl") is None:
        give_up(request, "no `kubectl` on PATH: the cluster tests need version 1.23 or later")
    answer = Kubectl(path).run("get", "--raw", "/readyz", "--request-timeout=10s")
    if answer.returncode:
        give_up(request, f"no cluster answers at {path}: {answer.stderr.strip()}; `make cluster` mends or boots one")
    return path


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path) -> Kubectl:
    return Kubectl(kubeconfig)


@pytest.fixture(scope="session")
def own(kubeconfig: Path, layout: Layout) -> bool:
    """Whether the cluster is the one that `make cluster` boots."""
    return kubeconfig.resolve() == layout.kubeconfig.resolve()


@pytest.fixture
def namespace(request: pytest.FixtureRequest, kubectl: Kubectl, layout: Layout, own: bool) -> Iterator[Namespace]:
    """Fresh, Pod Security `restricted` enforced, claim `sphereface` bound; removed afterwards."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:30].strip("-")
    name = f"t-{words}-{uuid.uuid4().hex[:6]}"
    with fresh_namespace(kubectl, name, layout.storage / name if own else None) as made:
        yield made


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, layout: Layout) -> str:
    """The cpu image, by digest."""
    return image_of(request, layout, "cpu")


@pytest.fixture(scope="session")
def infer310_image(request: pytest.FixtureRequest, layout: Layout) -> str:
    """The cpu image with the C++ programs, by digest."""
    return image_of(request, layout, "infer310")


def image_of(request: pytest.FixtureRequest, layout: Layout, target: str) -> str:
    if IMAGES[target] in os.environ:
        return os.environ[IMAGES[target]]
    try:
        return str(json.loads(layout.images.read_text())[target])
    except (FileNotFoundError, KeyError):
        give_up(request, f"no {target} image is named in {layout.images}: `make images` builds and pushes it")
        raise


@pytest.fixture
def cluster(request: pytest.FixtureRequest, layout: Layout, own: bool) -> Iterator[Control]:
    """Kills and restarts parts of the test cluster; afterwards every part runs again."""
    if not own:
        pytest.skip("parts can be killed only on the test cluster that `make cluster` boots")
    control = Control(layout)
    control.mend()
    yield control
    control.mend()


@pytest.fixture(scope="module")
def lab(
    kubectl: Kubectl, image: str, layout: Layout, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """Runs of tiny stages in a namespace of their own, the same for all tests of a module."""
    with laboratory(kubectl, image, layout.storage if own else None, tmp_path_factory.mktemp("lab")) as made:
        yield made
