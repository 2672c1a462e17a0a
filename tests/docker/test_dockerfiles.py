"""Rules that every Dockerfile keeps; hadolint, where it is installed, judges the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docker import build
from tools import infer310

FOLDER = build.ROOT / "docker"
TARGETS = ("cpu", "ascend", "gpu")
"""Images of a base that is not ours; docker/infer310 stands on one of these."""
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
    assert sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile")) == sorted((*TARGETS, "infer310"))


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
    """Else a changed line of code would cost the layers above it as well, and docker/infer310 all of its own."""
    steps = instructions(target)
    runtime, final = steps.index(("FROM", "system AS runtime")), steps.index(("FROM", "runtime"))
    assert [name for name, _ in steps[final:]] == ["FROM", "ARG", "ARG", "LABEL", "COPY"]
    assert steps[-1] == ("COPY", "--from=code /code /opt/venv")
    first = next(arguments for name, arguments in steps[runtime:final] if name == "COPY")
    assert first.startswith("requirements/runtime.lock")
    assert not any("code" in arguments for name, arguments in steps[runtime:final] if name in ("COPY", "RUN"))


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


def final_steps_of_infer310() -> list[tuple[str, str]]:
    steps = instructions("infer310")
    return steps[steps.index(("FROM", "${BASE}")) :]


def test_infer310_stands_on_arguments_alone() -> None:
    steps = instructions("infer310")
    bases = [arguments.split(" AS ")[0] for name, arguments in steps if name == "FROM"]
    assert steps[:2] == [("ARG", "SYSTEM"), ("ARG", "BASE")]
    assert bases == ["${SYSTEM}", "lite", "${BASE}"]
    assert not re.search(r"\b(ADD|curl|wget)\b|https?://|:latest\b", text("infer310"))


def test_infer310_is_root_for_its_packages_alone_and_keeps_no_setuid_bit() -> None:
    final = final_steps_of_infer310()
    assert [arguments for name, arguments in final if name == "USER"] == ["0:0", "10001:10001"]
    assert [name for name, _ in final[-2:]] == ["USER", "LABEL"]
    (install,) = (arguments for name, arguments in final if name == "RUN")
    assert "find / -xdev -type f -perm /6000 -exec chmod a-s {} +" in install


def test_infer310_takes_no_compiler_along_and_what_changes_most_comes_last() -> None:
    final = final_steps_of_infer310()
    copied = [arguments for name, arguments in final if name == "COPY"]
    assert copied == ["--from=lite /opt/lite/lib /opt/lite/lib", "--from=programs /programs/bin /usr/local/bin"]
    assert not any(re.search(r"g\+\+|cmake|python3-venv|-dev\b", arguments) for _, arguments in final)


def test_infer310_fetches_mindspore_lite_as_make_infer310_does() -> None:
    (download,) = (a for name, a in instructions("infer310") if name == "RUN" and "pip download" in a)
    for flag in ("--require-hashes", "--no-deps", "--only-binary=:all:", " ".join(infer310.WHEEL)):
        assert flag in " ".join(download.split())
    assert "lite.lock" in download
    assert infer310.LOCK.name == "lite.lock"


def test_infer310_installs_what_make_infer310_does() -> None:
    compile_ = next(a for n, a in instructions("infer310") if n == "RUN" and "nlohmann" in a)
    assert set(infer310.PACKAGES.values()) <= set(compile_.split())


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
@pytest.mark.parametrize("target", [*TARGETS, "infer310"])
def test_hadolint_finds_nothing(target: str) -> None:
    assert HADOLINT is not None
    judged = subprocess.run([HADOLINT, str(FOLDER / target / "Dockerfile")], capture_output=True, text=True)
    assert (judged.returncode, judged.stdout) == (0, "")


def test_the_context_of_infer310_is_what_its_own_dockerignore_lets_through() -> None:
    lines = (FOLDER / "infer310" / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines == ["*", *(f"!{name}" for name in build.PROGRAMS_CONTEXT)]


def test_the_context_is_what_dockerignore_lets_through() -> None:
    lines = (build.ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert allowed == set(build.CONTEXT)
