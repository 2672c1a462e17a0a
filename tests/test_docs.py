"""The documents are executed: the README's commands run for real, and every page's links and files exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
MINUTES = 15


def tracked() -> list[str]:
    """Files of the checkout, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def commands() -> list[str]:
    """Lines that begin with `$ ` in the README's console blocks, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout whose .venv is the one that runs the tests."""
    copy = tmp_path_factory.mktemp("readme") / "seed"
    for name in tracked():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    (copy / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    return copy


def test_the_readme_shows_the_two_commands_and_what_to_do_with_a_run() -> None:
    shown = commands()
    assert shown[0] == "make demo"
    assert "make test" in shown
    assert {"status", "logs", "list", "delete"} <= {line.split()[1] for line in shown if line.startswith("launcher ")}


@pytest.mark.timeout(MINUTES * 60)
def test_the_commands_of_the_readme_run(checkout: Path) -> None:
    """All of them in order, from `make demo` on; `make test` is what runs this."""
    environment = {**os.environ, "PATH": f"{checkout}/.venv/bin:{os.environ['PATH']}", "PYTHONPATH": str(checkout)}
    environment.pop("LAUNCHER_STORAGE", None)
    outputs = {}
    for command in commands():
        if command == "make test":
            continue
        # The installed environment counts as up to date, whatever the copy's time stamps say.
        words = command.replace("make demo", "make --assume-old=.venv/bin/launcher demo")
        ended = subprocess.run(
            ["bash", "-c", words], cwd=checkout, env=environment, capture_output=True, text=True,
            timeout=MINUTES * 60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"{command}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        outputs[command] = ended.stdout
    accuracy = re.search(r"LFWACC=(0\.\d{4}) std=\d\.\d{4} thd=-?\d\.\d{4}", outputs["make demo"])
    assert accuracy, outputs["make demo"]
    assert float(accuracy[1]) >= 0.93
    assert "sphereface.mindir" in outputs["make demo"]
    assert "Succeeded" in outputs["launcher status demo"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for name in re.findall(
        r"`((?:configs|docs|benchmarks|examples|tests|tools|launcher|sphereface|runfolder)/[\w./-]+)`", text
    ):
        if "*" not in name:
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", [name for name in tracked() if name.endswith((".yaml", ".yml"))])
def test_every_shipped_yaml_is_parsed(name: str) -> None:
    documents = list(yaml.safe_load_all((ROOT / name).read_text()))
    assert documents
    assert all(isinstance(document, dict) for document in documents)


def test_locks_name_no_addresses() -> None:
    locks = list((ROOT / "requirements").glob("*.lock")) + list((ROOT / "benchmarks").glob("*.lock"))
    assert len(locks) >= 3
    for lock in locks:
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?:|--(extra-)?index-url|--find-links", text)
