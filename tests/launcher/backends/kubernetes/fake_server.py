"""An HTTP server on the loopback that answers what a test tells it to, one answer a call, and keeps the calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """`body`: sent as JSON, or as it is where it is bytes. `cut`: the connection ends without an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    chunks: tuple[bytes, ...] = ()
    """Instead of a body: a stream. Without an end where `cut`."""


class FakeServer:
    """Answers come in the order of `answers`; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer | Callable[[Call], Answer]] = [Answer(body={})]
        self.calls: list[Call] = []
        self.url = ""

    def next(self, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(call) if callable(answer) else answer


@contextmanager
def serving() -> Iterator[FakeServer]:
    server = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
            pass

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            answer = server.next(Call(self.command, self.path, dict(self.headers), body))
            try:
                _send(self, answer)
            except ConnectionError:  # a client may hang up in the middle of a stream
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = answer

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.cut and not answer.chunks:
        handler.close_connection = True
        return
    data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if answer.chunks:
        handler.send_header("Transfer-Encoding", "chunked")
    else:
        handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    for chunk in answer.chunks:
        handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    if answer.cut:
        handler.close_connection = True
    else:
        handler.wfile.write(b"0\r\n\r\n" if answer.chunks else data)
