"""`Api` over HTTP: one pool of connections, retries of what may be asked twice, lines of a log as they come.

The pool is urllib3's, as in the `kubernetes` package, whose own REST layer cannot be had without its import (0.35 s).
"""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from launcher import __version__
from launcher.backends.kubernetes import api_errors
from launcher.backends.kubernetes.api import JSON, MERGE_PATCH, Object, pages, path_of
from launcher.backends.kubernetes.credentials import Credentials
from launcher.errors import ApiError, BackendError

CONNECT_S = 5.0
READ_S = 30.0
SILENT_S = 60.0
"""A log in which nothing comes for so long may be one whose server is gone: it is ended, and can be asked for anew."""
PATIENCE_S = 3.0
FIRST_PAUSE_S = 0.1
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""A server that is gone without a word is found out after 30 s."""


class HttpApi:
    """Of one namespace. `patience_s`: for so long a call that may help itself by waiting is made again."""

    def __init__(
        self,
        credentials: Credentials,
        namespace: str = "",
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.namespace = namespace or credentials.namespace
        self.server = credentials.server
        self._credentials = credentials
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep
        self._pool = _connect(credentials)

    def get(self, resource: str, name: str) -> Object:
        return self._object("GET", self._path(resource, name))

    def list(self, resource: str, *, labels: str = "", fields: str = "") -> Iterator[Object]:
        query = {"labelSelector": labels, "fieldSelector": fields}
        return pages(self, self._path(resource), {key: value for key, value in query.items() if value})

    def create(self, resource: str, body: Object) -> Object:
        return self._object("POST", self._path(resource), body=body)

    def patch(self, resource: str, name: str, body: Object) -> Object:
        return self._object("PATCH", self._path(resource, name), body=body)

    def delete(self, resource: str, name: str, *, propagation: str = "Background") -> None:
        try:
            self.request("DELETE", self._path(resource, name), query={"propagationPolicy": propagation})
        except ApiError as error:
            if error.status != 404:
                raise

    def log(self, pod: str, query: Mapping[str, str]) -> Iterator[str]:
        path = f"{self._path('pods', pod)}/log"
        response = self._asked("GET", path, query, None, "*/*", stream=True)
        rest = b""
        try:
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        finally:
            response.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        accept: str = JSON,
    ) -> Any:
        response = self._asked(method, path, query or {}, body, accept)
        try:
            return json.loads(response.data) if response.data else None
        except ValueError:
            raise self._answered(200, response.data) from None

    def server_time(self) -> float | None:
        """Seconds since 1970 by the server's clock, which tells whole ones; None where it does not."""
        date = self._asked("GET", "/version", {}, None, JSON).headers.get("Date", "")
        try:
            return parsedate_to_datetime(date).timestamp()
        except ValueError:
            return None

    def _object(self, method: str, path: str, body: Any = None) -> Object:
        answer: Object = self.request(method, path, body=body)
        return answer

    def _path(self, resource: str, name: str = "") -> str:
        return path_of(self.namespace, resource, quote(name, safe=""))

    def _asked(
        self, method: str, path: str, query: Mapping[str, str], body: Any, accept: str, *, stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """The answer, if it is one of success. Raises ApiError and BackendError."""
        if method in ("POST", "PUT", "PATCH"):
            query = {"fieldValidation": "Strict", "fieldManager": "launcher", **query}
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        until = self._clock() + self._patience_s
        pause = FIRST_PAUSE_S
        renewed = fresh = False
        while True:
            again, wait_s = False, pause
            try:
                response = self._call(method, url, body, accept, stream=stream, fresh=fresh)
                fresh = False
                if response.status < 300:
                    return response
                error: BackendError = self._answered(response.status, response.data)
                if response.status == 401 and not renewed:
                    # A token that a program gives may have been taken back before its time.
                    renewed = fresh = again = True
                    wait_s = 0.0
                else:
                    again = _may_repeat(method, response.status)
                    wait_s = _retry_after(response, pause)
            except (HTTPError, OSError) as failure:
                error = self._unreachable(failure)
                again = error.temporary
            if not again or self._clock() + wait_s > until:
                raise error from None
            self._sleep(wait_s)
            pause *= 2 if wait_s else 1

    def _call(
        self, method: str, url: str, body: Any, accept: str, *, stream: bool, fresh: bool
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": f"launcher/{__version__}", **self._credentials.headers}
        authorization = self._credentials.authorization(fresh)
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = MERGE_PATCH if method == "PATCH" else JSON
        response = self._pool.urlopen(
            method,
            url,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=SILENT_S if stream else READ_S),
            preload_content=not stream,
            retries=False,
            redirect=False,
        )
        if stream and response.status >= 300:
            response.read(cache_content=True)  # why
        return response

    def _answered(self, status: int, body: bytes) -> ApiError:
        who = self._credentials
        token = who.authorization(False) if status == 401 else ""
        return api_errors.answered(status, body, server=who.server, origin=who.origin, token=token, now=self._clock())

    def _unreachable(self, error: BaseException) -> BackendError:
        who = self._credentials
        return api_errors.unreachable(error, server=who.server, origin=who.origin, proxy=who.proxy)


def _may_repeat(method: str, status: int) -> bool:
    """Whether a second call can help. None does a thing twice: all that we create has a name, and a second one of that
    is refused (409), which is no news to whoever makes calls that may be killed and made again."""
    return status in (429, 502, 503, 504) or (status == 500 and method == "GET")


def _retry_after(response: urllib3.BaseHTTPResponse, pause: float) -> float:
    value = response.headers.get("Retry-After", "")
    return max(float(value), pause) if value.isdigit() else pause


def _connect(who: Credentials) -> urllib3.PoolManager:
    """Raises BackendError where the credentials are not what they should be."""
    url = urlsplit(who.server)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise BackendError(f"{who.origin}: the server must be https://HOST:PORT, not '{who.server}'")
    options: dict[str, Any] = {"maxsize": 4, "socket_options": _socket_options()}
    if url.scheme == "https":
        options["ssl_context"] = _tls(who)
        options["assert_hostname"] = False if who.insecure else None
        options["server_hostname"] = who.server_name or None
    if who.insecure:
        # Said by the user's own kubeconfig: a warning at every call tells nobody anything new.
        warnings.filterwarnings("ignore", category=InsecureRequestWarning)
    if not who.proxy:
        return urllib3.PoolManager(**options)
    if not who.proxy.startswith(("http://", "https://")):
        raise BackendError(f"{who.origin}: only http and https proxies can be used, not '{who.proxy}'")
    return urllib3.ProxyManager(who.proxy, **options)


def _socket_options() -> list[tuple[int, int, int]]:
    keepalive = [
        (socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in _KEEPALIVE if hasattr(socket, name)
    ]
    return [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *keepalive,
    ]


def _tls(who: Credentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=who.ca or None)
        if who.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if who.certificate:
            # OpenSSL reads a key from a file only; this one is gone before the first call.
            with tempfile.TemporaryDirectory(prefix="launcher-") as folder:
                both = Path(folder) / "client.pem"
                both.touch(mode=0o600)
                both.write_text(f"{who.certificate.rstrip()}\n{who.key}")
                context.load_cert_chain(both)
    except (ssl.SSLError, ValueError) as error:
        raise BackendError(f"{who.origin}: certificate or key is not valid PEM: {error}; mend the kubeconfig") from None
    return context
