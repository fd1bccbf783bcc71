"""Translates SQL Server's errors to `CustctlError`s.

A compatible server keeps few of SQL Server's error numbers. So the number is checked first, then the SQLSTATE, and the
text last.

Source: https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from custctl.engines.constraints import broken
from custctl.engines.roles import ask_for
from custctl.engines.scripting import TransactionForbiddenError
from custctl.support.errors import (
    ConflictError,
    CredentialError,
    CustctlError,
    LockTimeoutError,
    PendingError,
    RefusedError,
    UnavailableError,
    other_shape,
)
from custctl.support.text import visible

if TYPE_CHECKING:
    import pyodbc

TAKEN = frozenset({2601, 2627})
_GIVEN_UP = frozenset({1205, 3960, 3961})
# Two writes appended to the same end of a customer's audit chain: the second one runs again.
_GIVEN_UP_WORDS = ("deadlock detected", "could not serialize access", "customer_audit_chain")
_LOGIN = frozenset({18450, 18451, 18452, 18456, 18461, 18470, 18486, 18487, 18488})
_DENIED = frozenset({229, 230, 262, 297, 300, 378, 2760, 15247, 15517})
_DENIED_WORDS = ("permission denied", "permission was denied", "must be owner of")
_MISSING = frozenset({208, 2812})
# No such column, a column of another type, or one that the server fills.
_OTHER_SHAPE = frozenset({206, 207, 257, 271, 272, 273})
_OTHER_SHAPE_WORDS = re.compile(r"column \S+.* does not exist|operator does not exist|is of type \S+ but expression")
_REFUSED_VALUE = frozenset({220, 241, 242, 244, 245, 248, 295, 296, 515, 517, 547, 2628, 8114, 8115, 8134, 8152, 8169})
_REFUSED_WORDS = re.compile(r"violates |value too long|out of range|input syntax for type|field overflow")
# Too long for a row, or for an index.
_TOO_LONG = frozenset({511, 1946})
_FIREWALL = frozenset({40615, 40914})
_READ_ONLY = frozenset({3906, 3908, 976, 978, 979})
# A server that fails over, starts, stops, is full, or is overloaded.
_BUSY = frozenset({596, 615, 926, 927, 983, 4221, 6005, 10928, 10929, 17142, 40197, 40501, 40540, 40613})
_BUSY |= {49918, 49919, 49920, 701, 802, 1101, 1105, 1204, 8628, 8645, 8651, 9002}
_BUSY_WORDS = re.compile(
    r"due to statement timeout|terminating connection|the database system is |too many clients|remaining connection slots"
)
_UNBALANCED = 266
_TRIGGER = 334  # OUTPUT without INTO, on a table that has one
_ENDED = frozenset({596, 6005})
_OUTSIDE_ALONE = frozenset({226, 574, 3021, 3023})

_NUMBER = re.compile(r"\((-?\d+)\) \(SQL\w+\)")
# The prefixes of a message: SQLSTATE, driver, and `[SQL Server]` if it comes from the server.
_SOURCES = re.compile(r"^(?:\[[^\]]*\] ?)+")
_OF_SERVER = "[SQL Server]"
_PRIVILEGE = re.compile(
    r"The (\w+) permission was denied on the (?:object|column '[^']*' of the object) '([^']+)'", re.IGNORECASE
)
_ON_TABLE = re.compile(
    r"(?:permission denied for|must be owner of) (?:table|view|relation|schema|sequence|index|function|procedure) (\S+)"
)
# 1088, 3701, 4701, 4902, 15151 and similar: the server does not say which of the two it is.
_THERE_OR_NOT = re.compile(r"[\"']([^\"']+)[\"'],? because it does not exist or you do not have permission")
_IN_DATABASE = re.compile(r"^([A-Z][A-Z ]*) permission (?:was )?denied in database '([^']+)'")
_VERB = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*([A-Za-z]+)", re.DOTALL)
_CONSTRAINT = re.compile(r"(?:constraint|index) ['\"]([^'\"]+)['\"]")
_NULL_COLUMN = re.compile(r"(?:the value NULL into column|null value in column) ['\"]([^'\"]+)['\"]")
_CHECKED_COLUMN = re.compile(r", column '([^']+)'")
_NULL, _REFERENCE = 515, 547
_QUOTED_VALUE = re.compile(
    r" ?(?:The duplicate key value is|The statement has been terminated|Truncated value:|Key \().*", re.DOTALL
)
# A failed conversion; all forms but the first are a compatible server's.
_CONVERTED_VALUE = re.compile(
    r"(?<= value) '.*'(?= to data type| overflowed )"
    r'|(?<=value) ".*"(?= is out of range)|(?<=out of range): ".*|(?<=input syntax for type )([\w ]+): ".*',
    re.DOTALL,
)
_LATER = "try again in a moment"


def number(error: pyodbc.Error) -> int | None:
    """Return the server's error number; None if the driver itself raised the error."""
    raw = _raw(error)
    sources, found = _SOURCES.match(raw), _NUMBER.search(raw)
    return int(found[1]) if found and sources and _OF_SERVER in sources[0] else None


