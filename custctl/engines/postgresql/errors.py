"""Converts PostgreSQL's SQLSTATEs to `CustctlError`.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psycopg

from custctl.engines.constraints import Rule, broken
from custctl.engines.postgresql.attempts import PROTOCOL_VIOLATION, reason
from custctl.engines.postgresql.denials import Denial
from custctl.engines.scripting import TransactionForbiddenError
from custctl.schema.names import FILLED
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
    from psycopg import Error

_GIVEN_UP = frozenset({"40001", "40P01"})
_UNIQUE = {"customer_email_unique": "email", "customer_audit_operation": "operation_id"}
# Two writes to one customer found the same end of its chain: the second one retries.
_CHAIN = "customer_audit_chain"

# No such column, function or unique index; a column of another type, or a generated column; a view or a rule.
_OTHER_SHAPE = frozenset({"42703", "42883", "42P10", "42804", "42846", "428C9", "0A000", "55000"})

_RULES: Final[dict[str, Rule]] = {
    "23502": "required",
    "23001": "reference",
    "23503": "reference",
    "23514": "check",
    "23P01": "unique",
}
# The server's functions that report what the company's own code refuses: RAISE in PL/pgSQL, whatever SQLSTATE it gives, and
# a row security policy or the check option of a view.
_REFUSERS = frozenset({"exec_stmt_raise", "ExecWithCheckOptions"})
# A handler may have caught one of these, and raised it again: the server is full, stops, or was told to cancel.
_PASSED_ON = ("08", "53", "57", "58")
_LATER = "try again in a moment"


def can_run_again(error: Error) -> bool:
    """Tell whether another transaction caused the failure: serialization failure, deadlock, or same end of a chain."""
    return error.sqlstate in _GIVEN_UP or error.diag.constraint_name == _CHAIN


def is_lost(error: Error) -> bool:
    """Tell whether the connection is no longer usable: it is broken, or no answer came in time."""
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))


def translate(error: Error, where: str, login: str, statement: str | None = None) -> CustctlError:
    """Convert a driver's error to a `CustctlError`.

    Args:
        where: the node or the database, as named in messages.
        login: the login, as named in messages.
        statement: the statement, if known: its first word gives the missing privilege.
    """
    state = error.sqlstate or ""
    made = _by_state(error, state, where, login, statement)
    if state:
        made.details.setdefault("sqlstate", state)
    return made


def words(error: Error) -> str:
    """Return the server's own message, without the rows that its detail quotes."""
    text = error.diag.message_primary or reason(error)
    return visible(f"{text} (SQLSTATE {error.sqlstate})" if error.sqlstate else text)


def server_hint(error: Error) -> str | None:
    """Return the server's own hint."""
    return visible(error.diag.message_hint).removesuffix(".") if error.diag.message_hint else None


def _by_state(error: Error, state: str, where: str, login: str, statement: str | None) -> CustctlError:
    text = visible(error.diag.message_primary or reason(error))
    if can_run_again(error):
        return UnavailableError(
            f"other transactions at {where} blocked each attempt: {text}; nothing was written", hint=_LATER
        )
    if state == "23505":
        return _taken(error)
    if _is_refusal(error, state):
        return broken("value", None, text=text)
    if state == "42501":
        return Denial.read(text, statement).error(text, where, login)
    if state in ("28000", "28P01"):
        return _refused_login(text, where, login)
    if state == "23502" and error.diag.column_name in FILLED:
        return other_shape(where, text)
    if state in _RULES:
        column = error.diag.column_name
        return broken(_RULES[state], error.diag.constraint_name, [column] if column else [])
    # P0: a trigger of the company's raises it. 54: a value that is too large for an index, or nested too deep.
    if state.startswith(("22", "23", "54", "P0")):
        return broken("value", None, text=text)
    if state in ("42P01", "42704", "3F000"):
        return PendingError(f"the schema at {where} is missing or too old: {text}", hint="run `custctl migrate`")
    if state in _OTHER_SHAPE:
        return other_shape(where, text)
    if state == "55P03":
        return LockTimeoutError(
            f"timed out waiting for a lock at {where}: {text}", hint=f"another transaction holds it; {_LATER}"
        )
    if state == "57014":
        return UnavailableError(
            f"a statement at {where} was ended: {text}",
            hint="narrow the request, or raise `statement_timeout` in the profile",
        )
    if state == "25006":
        return RefusedError(
            f"{where} does not accept writes: it is a read-only standby, fenced, or read-only for this login",
            hint="write to the primary; `custctl doctor` shows which it is",
        )
    if state in ("25P03", "25P04"):
        setting = "idle_in_transaction_session_timeout" if state == "25P03" else "transaction_timeout"
        return UnavailableError(
            f"{where} ended a transaction that took too long: {text}",
            hint=f"{_LATER}; if it happens again, let an administrator raise `{setting}` of this login or database",
        )
    if state in ("25001", "2D000"):
        return TransactionForbiddenError(text)
    if state == "3D000":
        return UnavailableError(
            f"{where}: {text}", hint="ask an administrator to create it, and check `database.name` in the profile"
        )
    if state == PROTOCOL_VIOLATION and "pooling mode" in text:
        # PgBouncer's messages are in English only.
        return RefusedError(
            f"the pooler before {where} allows no transactions: {text}",
            hint="use the server's own port, or a pool in session mode, in `database.nodes` of the profile",
        )
    if state == "53400":
        return UnavailableError(
            f"{where} refuses what a limit of its settings does not allow: {text}",
            hint="narrow the request, or let an administrator raise the limit for this login or database",
        )
    if state.startswith(("08", "53", "57P", "58")):
        return UnavailableError(f"{where} cannot serve now: {text}", hint=server_hint(error) or _LATER)
    if not state and isinstance(error, psycopg.OperationalError):
        return UnavailableError(
            f"the connection to {where} was lost: {text}",
            hint=f"check that the server is running and reachable; {_LATER}",
        )
    return CustctlError(f"{where}: {words(error)}")


def _is_refusal(error: Error, state: str) -> bool:
    """Tell whether the company's own code refuses the row, without naming a constraint."""
    diag = error.diag
    return diag.source_function in _REFUSERS and not diag.constraint_name and not state.startswith(_PASSED_ON)


def _refused_login(text: str, where: str, login: str) -> CredentialError:
    return CredentialError(
        f"{where} refuses the login of {login}: {text}",
        hint="`custctl credential check` shows where the password comes from; `custctl credential set` stores one",
    )


def _taken(error: Error) -> CustctlError:
    name = error.diag.constraint_name or ""
    column = _UNIQUE.get(name)
    if column is None:
        return broken("unique", name)
    return ConflictError(f"this {column} is taken by another row", details={"field": column})
