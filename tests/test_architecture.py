"""The rules of the house that a reader relies on, held by the import graph itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("runfolder", "launcher", "sphereface")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
THIRD_PARTY = {"mindspore", "cv2", "kubernetes", "numpy", "yaml", "jinja2", "tqdm", "argcomplete"}
MAX_MODULE = 330
MAX_FUNCTION = 60
MAX_ENTRY_POINT = 80

ROOMS = {
    # The launcher's rooms and what each may import of the launcher (design: spec -> render -> submit -> observe).
    "launcher.errors": set(),
    "launcher.names": set(),
    "launcher.kubernetes_values": set(),
    "launcher.spec": {"names", "errors"},
    "launcher.profiles": {"spec", "names", "kubernetes_values", "environment", "ascend", "states", "errors"},
    "launcher.environment": set(),
    "launcher.exports": {"spec", "profiles", "errors"},
    "launcher.infer310": {"spec", "profiles"},
    "launcher.plan": {"spec", "profiles", "exports", "infer310", "names", "errors"},
    "launcher.templates": {"errors"},
    "launcher.render": {"plan", "spec", "profiles", "names", "kubernetes_values", "templates", "ascend", "errors"},
    "launcher.podsecurity": set(),
    "launcher.facts": set(),
    "launcher.ascend": set(),
    "launcher.states": {"errors"},
    "launcher.status": {"states"},
    "launcher.chain": {"plan", "states", "facts"},
}


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names that a module imports; `TYPE_CHECKING` blocks do not count."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_are_modules_to_judge() -> None:
    assert len(MODULES) > 30


@pytest.mark.parametrize("name", MODULES)
def test_packages_keep_apart(name: str) -> None:
    """launcher and sphereface meet in argv, environment and files; runfolder knows neither."""
    allowed = {"runfolder": {"runfolder"}}.get(name.split(".")[0], {name.split(".")[0], "runfolder"})
    ours = {imported.split(".")[0] for imported in imports(MODULES[name])} & set(PACKAGES)
    assert ours <= allowed


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_of_the_launcher_looks_only_downwards(name: str) -> None:
    seen = {
        imported.split(".")[1]
        for imported in imports(MODULES[name])
        if imported.startswith("launcher.") and imported.count(".") == 1
    }
    assert seen <= ROOMS[name]


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_readable(name: str) -> None:
    text = MODULES[name].read_text()
    assert len(text.splitlines()) <= (MAX_ENTRY_POINT if name.endswith(".cli") else MAX_MODULE)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{name}.{node.name} has {length} lines"


@pytest.mark.parametrize("name", MODULES)
def test_names_say_what_a_module_holds(name: str) -> None:
    assert not re.search(r"\b(utils?|common|helpers?|misc|managers?)\b", name)
    assert not re.search(r"class \w*(Manager|Helper)\b", MODULES[name].read_text())


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[name].read_text()))


@pytest.mark.parametrize("package", ["launcher.cli", "sphereface.cli", "launcher.plan", "launcher.chain"])
def test_starting_pulls_in_nothing_heavy(package: str) -> None:
    program = f"import sys, {package}; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = THIRD_PARTY - ({"yaml"} if package in ("launcher.plan", "launcher.chain") else set())
    assert {module.split(".")[0] for module in loaded} & heavy == set()


def test_a_backend_has_five_methods() -> None:
    tree = ast.parse(MODULES["launcher.backends"].read_text())
    protocol = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Backend")
    methods = [node.name for node in protocol.body if isinstance(node, ast.FunctionDef)]
    assert methods == ["submit", "observe", "logs", "cancel", "delete"]


def test_every_configuration_key_is_read_somewhere() -> None:
    from sphereface.config import KEYS

    elsewhere = "\n".join(path.read_text() for name, path in MODULES.items() if name.startswith("sphereface."))
    fixed = {"image_size"}  # its pattern leaves one value, and who gives another is told
    unread = [key for key in KEYS if not re.search(rf"\b(config|self|settings)\.{key}\b", elsewhere)]
    assert set(unread) == fixed


def test_no_mock_patch_of_our_own_code() -> None:
    patched = [str(path) for path in (ROOT / "tests").rglob("*.py") if "mock" + ".patch" in path.read_text()]
    assert patched == []
