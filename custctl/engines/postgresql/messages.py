"""Sends messages to the server like psql: the raw bytes of the text, over the simple protocol, whatever the settings.

A script may set its session's `client_encoding`. The driver follows such a setting, but a script is still UTF-8, and so
are this program's own statements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators, pq
from psycopg.adapt import Transformer

from custctl.support.errors import MigrationError

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from custctl.engines.postgresql.connection import LimitedConnection

_CHUNK = 1 << 17  # bytes of COPY's rows per call
# Encodings in which a UTF-8 text keeps its meaning; SQL_ASCII passes bytes through unchanged.
_TRANSPARENT = ("UTF8", "SQL_ASCII")


def client_encoding(driver: LimitedConnection) -> str:
    """Return the session's current client encoding, as PostgreSQL names it."""
    # A pooler reports it as it was requested, perhaps in lower case.
    return (driver.pgconn.parameter_status(b"client_encoding") or b"UTF8").decode().upper()


def encoded(driver: LimitedConnection, text: str) -> bytes:
    """Return the bytes of a script's text.

    Raises:
        MigrationError: the server would misread them, because the script has set an encoding other than UTF-8.
    """
    encoding = client_encoding(driver)
    if not text.isascii() and encoding not in _TRANSPARENT:
        wrong = next(character for character in text if not character.isascii())
        raise MigrationError(
            f"the session's `client_encoding` is `{encoding}`, and the script is UTF-8: the server would store other"
            f" characters than `{wrong}`",
            hint="write `SET client_encoding = 'UTF8'` in the script, or leave the setting out",
        )
    # A value from the environment may not be valid UTF-8: the server reports that.
    return text.encode("utf-8", "surrogateescape")


def ask(driver: LimitedConnection, message: bytes) -> list[PGresult]:
    """Send one message and return the server's answer to each of its statements."""
    with driver.lock:
        driver.pgconn.send_query(message)
        return driver.wait(generators.execute(driver.pgconn))


def send(driver: LimitedConnection, message: bytes) -> list[PGresult]:
    """Like `ask`.

    Raises:
        psycopg.Error: a statement failed; those after it were not run.
    """
    results = ask(driver, message)
    if (failed := first_failed(results)) is not None:
        raise as_error(failed)
    return results


def send_rows(driver: LimitedConnection, message: bytes, rows: bytes | None) -> None:
    """Send one statement, and the rows that it reads from the client.

    Raises:
        psycopg.Error: it failed.
        MigrationError: it reads rows but there are none, or it writes rows to the client, which has no place for them.
    """
    result = send(driver, message)[-1]
    with driver.lock:
        match result.status:
            case pq.ExecStatus.COPY_IN if rows is None:
                with suppress(psycopg.errors.QueryCanceled):
                    driver.wait(generators.copy_end(driver.pgconn, b"no rows"))
                raise MigrationError(
                    "it reads rows from its client, but no rows follow it",
                    hint="put them after it, ending with a line `\\.`",
                )
            case pq.ExecStatus.COPY_IN:
                for start in range(0, len(rows or b""), _CHUNK):
                    driver.wait(generators.copy_to(driver.pgconn, (rows or b"")[start : start + _CHUNK]))
                driver.wait(generators.copy_end(driver.pgconn, None))
            case pq.ExecStatus.COPY_OUT:
                while isinstance(driver.wait(generators.copy_from(driver.pgconn)), memoryview):
                    pass
                raise MigrationError(
                    "it writes rows to its client, and a script cannot receive them",
                    hint="remove it, or write to a file on the server with `COPY … TO 'FILE'`",
                )


def first_failed(results: Sequence[PGresult]) -> PGresult | None:
    """Return the answer that is an error, or None."""
    return next((result for result in results if result.status == pq.ExecStatus.FATAL_ERROR), None)


def answered(results: Sequence[PGresult]) -> list[PGresult]:
    """Return the answers that have rows or could have them."""
    return [result for result in results if result.status == pq.ExecStatus.TUPLES_OK]


def read(driver: LimitedConnection, answer: PGresult) -> tuple[list[tuple[str, int]], list[tuple[Any, ...]]]:
    """Return an answer's columns (name and type) and its rows as Python values."""
    names = [(answer.fname(column) or b"").decode() for column in range(answer.nfields)]
    columns = list(zip(names, map(answer.ftype, range(answer.nfields)), strict=True))
    transformer = Transformer(driver)
    transformer.set_pgresult(answer)
    return columns, transformer.load_rows(0, answer.ntuples, tuple)


def as_error(failed: PGresult) -> psycopg.Error:
    """Return the driver's error for a failed answer."""
    return psycopg.errors.error_from_result(failed, encoding="utf-8")


@contextmanager
def legible(driver: LimitedConnection) -> Iterator[None]:
    """Set the encoding so that the driver can exchange text during the block, outside a transaction."""
    encoding = client_encoding(driver)
    if encoding == "UTF8":
        yield
        return
    send(driver, b"SET client_encoding = 'UTF8'")
    try:
        yield
    finally:
        if not driver.closed:
            send(driver, f"SET client_encoding = '{encoding}'".encode())
