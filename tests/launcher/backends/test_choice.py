from __future__ import annotations

from pathlib import Path

import pytest

from launcher.backends import choice
from launcher.errors import BackendError, UsageError


def kubeconfig(folder: Path, text: str) -> Path:
    path = folder / ".kube" / "config"
    path.parent.mkdir()
    path.write_text(text)
    return path


def test_flag_wins_over_environment(tmp_path: Path) -> None:
    chosen = choice.choose("local", {"LAUNCHER_BACKEND": "kubernetes"}, tmp_path)
    assert chosen == choice.Choice("local", "flag --backend", asked=True)


def test_environment(tmp_path: Path) -> None:
    assert choice.choose(None, {"LAUNCHER_BACKEND": "local"}, tmp_path).asked


def test_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"LAUNCHER_BACKEND must be one of kubernetes, local, not 'locale'.*'local'"):
        choice.choose(None, {"LAUNCHER_BACKEND": "locale"}, tmp_path)


@pytest.mark.parametrize(("flag", "environ"), [("kubernetes", {}), (None, {"LAUNCHER_BACKEND": "kubernetes"})])
def test_kubernetes_when_asked_for_is_refused(flag: str | None, environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"kubernetes backend .* not part of this version; use --backend local"):
        choice.choose(flag, environ, tmp_path)


def test_nothing_found(tmp_path: Path) -> None:
    chosen = choice.choose(None, {}, tmp_path)
    assert (chosen.name, chosen.asked) == ("local", False)
    assert chosen.why == "no kubeconfig context and no service account found"


def test_a_cluster_that_is_only_found_is_named(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "apiVersion: v1\ncurrent-context: 'lab'\ncontexts: []\n")
    chosen = choice.choose(None, {}, tmp_path)
    assert chosen.name == "local"
    assert f"{file} names the context 'lab'" in chosen.why


@pytest.mark.parametrize("text", ["", "current-context: ''\n", "current-context:\n", "  current-context: x\n"])
def test_kubeconfig_without_a_context(text: str, tmp_path: Path) -> None:
    kubeconfig(tmp_path, text)
    assert choice.find_cluster({}, tmp_path) == ""


def test_kubeconfig_variable_hides_the_home_folders(tmp_path: Path) -> None:
    kubeconfig(tmp_path, "current-context: home\n")
    other = tmp_path / "other"
    other.write_text("current-context: work\n")
    assert "'work'" in choice.find_cluster({"KUBECONFIG": f"/nowhere:{other}"}, tmp_path)
    assert choice.find_cluster({"KUBECONFIG": "/nowhere"}, tmp_path) == ""


def test_service_account(tmp_path: Path) -> None:
    token = tmp_path / "token"
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert choice.find_cluster(environ, tmp_path, token) == ""
    token.write_text("x")
    assert "service account" in choice.find_cluster(environ, tmp_path, token)


def test_open_backend_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="not part of this version"):
        choice.open_backend("kubernetes", tmp_path)
