from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from launcher import cli
from tests.launcher.conftest import Call
from tests.launcher.fake_backend import FakeBackend


def test_no_words_print_the_help(call: Call) -> None:
    outcome = call()
    assert outcome.code == 0
    assert all(verb in outcome.out for verb in cli.VERBS)


def test_version(call: Call) -> None:
    outcome = call("--version")
    assert (outcome.code, outcome.out) == (0, "launcher 0.1.0\n")


@pytest.mark.parametrize("verb", cli.VERBS)
def test_each_verb_has_help_with_a_description_and_examples(verb: str, call: Call) -> None:
    outcome = call(verb, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith(f"usage: launcher {verb}")
    assert "examples:" in outcome.out


@pytest.mark.parametrize(
    ("words", "line", "see"),
    [
        (("sumbit",), "unknown command 'sumbit' (did you mean 'submit'?)", "launcher"),
        (("submit", "--nmae", "x"), "unknown flag --nmae (did you mean '--name'?)", "launcher submit"),
        (("logs",), "the following arguments are required: RUN", "launcher logs"),
        (("status", "a", "b"), "unexpected argument 'b'", "launcher status"),
        (("list", "-o", "xml"), "argument -o/--output: invalid choice: 'xml'", "launcher list"),
        (("logs", "demo", "--tail", "many"), "argument --tail: must be a whole number", "launcher logs"),
        (("submit", "--wait", "--follow"), "argument --follow: not allowed with argument --wait", "launcher submit"),
        (("--verbose",), "unknown flag --verbose", "launcher"),
    ],
)
def test_usage_errors_are_two_lines_and_exit_2(words: tuple[str, ...], line: str, see: str, call: Call) -> None:
    outcome = call(*words)
    assert (outcome.code, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.startswith(f"error: {line}")
    assert second == f"See '{see} --help'."


def test_interrupt_is_130(backend: FakeBackend, call: Call) -> None:
    backend.clock.interrupt_in(3)
    assert call("status", "--watch").code == 130


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys; from launcher.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert "launcher.cli" in loaded
    heavy = {"yaml", "dataclasses", "json", "kubernetes", "tqdm", "argcomplete"}
    heavy |= {"launcher.plan", "launcher.terminal.session"}
    assert not heavy & set(loaded)
    assert not [name for name in loaded if name.startswith("launcher.commands.")]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`launcher --help | true`: no traceback; the exit code is what a shell gives to SIGPIPE."""
    command = f"{sys.executable} -m launcher completion bash | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode in (0, 141)
    assert done.stderr == ""
