from __future__ import annotations

import base64
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from launcher.backends.kubernetes import credentials
from launcher.backends.kubernetes.credentials import Credentials, load
from launcher.errors import BackendError

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
DATA = base64.b64encode(PEM.encode()).decode()


def kubeconfig(folder: Path, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None) -> Path:
    file = folder / "kubeconfig"
    value = {
        "current-context": "lab",
        "contexts": [
            {"name": "lab", "context": {"cluster": "c", "user": "me", "namespace": "faces"}},
            {"name": "prod", "context": {"cluster": "c", "user": "me"}},
            {"name": "odd", "context": {"cluster": "gone", "user": "me"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", **(cluster or {})}}],
        "users": [{"name": "me", "user": user or {}}],
    }
    file.write_text(json.dumps(value))
    return file


def loaded(file: Path, context: str = "", **environ: str) -> Credentials:
    return load(context, {"KUBECONFIG": str(file), **environ}, file.parent)


def test_token_and_authority(tmp_path: Path) -> None:
    who = loaded(kubeconfig(tmp_path, {"token": "t"}, {"certificate-authority-data": DATA, "tls-server-name": "api"}))
    assert (who.server, who.namespace, who.ca, who.server_name) == ("https://10.0.0.1:6443", "faces", PEM, "api")
    assert who.authorization(False) == "Bearer t"
    assert who.origin == f"context 'lab' of {tmp_path}/kubeconfig"
    assert "Bearer" not in repr(who)
    assert PEM[:10] not in repr(who)


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(f"{PEM}{name}")
    user = {"client-certificate": "cert", "client-key": "key"}
    who = loaded(kubeconfig(tmp_path, user, {"certificate-authority": str(tmp_path / "ca"), "proxy-url": "http://p:1"}))
    assert (who.ca, who.certificate, who.key) == (f"{PEM}ca", f"{PEM}cert", f"{PEM}key")
    assert who.authorization(False) == ""
    assert who.proxy == "http://p:1"


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    who = loaded(kubeconfig(tmp_path, {"tokenFile": "token"}))
    assert who.authorization(False) == "Bearer one"
    token.write_text("two\n")
    assert who.authorization(False) == "Bearer two"
    token.unlink()
    with pytest.raises(BackendError, match=r"token .* cannot be read: No such file"):
        who.authorization(False)


def test_name_and_password_and_other_person(tmp_path: Path) -> None:
    who = loaded(kubeconfig(tmp_path, {"username": "u", "password": "p", "as": "eve"}))
    assert who.authorization(False) == "Basic dTpw"
    assert who.headers == {"Impersonate-User": "eve"}


def test_insecure(tmp_path: Path) -> None:
    assert loaded(kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True})).insecure


def test_of_two_files_the_first_is_right(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path)
    second = tmp_path / "second"
    second.write_text(
        textwrap.dedent("""\
        current-context: other
        contexts:
        - {name: lab, context: {cluster: c, namespace: wrong}}
        - {name: other, context: {cluster: d}}
        clusters: [{name: d, cluster: {server: 'https://d'}}]
        """)
    )
    both = Path(f"{tmp_path}/nowhere:{first}:{second}")
    assert loaded(both).namespace == "faces"
    other = loaded(both, "other")
    assert (other.server, other.namespace) == ("https://d", "default")


def test_home_without_the_variable(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path).rename(tmp_path / ".kube" / "config")
    assert load("", {}, tmp_path).namespace == "faces"


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ("lap", "context \"lap\" does not exist in {file}; it has lab, prod, odd (did you mean 'lab'?)"),
        ("odd", "context \"odd\" of {file} is for the cluster 'gone', which has no server there"),
    ],
)
def test_a_context_that_is_not_there(context: str, sentence: str, tmp_path: Path) -> None:
    file = kubeconfig(tmp_path)
    with pytest.raises(BackendError) as refused:
        loaded(file, context)
    assert str(refused.value).startswith(sentence.format(file=file))
    assert refused.value.exit_code == 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "not valid YAML"),
        ("[1]", "not a kubeconfig"),
        ("contexts: 5", "not a kubeconfig"),
        ("users: [x]", "not a kubeconfig"),
    ],
)
def test_a_file_that_is_no_kubeconfig(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(BackendError) as refused:
        loaded(file)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("cluster", "sentence"),
    [
        ({"certificate-authority": "gone.pem"}, "certificate-authority names gone.pem, which cannot be read: No such"),
        ({"certificate-authority-data": "%%"}, "certificate-authority-data is not base64"),
    ],
)
def test_an_authority_that_cannot_be_read(cluster: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=sentence):
        loaded(kubeconfig(tmp_path, cluster=cluster))


