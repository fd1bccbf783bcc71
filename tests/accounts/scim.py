"""A real SCIM server for the tests of a session, and a front of it that fails as it is told."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.accounts.peer import Answer, Asked, Peer, whole
from tests.servers.ports import free_port

TOKEN = "secret-token-of-the-scim-server"

Fault = Answer | None
"""What comes in place of the real answer; None for the real one."""


@dataclass(slots=True)
class Directory:
    """The accounts of a server, seen behind custctl's back.

    Attributes:
        path: the path of its base URL.
        keeps_references: whether the server keeps `externalId`.
    """

    port: int
    path: str
    keeps_references: bool = True

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the content of the answer."""
        status, _, data = forward(self.port, Asked(method, f"{self.path}/{path}", _HEADERS, _bytes(body)))
        assert status < 300, (method, path, status, data)
        return json.loads(data) if data else None

    def accounts(self) -> list[dict[str, Any]]:
        """Return all accounts, by user name."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask("GET", f"Users?startIndex={len(found) + 1}").get("Resources") or []
            found += page
            if not page:
                return sorted(found, key=lambda each: str(each["userName"]))

    def states(self) -> dict[str, bool]:
        """Return whether each account is active, by user name; no name may stand twice."""
        found = self.accounts()
        states = {str(each["userName"]): bool(each["active"]) for each in found}
        assert len(states) == len(found), found
        return states

    def create(self, email: str, **more: Any) -> str:
        """Make an account, as somebody else would, and return its id."""
        user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": email, "active": True}
        user |= {"name": {"formatted": "Some Body", "familyName": "Body"}, **more}
        made: str = self.ask("POST", "Users", user)["id"]
        return made

    def patch(self, subject: str, path: str, value: Any) -> None:
        """Change an account, as somebody else would."""
        operation = {"op": "replace", "path": path, "value": value}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        self.ask("PATCH", f"Users/{subject}", body)


_HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode() if body is not None else b""


def forward(port: int, asked: Asked) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request on to the real server, and return its answer."""
    kept = ("authorization", "content-type", "accept", "if-match")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {name: value for name, value in asked.headers.items() if name in kept}
        connection.request(asked.method, asked.target, asked.body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


@contextmanager
def server(log: Path) -> Iterator[int]:
    """Run a real `scim2-server` during the block, and yield its port."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("scim2-server")), "--hostname", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--bearer-token", TOKEN, "--dynamic-tenants"], stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            wait_for(Directory(port, "/up/v2"), process)
            yield port
        finally:
            process.kill()
            process.wait()


def wait_for(directory: Directory, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server that was started answers."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the SCIM server has ended"
        try:
            directory.ask("GET", "ServiceProviderConfig")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the SCIM server does not answer")


@dataclass(slots=True)
class Front:
    """Stands between custctl and a directory.

    Attributes:
        fault: chooses what comes in place of an answer; the request is not sent on.
        lose: chooses requests that are sent on, and whose answer is lost.
    """

    directory: Directory
    peer: Peer = field(init=False)
    fault: Callable[[Asked], Fault] = lambda _: None
    lose: Callable[[Asked], bool] = lambda _: False

    def __post_init__(self) -> None:
        self.peer = Peer(self._answer)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.peer.url}{self.directory.path}"

    def sent(self, method: str) -> int:
        """Return how many requests of a method came."""
        return sum(asked.method == method for asked in self.peer.asked)

    def _answer(self, asked: Asked) -> Answer:
        fault = self.fault(asked)
        if fault is not None:
            return fault
        status, headers, data = forward(self.directory.port, asked)
        if self.lose(asked):
            return lambda connection, _: connection.close()
        told = [
            f"{name}: {value}" for name, value in headers if name.lower() in ("content-type", "etag", "retry-after")
        ]
        return whole(f"{status} X", data, *told)


@contextmanager
def front(directory: Directory) -> Iterator[Front]:
    """Stand in front of a directory during the block."""
    made = Front(directory)
    made.peer.start()
    try:
        yield made
    finally:
        made.peer.stop()


def new_directory(port: int) -> Directory:
    """Return a directory without accounts."""
    return Directory(port, f"/t{uuid.uuid4().hex[:12]}/v2")
