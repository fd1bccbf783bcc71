"""SQLite's result codes, told as errors of the tree."""

from __future__ import annotations

import re
import sqlite3

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

_UNIQUE = re.compile(r"UNIQUE constraint failed: (\w+)\.(\w+)")
_MISSING = re.compile(r"no such (table|module)\b")
_OTHER_SHAPE = re.compile(
    r"no such column|has no column named|ON CONFLICT clause does not match|datatype mismatch|cannot (?:INSERT into|UPDATE) generated"
)


def translate(error: BaseException, location: str) -> CustctlError:
    """Return the error of the tree for a driver's error.

    Args:
        error: what sqlite3 raised.
        location: the database, as messages name it.

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
        return InvalidError(f"the database refused a value: {text}")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return CredentialError(
            f"{location} cannot be written: {text}",
            hint="check the owner and the permissions of the file, of its `-wal` and `-shm`, and of their folder",
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return UnavailableError(f"{location} cannot be opened: {text}", hint="check the path and the permissions")
    if name.startswith("SQLITE_NOTADB"):
        return UnavailableError(f"{location} is not an SQLite database", hint="check `database.path` in the profile")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_IOERR", "SQLITE_FULL")):
        return UnavailableError(f"{location} cannot be read or written: {text}", hint="check the disk, then a backup")
    if text.startswith("Could not decode to UTF-8"):
        # The driver's own text quotes the value.
        return InvalidError(
            f"a value in {location} is not UTF-8: it was not written by custctl",
            hint="find it with `SELECT id FROM customer WHERE …` in the sqlite3 shell, and rewrite it",
        )
    if _OTHER_SHAPE.search(text):
        return other_shape(location, text)
    if _MISSING.match(text):
        return PendingError(f"the schema of {location} is missing or too old: {text}", hint="run `custctl migrate`")
    return CustctlError(f"{location}: {text}")


def _taken(text: str) -> ConflictError:
    match = _UNIQUE.search(text)
    column = match.group(2) if match else None
    what = f"this {column} is taken by another row" if column else "a unique value is taken"
    return ConflictError(what, details={"field": column} if column else None)


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether waiting can help."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