def test_no_cluster_at_all(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no cluster is known: .*/.kube/config has no current context; set KUBECON"):
        load("", {}, tmp_path, tmp_path)
    file = kubeconfig(tmp_path)
    file.write_text(file.read_text().replace('"current-context": "lab", ', ""))
    with pytest.raises(BackendError, match="choose one with --context: lab, prod, odd"):
        loaded(file)


# In a pod.


def test_service_account(tmp_path: Path) -> None:
    for name, content in (("token", "t"), ("ca.crt", PEM), ("namespace", "faces")):
        (tmp_path / name).write_text(content)
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    who = load("", environ, tmp_path, tmp_path)
    assert (who.server, who.namespace, who.authorization(False)) == ("https://10.0.0.1:443", "faces", "Bearer t")
    (tmp_path / "token").write_text("renewed")
    assert who.authorization(False) == "Bearer renewed"
    assert (
        load("", {**environ, "KUBERNETES_SERVICE_HOST": "fd00::1"}, tmp_path, tmp_path).server
        == "https://[fd00::1]:443"
    )
    assert credentials.default_namespace("", environ, tmp_path, tmp_path) == ("faces", "service account of this pod")


def test_default_namespaces(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": str(kubeconfig(tmp_path, {"exec": {"command": "must-not-be-started"}}))}
    assert credentials.default_namespace("", environ, tmp_path) == ("faces", "context lab")
    assert credentials.default_namespace("prod", environ, tmp_path) == ("default", "context prod")
    assert credentials.default_namespace("", {}, tmp_path, tmp_path) == ("default", "default")


# Credentials that a program gives.


def program(folder: Path, status: dict[str, Any] | None, text: str = "") -> dict[str, Any]:
    """A plugin that counts its calls in a file."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    script = folder / "plugin"
    body = f"echo '{text}' >&2; exit 3" if status is None else f"cat <<'END'\n{json.dumps(answer)}\nEND"
    script.write_text(f"#!/bin/sh\necho x >> {folder}/calls\n{body}\n")
    script.chmod(0o755)
    return {"exec": {"apiVersion": answer["apiVersion"], "command": str(script), "args": None, "env": None}}


def test_a_program_gives_a_token(tmp_path: Path) -> None:
    who = loaded(kubeconfig(tmp_path, program(tmp_path, {"token": "t"})))
    assert [who.authorization(False), who.authorization(False)] == ["Bearer t"] * 2
    assert (tmp_path / "calls").read_text().count("x") == 1
    assert who.authorization(True) == "Bearer t"
    assert (tmp_path / "calls").read_text().count("x") == 2


def test_a_token_is_asked_for_again_when_it_ends(tmp_path: Path) -> None:
    ended = program(tmp_path, {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"})
    who = loaded(kubeconfig(tmp_path, ended))
    who.authorization(False)
    assert (tmp_path / "calls").read_text().count("x") == 2


def test_a_program_gives_a_certificate(tmp_path: Path) -> None:
    given = program(tmp_path, {"clientCertificateData": PEM, "clientKeyData": "key"})
    who = loaded(kubeconfig(tmp_path, given))
    assert (who.certificate, who.key, who.authorization(False)) == (PEM, "key", "")


@pytest.mark.parametrize(
    ("status", "sentence"), [(None, "gave no credentials: .*not logged in.*; log in again"), ({}, "gave neither")]
)
def test_a_program_that_gives_nothing(status: dict[str, Any] | None, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=sentence) as refused:
        loaded(kubeconfig(tmp_path, program(tmp_path, status, "not logged in")))
    assert "\n" not in str(refused.value)


def test_a_program_that_is_not_here(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    with pytest.raises(BackendError, match="needs the program 'no-such-plugin', which is not here: install it"):
        loaded(kubeconfig(tmp_path, user))


def test_an_identity_provider(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4_000_000_000, "x": "????"}).encode()).decode().rstrip("=")
    provider = {"name": "oidc", "config": {"id-token": f"aa.{claims}.cc"}}
    assert loaded(kubeconfig(tmp_path, {"auth-provider": provider})).authorization(False).startswith("Bearer aa.")
    with pytest.raises(BackendError, match="the identity provider 'oidc' gave no "):
        loaded(kubeconfig(tmp_path, {"auth-provider": {"name": "oidc", "config": {"id-token": "x"}}}))


# Proxies.


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        ("https://api.lab:6443", {}, ""),
        ("https://api.lab:6443", {"HTTPS_PROXY": "http://p"}, "http://p"),
        ("http://api.lab:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://localhost:6443", {"https_proxy": "http://p"}, ""),
        ("https://api.lab", {"HTTPS_PROXY": "http://p", "NO_PROXY": "x, .lab"}, ""),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p", "no_proxy": "10.0.0.0/8"}, ""),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p", "no_proxy": "10.0.0.0/8,api/x"}, "http://p"),
        ("https://api.lab", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, ""),
    ],
)
def test_the_environments_proxy(server: str, environ: dict[str, str], proxy: str) -> None:
    assert credentials.environment_proxy(server, environ) == proxy
