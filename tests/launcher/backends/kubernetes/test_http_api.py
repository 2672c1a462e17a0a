from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from launcher.backends.kubernetes import api_errors
from launcher.backends.kubernetes.api import METADATA_LIST, pages
from launcher.backends.kubernetes.credentials import Credentials
from launcher.backends.kubernetes.http_api import HttpApi
from launcher.errors import ApiError, BackendError, Unreachable
from tests.launcher.backends.kubernetes.fake_server import Answer, Call, FakeServer, serving

ORIGIN = "context 'lab' of /home/me/.kube/config"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as server:
        yield server


class Waiting:
    """A clock that jumps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def api(server: FakeServer, waiting: Waiting) -> HttpApi:
    who = Credentials(server.url, "lab", ORIGIN, authorization=lambda fresh: "Bearer new" if fresh else "Bearer old")
    return HttpApi(who, clock=waiting.clock, sleep=waiting.sleep)


def refusal(code: int, message: str, reason: str = "", **details: Any) -> Answer:
    body = {"kind": "Status", "code": code, "message": message, "reason": reason, "details": details}
    return Answer(code, body)


# Asking.


def test_a_get(api: HttpApi, server: FakeServer) -> None:
    server.answers = [Answer(body={"kind": "Job"})]
    assert api.get("jobs", "demo-runner") == {"kind": "Job"}
    (call,) = server.calls
    assert (call.method, call.path) == ("GET", "/apis/batch/v1/namespaces/lab/jobs/demo-runner")
    assert call.headers["Authorization"] == "Bearer old"
    assert call.headers["User-Agent"].startswith("launcher/")


def test_every_write_is_validated_strictly(api: HttpApi, server: FakeServer) -> None:
    api.create("configmaps", {"a": 1})
    api.patch("configmaps", "x", {"b": None})
    create, patch = server.calls
    for call in server.calls:
        assert "fieldValidation=Strict" in call.path
    assert (create.headers["Content-Type"], create.body) == ("application/json", {"a": 1})
    assert (patch.headers["Content-Type"], patch.body) == ("application/merge-patch+json", {"b": None})


def test_to_delete_what_is_not_there_is_nothing(api: HttpApi, server: FakeServer) -> None:
    server.answers = [refusal(404, 'jobs "x" not found', "NotFound")]
    api.delete("jobs", "x")
    assert server.calls[0].path.endswith("/jobs/x?propagationPolicy=Background")


def test_a_name_cannot_leave_its_path(api: HttpApi, server: FakeServer) -> None:
    api.get("configmaps", "../secrets/x?y")
    assert server.calls[0].path == "/api/v1/namespaces/lab/configmaps/..%2Fsecrets%2Fx%3Fy"


# Lists.


def named(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name, "uid": name}} for name in names]


def test_a_list_is_read_page_by_page(api: HttpApi, server: FakeServer) -> None:
    server.answers = [
        Answer(body={"metadata": {"continue": "t1"}, "items": named("a", "b")}),
        Answer(body={"metadata": {}, "items": named("c")}),
    ]
    found = [item["metadata"]["name"] for item in api.list("pods", labels="x=y")]
    assert found == ["a", "b", "c"]
    first, second = (call.path for call in server.calls)
    assert first.endswith("/pods?labelSelector=x%3Dy&limit=500")
    assert "continue=t1" in second


def test_a_list_that_the_server_forgot_begins_anew_and_gives_nothing_twice(api: HttpApi, server: FakeServer) -> None:
    server.answers = [
        Answer(body={"metadata": {"continue": "t1"}, "items": named("a", "b")}),
        refusal(410, "The provided continue parameter is too old", "Expired"),
        Answer(body={"metadata": {"continue": "t2"}, "items": named("a", "b")}),
        Answer(body={"metadata": {}, "items": named("c")}),
    ]
    found = [item["metadata"]["name"] for item in pages(api, "/x", accept=METADATA_LIST)]
    assert found == ["a", "b", "c"]
    assert {call.headers["Accept"] for call in server.calls} == {METADATA_LIST}


# Asking again.


@pytest.mark.parametrize("answer", [Answer(503, b""), Answer(500, b""), Answer(cut=True), Answer(429, b"")])
def test_a_read_is_repeated(answer: Answer, api: HttpApi, server: FakeServer, waiting: Waiting) -> None:
    server.answers = [answer, answer, Answer(body={"ok": 1})]
    assert api.request("GET", "/x") == {"ok": 1}
    assert waiting.pauses == [0.1, 0.2]


def test_retry_after_is_kept(api: HttpApi, server: FakeServer, waiting: Waiting) -> None:
    server.answers = [Answer(429, b"", {"Retry-After": "2"}), Answer(body={"ok": 1})]
    assert api.create("pods", {}) == {"ok": 1}
    assert waiting.pauses == [2.0]


@pytest.mark.parametrize("answer", [Answer(503, b""), Answer(cut=True)])
def test_a_creation_is_repeated_too_for_a_name_is_given_once(answer: Answer, api: HttpApi, server: FakeServer) -> None:
    server.answers = [answer, refusal(409, 'pods "x" already exists', "AlreadyExists")]
    with pytest.raises(ApiError) as refused:
        api.create("pods", {})
    assert refused.value.status == 409


def test_a_creation_that_failed_inside_is_not_repeated(api: HttpApi, server: FakeServer) -> None:
    server.answers = [refusal(500, "Internal error occurred: failed calling webhook")]
    with pytest.raises(ApiError):
        api.create("pods", {})
    assert len(server.calls) == 1


def test_patience_ends(api: HttpApi, server: FakeServer, waiting: Waiting) -> None:
    server.answers = [refusal(503, "etcd is away")]
    with pytest.raises(ApiError, match="could not carry it out \\(503\\): etcd is away; try again") as refused:
        api.get("pods", "x")
    assert refused.value.temporary
    assert 1.0 < sum(waiting.pauses) <= 3.0


def test_nothing_listens(waiting: Waiting) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        api = HttpApi(Credentials(url, "lab", ORIGIN), clock=waiting.clock, sleep=waiting.sleep)
        with pytest.raises(Unreachable) as refused:
            api.create("pods", {})
    assert str(refused.value) == (
        f"the cluster at {url} ({ORIGIN}) cannot be reached: connection refused; is it running, and is this machine "
        "connected to it (network, VPN)? Use --context for another cluster, --backend local for this machine"
    )
    assert waiting.pauses, "what was never sent may be sent again"


def test_a_token_that_was_taken_back_is_renewed_once(api: HttpApi, server: FakeServer) -> None:
    def answer(call: Call) -> Answer:
        return Answer(body={"ok": 1}) if call.headers["Authorization"] == "Bearer new" else refusal(401, "Unauthorized")

    server.answers = [answer]
    assert api.get("pods", "x") == {"ok": 1}
    server.answers = [refusal(401, "Unauthorized")]
    with pytest.raises(ApiError, match="does not accept the credentials of context 'lab'") as refused:
        api.get("pods", "x")
    assert refused.value.status == 401


def test_an_expired_token_says_when_it_ended(server: FakeServer) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_600_000_000}).encode()).decode().rstrip("=")
    server.answers = [refusal(401, "Unauthorized")]
    api = HttpApi(Credentials(server.url, "lab", ORIGIN, authorization=lambda _: f"Bearer a.{claims}.c"))
    with pytest.raises(ApiError, match=r"the token of context 'lab' .* expired at 2020-09-13 12:26:40 UTC"):
        api.get("pods", "x")


# What refusals say.

FORBIDDEN = (
    'jobs.batch is forbidden: User "eve" cannot list resource "jobs" in API group "batch" in the namespace "lab"'
)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refusal(403, FORBIDDEN, "Forbidden"), f"{FORBIDDEN}; ask for the right, or use another account; "),
        (
            refusal(403, 'pods "x" is forbidden: exceeded quota: q', "Forbidden"),
            'pods "x" is forbidden: exceeded quota: q; wait until others have ended, ask for less, or',
        ),
        (
            refusal(403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": hostPath', "Forbidden"),
            "hostPath; the cluster's own rules forbid such an object",
        ),
        (
            refusal(403, "unable to create new content in namespace lab because it is being terminated", "Forbidden"),
            "the namespace is being removed: use another one",
        ),
        (
            refusal(404, 'namespaces "lab" not found', "NotFound", name="lab", kind="namespaces"),
            "the namespace 'lab' does not exist; create it (kubectl create namespace lab)",
        ),
        (refusal(404, 'jobs.batch "x" not found', "NotFound", name="x", kind="jobs"), 'jobs.batch "x" not found'),
        (
            refusal(422, 'Job.batch "x" is invalid: spec.template.spec.containers[0].image: Required value', "Invalid"),
            "spec.template.spec.containers[0].image: Required value",
        ),
        (
            refusal(400, 'strict decoding error: unknown field "spec.paralelism"', "BadRequest"),
            'unknown field "spec.paralelism"',
        ),
        (
            refusal(500, 'Internal error occurred: failed calling webhook "mjob.kb.io": connection refused'),
            "an admission webhook of the cluster does not answer, so that it takes no object of this kind: Internal "
            'error occurred: failed calling webhook "mjob.kb.io": connection refused; tell whoever runs the cluster',
        ),
        (Answer(404, b"<html>\n<h1>nginx</h1>"), "answered 404 and not as a Kubernetes API server does: '<html> <h1>"),
        (Answer(200, b"<html>login"), "answered 200 and not as a Kubernetes API server does: '<html>login'"),
        (Answer(302, b"", {"Location": "http://x/"}), "answered 302 and not as a Kubernetes API server does"),
    ],
)
def test_refusals(answer: Answer, sentence: str, api: HttpApi, server: FakeServer) -> None:
    server.answers = [answer]
    with pytest.raises(ApiError) as refused:
        api.create("jobs", {})
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 4


# Logs.


def test_a_log_comes_line_by_line(api: HttpApi, server: FakeServer) -> None:
    server.answers = [Answer(chunks=(b"one\ntw", b"o\n", "drei € \n".encode(), b"\xff\n"))]
    assert list(api.log("p", {"follow": "true"})) == ["one", "two", "drei € ", "�"]
    assert server.calls[0].path == "/api/v1/namespaces/lab/pods/p/log?follow=true"


def test_a_log_that_is_cut_tells_so_after_its_whole_lines(api: HttpApi, server: FakeServer) -> None:
    server.answers = [Answer(chunks=(b"one\ntwo\nthr",), cut=True)]
    lines = api.log("p", {})
    assert [next(lines), next(lines)] == ["one", "two"]
    with pytest.raises(Unreachable, match="the connection was cut"):
        next(lines)


def test_a_log_that_is_not_there(api: HttpApi, server: FakeServer) -> None:
    server.answers = [refusal(400, 'container "stage" in pod "p" is waiting to start: ContainerCreating', "BadRequest")]
    with pytest.raises(ApiError, match="is waiting to start"):
        list(api.log("p", {}))


# What cannot be used.


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        (Credentials("ftp://x", "lab", ORIGIN), "the server must be https://HOST:PORT, not 'ftp://x'"),
        (Credentials("https://x", "lab", ORIGIN, proxy="socks5://y"), "only http and https proxies can be used"),
        (Credentials("https://x", "lab", ORIGIN, ca="no"), "certificate or key is not valid PEM"),
        (Credentials("https://x", "lab", ORIGIN, certificate="no", key="no"), "certificate or key is not valid PEM"),
    ],
)
def test_credentials_that_are_none(who: Credentials, sentence: str) -> None:
    with pytest.raises(BackendError) as refused:
        HttpApi(who)
    assert str(refused.value).startswith(ORIGIN)
    assert sentence in str(refused.value)


def test_a_silent_server_is_not_waited_for_without_end(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.backends.kubernetes.http_api.READ_S", 0.2)

    def answer(call: Call) -> Answer:
        time.sleep(0.5)  # longer than the client waits
        return Answer(body={})

    server.answers = [answer]
    with pytest.raises(Unreachable, match="no answer in time"):
        HttpApi(Credentials(server.url, "lab", ORIGIN), patience_s=0).get("pods", "x")


def test_a_connection_that_is_cut_in_its_handshake_is_asked_for_again() -> None:
    """A cut connection says nothing of how it is set up; a server that speaks no TLS does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)

        answering = threading.Thread(target=hang_up)
        answering.start()
        with socket.create_connection(server.getsockname()) as plain, pytest.raises(ssl.SSLEOFError) as cut:
            ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        answering.join()
    told = api_errors.unreachable(cut.value, server="https://c", origin="test")
    assert isinstance(told, Unreachable)
    assert told.temporary
    assert "the connection was cut" in str(told)
    spoken = api_errors.unreachable(ssl.SSLError(1, "wrong version number"), server="https://c", origin="test")
    assert not spoken.temporary
    assert "cannot be spoken to over TLS" in str(spoken)
