from __future__ import annotations

from pathlib import Path

import pytest

from launcher.backends import Address, choice
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
def test_kubernetes_when_asked_for(flag: str | None, environ: dict[str, str], tmp_path: Path) -> None:
    chosen = choice.choose(flag, environ, tmp_path)
    assert (chosen.name, chosen.asked) == ("kubernetes", True)


@pytest.mark.parametrize("named", [{"namespace": "lab"}, {"context": "lab"}])
def test_who_names_a_namespace_or_context_means_a_cluster(named: dict[str, str], tmp_path: Path) -> None:
    (flag,) = named
    assert choice.choose(None, {}, tmp_path, **named) == choice.Choice("kubernetes", f"flag --{flag}", asked=True)
    with pytest.raises(UsageError, match=f"flag --{flag} is for a cluster, but flag --backend says local"):
        choice.choose("local", {}, tmp_path, **named)


def test_nothing_found(tmp_path: Path) -> None:
    chosen = choice.choose(None, {}, tmp_path)
    assert (chosen.name, chosen.asked) == ("local", False)
    assert chosen.why == "no kubeconfig context and no service account found"


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\ncurrent-context: 'lab'\ncontexts: []\n",
        "current-context: lab # the one",
        '{\n "kind": "Config",\n "current-context": "lab"\n}',
        '{"kind":"Config","current-context":"lab"}',
    ],
)
def test_a_cluster_that_is_only_found_is_named(text: str, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, text)
    assert choice.choose(None, {}, tmp_path) == choice.Choice(
        "kubernetes", f"{file} names the context 'lab'", asked=False
    )


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


def test_places(tmp_path: Path) -> None:
    local = choice.place(Address("local", tmp_path))
    assert (local.here, local.base, local.sections) == (True, None, ())
    cluster = choice.place(Address("kubernetes", tmp_path, namespace="lab"))
    assert (cluster.here, cluster.sections) == (False, ("kubernetes",))
    assert cluster.defaults["kubernetes.namespace"] == ("lab", "flag --namespace")
    assert cluster.defaults["storage"][0] == "/storage"


def test_the_namespace_of_a_run_is_the_contexts_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = "contexts: [{name: lab, context: {namespace: faces}}]\ncurrent-context: lab\n"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, context)))
    place = choice.place(Address("kubernetes", tmp_path))
    assert place.defaults["kubernetes.namespace"] == ("faces", "context lab")
    with pytest.raises(BackendError, match=r'context "lap" does not exist in .* it has lab'):
        choice.place(Address("kubernetes", tmp_path, context="lap"))


def test_open_backend(tmp_path: Path) -> None:
    backend = choice.open_backend(Address("local", tmp_path))
    assert (backend.name, backend.where) == ("local", str(tmp_path))