def state(error: pyodbc.Error) -> str:
    """Return the SQLSTATE."""
    return str(error.args[0]) if error.args else ""


def words(error: pyodbc.Error) -> str:
    """Return the server's message, without the driver's prefixes and any quoted values."""
    code = number(error)
    return f"{_text(error)} ({code if code is not None else state(error)})"


def _raw(error: pyodbc.Error) -> str:
    return str(error.args[1]) if len(error.args) > 1 else str(error)


def _text(error: pyodbc.Error) -> str:
    # There may be several messages; the first one is the cause.
    first = _NUMBER.split(_raw(error))[0]
    bare = _QUOTED_VALUE.sub("", _SOURCES.sub("", first.strip()))
    return visible(_CONVERTED_VALUE.sub(r"\1", bare).strip())


def can_run_again(error: pyodbc.Error) -> bool:
    """Tell whether a transaction lost to another one: a deadlock, a snapshot conflict, or the audit chain's end."""
    text = _raw(error)
    return number(error) in _GIVEN_UP or any(words in text for words in _GIVEN_UP_WORDS)


def is_unbalanced(error: pyodbc.Error) -> bool:
    """Tell whether a statement executed code that began or ended a transaction and left it so."""
    return number(error) == _UNBALANCED


def is_lost(error: pyodbc.Error) -> bool:
    """Tell whether the connection is lost."""
    code = number(error)
    return code is None or code in _ENDED or state(error).startswith("08") or "terminating connection" in _raw(error)


def translate(error: pyodbc.Error, where: str, login: str, statement: str | None = None) -> CustctlError:
    """Return the `CustctlError` for a driver's error.

    Args:
        where: the node or the database, as shown in messages.
        login: the login, as shown in messages.
        statement: the statement, if known: its first word names the missing privilege.
    """
    code = number(error)
    made = _made(error, code, _text(error), where, login, statement)
    if code is not None:
        made.details.setdefault("sqlstate", state(error))
    return made


def _made(
    error: pyodbc.Error, code: int | None, text: str, where: str, login: str, statement: str | None
) -> CustctlError:
    if code in TAKEN or "duplicate key value violates" in text:
        return _taken(text)
    if code in _LOGIN or (state(error) == "28000" and code is None):
        return CredentialError(
            f"{where} refuses the login of {login}: {text}",
            hint="`custctl credential check` shows where the password comes from; `custctl credential set` stores one",
        )
    if code in _DENIED or any(words in text for words in _DENIED_WORDS):
        return _denied(text, where, login, statement)
    if can_run_again(error):
        return UnavailableError(
            f"other transactions at {where} blocked each attempt: {text}; nothing was written", hint=_LATER
        )
    if code == 1222 or "due to lock timeout" in text:
        return LockTimeoutError(
            f"timed out waiting for a lock at {where}: {text}", hint=f"another transaction holds it; {_LATER}"
        )
    if code in _OTHER_SHAPE or _OTHER_SHAPE_WORDS.search(text):
        return other_shape(where, text)
    if code in _MISSING or re.search(r"(relation|function|schema) \S+.* does not exist", text):
        return PendingError(f"the schema at {where} is missing or too old: {text}", hint="run `custctl migrate`")
    if code == _TRIGGER:
        return PendingError(
            f"the schema at {where} has another shape: {text}",
            hint="drop or disable the trigger that was added to that table",
        )
    if code in _TOO_LONG or text.startswith("index row"):
        return broken("value", None, text=text)
    if code in _REFUSED_VALUE or state(error) == "22001" or _REFUSED_WORDS.search(text):
        return _broken(code, text)
    if code in _READ_ONLY or "read-only transaction" in text:
        return RefusedError(f"{where} does not accept writes: {text}", hint="write to the primary")
    if code in (911, 916, 4060):
        return UnavailableError(
            f"{where}: {text}",
            hint="ask an administrator to create the database, or this login's user in it; check `database.name` in"
            " the profile",
        )
    if code in _FIREWALL:
        return UnavailableError(
            f"{where}: {text}", hint="ask an administrator to let this machine's address through the server's firewall"
        )
    if code in _OUTSIDE_ALONE:
        return TransactionForbiddenError(text)
    if code in _BUSY or _BUSY_WORDS.search(text):
        return UnavailableError(f"{where} cannot serve now: {text}", hint=_LATER)
    if code is None:
        return _without_number(error, text, where)
    return CustctlError(f"{where}: {words(error)}")


