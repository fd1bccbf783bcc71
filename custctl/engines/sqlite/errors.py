"""Converts SQLite's result codes to `CustctlError`."""

from __future__ import annotations

import re
import sqlite3

from custctl.engines.constraints import broken
from custctl.schema.names import FILLED
from custctl.support.errors import (
    ConflictError,
    CredentialError,
    CustctlError,
    InvalidError,
    PendingError,
    UnavailableError,
    other_shape,
)

_COLUMNS = r"\b\w+\.([^,]+)(?:, |$)"
_INDEX = r"UNIQUE constraint failed: index '(.+)'$"
_MISSING = r"no such (table|module)\b"
_OTHER_SHAPE = r"no such column|has no column named|ON CONFLICT clause does not match|datatype mismatch|cannot (?:INSERT into|UPDATE) generated"


def translate(error: BaseException, location: str) -> CustctlError:
    """Convert a driver's error to a `CustctlError`.

    Args:
        error: the exception from sqlite3.
        location: the database, as named in messages.

    Source: https://www.sqlite.org/rescode.html
    """
    text = str(error)
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return UnavailableError(
            f"{location} is locked by another process", hint="another write is in progress; try again in a moment"
        )
    if name.startswith("SQLITE_INTERRUPT"):
        return UnavailableError(
            f"a statement on {location} ran longer than the profile's statement_timeout",
            hint="narrow the request, or raise `statement_timeout` in the profile",
        )
    if name.startswith(("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")):
        return _taken(text)
    if name == "SQLITE_CONSTRAINT_NOTNULL" and text.rpartition(".")[2] in FILLED:
        return other_shape(location, text)
    if name.startswith("SQLITE_CONSTRAINT"):
        return _broken(name, text)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return CredentialError(
            f"{location} cannot be written: {text}",
            hint="check the owner and the permissions of the file, of its `-wal` and `-shm`, and of their folder",
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return UnavailableError(f"{location} cannot be opened: {text}", hint="check the path and the permissions")
    if name.startswith("SQLITE_NOTADB"):
        return UnavailableError(f"{location} is not an SQLite database", hint="check `database.path` in the profile")
    if name.startswith("SQLITE_FULL"):
        return UnavailableError(
            f"{location} cannot be written: {text}",
            hint="free some disk space, in the database's folder and in the one for temporary files (`TMPDIR`)",
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_IOERR")):
        return UnavailableError(
            f"{location} cannot be read or written: {text}", hint="check the disk and its free space, then a backup"
        )
    if text.startswith("Could not decode to UTF-8"):
        # The driver's own message quotes the value.
        return InvalidError(
            f"a value in {location} is not UTF-8: it was not written by custctl",
            hint="find it in the sqlite3 shell, for example with `SELECT id, email FROM customer`, and rewrite it",
        )
    if re.search(_OTHER_SHAPE, text):
        return other_shape(location, text)
    if re.match(_MISSING, text):
        return PendingError(f"the schema of {location} is missing or too old: {text}", hint="run `custctl migrate`")
    return CustctlError(f"{location}: {text}")


def _taken(text: str) -> CustctlError:
    columns = re.findall(_COLUMNS, text)
    if columns in (["email"], ["operation_id"]):
        return ConflictError(f"this {columns[0]} is taken by another row", details={"field": columns[0]})
    index = re.search(_INDEX, text)
    return broken("unique", index[1] if index else None, columns)


def _broken(name: str, text: str) -> CustctlError:
    _, _, told = text.partition(" constraint failed: ")
    if name == "SQLITE_CONSTRAINT_CHECK":
        return broken("check", told or None)
    if name == "SQLITE_CONSTRAINT_NOTNULL":
        return broken("required", None, re.findall(_COLUMNS, text))
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return broken("reference", None)
    return broken("value", None, text=text)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether the database is locked, so that waiting can help."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
