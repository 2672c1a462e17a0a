"""Rules that every Dockerfile keeps; hadolint, where it is installed, judges the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docker import build

FOLDER = build.ROOT / "docker"
TARGETS = ("cpu", "ascend", "gpu")
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}") or shutil.which("hadolint")


def text(target: str) -> str:
    return (FOLDER / target / "Dockerfile").read_text()


def instructions(target: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, arguments) in their order, with continued lines joined and comments left out."""
    lines = [line for line in text(target).splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, arguments) for name, arguments in pairs]


def test_each_folder_is_a_target() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile")) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_the_base_is_an_argument_without_a_default(target: str) -> None:
    steps = instructions(target)
    stages = {arguments.split(" AS ")[1] for name, arguments in steps if name == "FROM" and " AS " in arguments}
    bases = {arguments.split(" AS ")[0] for name, arguments in steps if name == "FROM"}
    assert steps[0] == ("ARG", "BASE")
    assert bases - stages == {"${BASE}"}
    assert not re.search(r":latest\b", text(target))


@pytest.mark.parametrize("target", TARGETS)
def test_the_last_user_is_a_number_and_not_root(target: str) -> None:
    users = [arguments for name, arguments in instructions(target) if name == "USER"]
    assert users == ["10001:10001"], "Kubernetes' runAsNonRoot can only judge a number"


@pytest.mark.parametrize("target", TARGETS)
def test_no_program_keeps_a_setuid_bit(target: str) -> None:
    """The base's own are in every stage: they have to go in the first."""
    first = next(arguments for name, arguments in instructions(target) if name == "RUN")
    assert "find / -xdev -type f -perm /6000 -exec chmod a-s {} +" in first


@pytest.mark.parametrize("target", TARGETS)
def test_packages_come_from_locks_by_hash(target: str) -> None:
    runs = [arguments for name, arguments in instructions(target) if name == "RUN"]
    installs = [part for run in runs for part in run.split("&&") if re.search(r"\bpip\b.* install\b", part)]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
    assert not re.search(r"\b(ADD|curl|wget)\b|https?://", text(target))


@pytest.mark.parametrize("target", TARGETS)
def test_code_is_the_last_layer(target: str) -> None:
    """Else a changed line of code would cost the layers above it as well."""
    steps = instructions(target)
    assert steps[-1] == ("COPY", "--from=code /code /opt/venv")
    final = steps[max(i for i, step in enumerate(steps) if step[0] == "FROM") :]
    first = next(arguments for name, arguments in final if name == "COPY")
    assert first.startswith("requirements/runtime.lock")


@pytest.mark.parametrize("target", TARGETS)
def test_there_is_one_entry_point(target: str) -> None:
    assert ("ENTRYPOINT", '["/usr/local/bin/entrypoint"]') in instructions(target)
    assert ("COPY", "docker/entrypoint /usr/local/bin/") in instructions(target)


@pytest.mark.parametrize("target", ["ascend", "gpu"])
def test_what_is_not_built_here_says_so_and_takes_the_steps_of_what_is(target: str) -> None:
    assert "Not built here" in text(target)

    def steps(of: str) -> list[tuple[str, str]]:
        own = instructions(of)
        last = own[own.index(("FROM", "tools AS code")) :]
        names = {"cpu": "CPU", "ascend": "Ascend", "gpu": "GPU"}
        return [(n, a.replace(f"--target {of}", "").replace(f"({names[of]})", "")) for n, a in last]

    def plain(of: str) -> list[tuple[str, str]]:
        return [(name, arguments.replace(" --system-site-packages", "")) for name, arguments in steps(of)]

    assert plain(target) == plain("cpu")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_hadolint_finds_nothing(target: str) -> None:
    assert HADOLINT is not None
    judged = subprocess.run([HADOLINT, str(FOLDER / target / "Dockerfile")], capture_output=True, text=True)
    assert (judged.returncode, judged.stdout) == (0, "")


def test_the_context_is_what_dockerignore_lets_through() -> None:
    lines = (build.ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert allowed == set(build.CONTEXT)