def _without_number(error: pyodbc.Error, text: str, where: str) -> CustctlError:
    """Return the error for one of the driver's own: the server was not reached, did not answer, or is not trusted."""
    if re.search(r"certificate|SSL|TLS", text):
        return UnavailableError(
            f"no trustworthy connection to {where}: {text}",
            hint="check `database.tls` and `database.tls_ca` in the profile, and the server's certificate",
        )
    if state(error) in ("HYT00", "HYT01") and "Login" not in text:
        return UnavailableError(
            f"a statement at {where} ran longer than the profile's statement_timeout",
            hint="narrow the request, or raise `statement_timeout` in the profile",
        )
    if state(error) in ("IM002", "IM003", "01000"):
        return UnavailableError(
            f"the ODBC driver cannot be loaded: {text}", hint="install it with `pip install 'custctl[mssql]'`"
        )
    if state(error).startswith(("08", "HYT", "HY")):
        return UnavailableError(
            f"{where} cannot be reached: {text}",
            hint="check that the server is running, and check `database.nodes` in the profile",
        )
    return CustctlError(f"{where}: {words(error)}")


def _taken(text: str) -> CustctlError:
    named = _CONSTRAINT.search(text)
    name = named[1] if named else ""
    for prefix, column in (("customer_email_unique", "email"), ("customer_audit_operation", "operation_id")):
        # A compatible server appends a suffix to index names.
        if name.startswith(prefix):
            return ConflictError(f"this {column} is taken by another row", details={"field": column})
    return broken("unique", name or None)


def _broken(code: int | None, text: str) -> CustctlError:
    named, column = _CONSTRAINT.search(text), _NULL_COLUMN.search(text)
    if code == _NULL or column is not None:
        return broken("required", None, [column[1]] if column else [])
    if code == _REFERENCE or named is not None:
        refers = "FOREIGN KEY" in text or "REFERENCE" in text or "foreign key" in text
        # For a foreign key, the message names the other table's column.
        column = None if refers else _CHECKED_COLUMN.search(text)
        return broken("reference" if refers else "check", named[1] if named else None, [column[1]] if column else [])
    return broken("value", None, text=text)


def hidden(error: pyodbc.Error) -> str | None:
    """Return the name of an object that does not exist or that this login may not change; None for other errors."""
    found = _THERE_OR_NOT.search(_text(error))
    return found[1] if found else None


def lacking(name: str, where: str, login: str, statement: str) -> CredentialError:
    """Return the error for an object that `hidden` named and that is known to exist.

    Args:
        where: the node or the database, as shown in messages.
        login: the login, as shown in messages.
        statement: the statement: its first word names the missing privilege.
    """
    return _denied(f'permission denied for table "{name}"', where, login, statement)


def _denied(text: str, where: str, login: str, statement: str | None) -> CredentialError:
    told = _PRIVILEGE.search(text) or _IN_DATABASE.search(text)
    table = _ON_TABLE.search(text)
    verb = _VERB.match(statement or "")
    privilege = told[1].upper() if told else verb[1].upper() if verb else "a privilege"
    name = (told[2] if told else table[1] if table else "").strip('"')
    if not name:
        return CredentialError(
            f"{login} lacks a privilege at {where}: {text}",
            hint=ask_for("", ""),
            details={"privilege": privilege, "object": None},
        )
    return CredentialError(
        f"{login} lacks {privilege} on `{name}`",
        hint=ask_for(privilege, name),
        details={"privilege": privilege, "object": name},
    )
