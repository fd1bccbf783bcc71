"""Stand-ins for what cannot be had in a test: servers that shake hands."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyodbc

from custctl.engines.mssql.handshake import prelogin
from tests.servers.ports import listening


@contextlib.contextmanager
def tls_stand_in(certificate: Path, *, tds: bool = False) -> Iterator[int]:
    """Give a port that shakes hands by TLS and no more, inside of TDS or by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(client: socket.socket) -> None:
        def talk() -> None:
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                if tds:
                    _talk_tds(client, context)
                else:
                    with context.wrap_socket(client, server_side=True) as connection:
                        connection.recv(1)

        threading.Thread(target=talk, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener, listening(listener, answer):
        yield listener.getsockname()[1]


def _talk_tds(client: socket.socket, context: ssl.SSLContext) -> None:
    def receive() -> bytes:
        header = client.recv(8, socket.MSG_WAITALL)
        if len(header) < 8:
            raise ConnectionError
        kind, _, length, _, _, _ = struct.unpack("!BBHHBB", header)
        assert kind == 0x12
        return client.recv(length - 8, socket.MSG_WAITALL)

    def send(kind: int, payload: bytes) -> None:
        client.sendall(struct.pack("!BBHHBB", kind, 1, 8 + len(payload), 0, 1, 0) + payload)

    assert receive() == prelogin()
    # The same options: encryption is on.
    send(0x04, prelogin())
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            connection.do_handshake()
            break
        except ssl.SSLWantReadError:
            if data := outgoing.read():
                # Servers put records into several packets.
                send(0x12, data[:1000])
                if data[1000:]:
                    send(0x12, data[1000:])
            incoming.write(receive())
    if data := outgoing.read():
        send(0x12, data)


class ConnectionStandIn:
    """Answers T-SQL by patterns; what none of them matches is an error, as of a server that does not know it."""

    def __init__(self, answers: dict[str, list[tuple[Any, ...]] | Callable[[str], list[tuple[Any, ...]]]]) -> None:
        self._answers = answers

    def run(self, batch: str) -> list[tuple[Any, ...]]:
        for pattern, answer in self._answers.items():
            if re.search(pattern, batch):
                return answer(batch) if callable(answer) else answer
        raise pyodbc.ProgrammingError(
            "42000", "[42000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]unknown (33557097) (SQLExecDirectW)"
        )

    def info(self, what: int) -> str:
        return {pyodbc.SQL_DRIVER_NAME: "libmsodbcsql-18.6.so.2.2", pyodbc.SQL_DRIVER_VER: "18.06.0002"}.get(
            what, "3.5"
        )
