"""What stand-ins for a service over HTTP have in common: they note what they are asked, and fail where a test says so."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; a document is JSON, bytes are as they are."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Fault = Callable[["StandIn", Request], Answer | None]
"""What happens instead of an answer; None closes the connection without one."""


def busy(standin: StandIn, request: Request) -> Answer:
    """The service is asked too often, and does nothing."""
    return Answer(429, {"message": "Too Many Requests"}, {"Retry-After": "7"})


def broken(standin: StandIn, request: Request) -> Answer:
    """The service fails, and has done nothing."""
    return Answer(500, {"message": "oops"})


def garbage(standin: StandIn, request: Request) -> Answer:
    """A proxy answers in its place."""
    return Answer(200, b"<html>Please log in to the guest network</html>")


def nested(standin: StandIn, request: Request) -> Answer:
    """JSON that is nested too deeply to be read."""
    return Answer(200, b"[" * 100_000)


def cut(standin: StandIn, request: Request) -> None:
    """The connection breaks before the service has read the request."""


def lost(standin: StandIn, request: Request) -> None:
    """The service does what it is asked, and its answer is lost."""
    standin.handle(request)


def silent(standin: StandIn, request: Request) -> None:
    """The service does what it is asked, and never answers."""
    standin.handle(request)
    standin.ended.wait(20)


class StandIn:
    """A server on this machine, in a thread; as a context manager it ends."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[tuple[Callable[[Request], bool], Fault]] = []
        """The next faults, each for the first request that it is for."""
        self.ended = threading.Event()
        self.lock = threading.RLock()
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
                headers = {key.lower(): value for key, value in self.headers.items()}
                asked = Request(self.command, parts.path, query, headers, self.rfile.read(length))
                answer = standin.answer(asked)
                if answer is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                data = answer.document
                body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

            def handle(self) -> None:
                # A client may be killed at any moment.
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, fault: Fault, when: Callable[[Request], bool] = lambda request: True, *, times: int = 1) -> None:
        """Let the next requests fail for which `when` is true."""
        self.faults += [(when, fault)] * times

    def answer(self, request: Request) -> Answer | None:
        with self.lock:
            self.requests.append(request)
            index = next((index for index, (when, _) in enumerate(self.faults) if when(request)), None)
            if index is None:
                return self.handle(request)
            _, fault = self.faults.pop(index)
        return fault(self, request)

    def handle(self, request: Request) -> Answer:
        raise NotImplementedError

    def wait_for(self, what: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something is true."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "it did not come about"
            time.sleep(0.01)
